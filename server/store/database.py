"""The server's database: SQLAlchemy Core over SQLite, durable, private, migrated by alembic."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, MetaData, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, TimeoutError

from tracing_core.errors import SchemaMismatch, StoreBusy, StoreError, StoreFull, require
from tracing_core.store.sqlite import as_store_error, create_private, database_errors

__all__ = ["Database", "kept_if", "metadata"]

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "pk": "%(table_name)s_pkey",
    }
)
"""The tables of every domain; their stores define them on it."""

_BUSY_TIMEOUT_SECONDS = 5.0
_TURN_TIMEOUT_SECONDS = 30.0
_MANY = 1_000
_MOST_BYTES_COMPACTED_IN_MEMORY = 64 * 2**20
_READ_ONLY = {"truyvet_read_only": True}


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transactions begin deferred; ours begin in `_begin_sqlite`.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "secure_delete=ON",
        "foreign_keys=ON",
        # What must be undone holds rows, and would else go to files in everybody's folder.
        "temp_store=MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _is_read_only(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("truyvet_read_only", False))


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN" if _is_read_only(connection) else "BEGIN IMMEDIATE")


def _begin_postgresql(connection: Connection) -> None:
    if _is_read_only(connection):
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    else:
        # Writers take turns as in SQLite, so that what was read still holds when it is written.
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('truyvet'))").close()


def _postgresql_error(error: DBAPIError, name: str) -> StoreError:
    state = getattr(error.orig, "sqlstate", None)
    if state == "55P03":
        return StoreBusy(f"{name} is too busy: try again")
    if state == "53100":
        return StoreFull(f"the disk of {name} is full: free some space, nothing was lost")
    if state is None or error.connection_invalidated:
        return StoreError(f"{name} does not answer: see that PostgreSQL runs and takes this user")
    kind = type(error.orig).__name__
    return StoreError(f"{name} cannot be used ({kind}): see the log of PostgreSQL")


def _parsed(url: str | URL) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError(
            "database_url must be like sqlite:////path/to/file or postgresql://HOST/NAME"
        ) from error
    kind = parsed.get_backend_name()
    if kind == "postgresql":
        require("psycopg", extra="postgres")
        return parsed.set(drivername="postgresql+psycopg")
    if kind != "sqlite":
        raise StoreError(f"{kind} is not supported: use sqlite or postgresql")
    if parsed.database in (None, "", ":memory:"):
        raise StoreError("database_url names no file: it must be like sqlite:////path/to/file")
    return parsed.set(drivername="sqlite")


@contextlib.contextmanager
def kept_if(connection: Connection, is_kept: bool) -> Iterator[None]:
    """Write inside a transaction; on ``False`` all is undone, and yet as much reaches the disk.

    SQLite writes the pages that were touched at the commit, even where they are again what they
    were, so the time that takes does not tell one from the other.
    """
    attempt = connection.begin_nested()
    yield
    if is_kept:
        attempt.commit()
    else:
        attempt.rollback()


class Database:
    """A pool of connections; safe to use from several threads.

    Parameters
    ----------
    url
        SQLAlchemy's URL. A SQLite file is created, readable by its owner only.

    Raises
    ------
    StoreError
        When the file cannot be created, or it is neither SQLite nor PostgreSQL.
    MissingExtra
        When the library for PostgreSQL is absent.
    """

    def __init__(self, url: str | URL) -> None:
        parsed = _parsed(url)
        self._is_sqlite = parsed.get_backend_name() == "sqlite"
        self.name = (
            str(parsed.database)
            if self._is_sqlite
            else parsed.set(query={}).render_as_string(hide_password=True)
        )
        """The file, or the URL without its password, for messages."""
        options: dict[str, Any]
        if self._is_sqlite:
            with database_errors(self.name):
                create_private(self.name)
            options = {"connect_args": {"timeout": _BUSY_TIMEOUT_SECONDS}}
        else:
            wait = f"-c lock_timeout={_TURN_TIMEOUT_SECONDS:.0f}s"
            # A connection that PostgreSQL ended, to be started anew, must cost no request.
            options = {"connect_args": {"options": wait}, "pool_pre_ping": True}
        # SQLite lets waiting writers try again at random, so within a process they take turns.
        self._writers = threading.BoundedSemaphore(1 if self._is_sqlite else _MANY)
        # Parameters hold keys, so no error may show them. Connections are as many as requests at
        # once, which are bounded elsewhere.
        self.engine: Engine = create_engine(
            parsed, hide_parameters=True, max_overflow=-1, **options
        )
        # Whoever lets go of the database lets go of its connections too.
        weakref.finalize(self, self.engine.dispose)
        if self._is_sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            event.listen(self.engine, "begin", _begin_postgresql)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if isinstance(error.orig, sqlite3.Error):
                raise as_store_error(error.orig, self.name) from error.orig
            raise _postgresql_error(error, self.name) from error
        except TimeoutError as error:
            raise StoreBusy(f"{self.name} is too busy: try again") from error

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._writers.acquire(timeout=_TURN_TIMEOUT_SECONDS):
            raise StoreBusy(f"{self.name} is too busy: try again")
        try:
            yield
        finally:
            self._writers.release()

    @contextlib.contextmanager
    def begin(self) -> Iterator[Connection]:
        """Write several things or none; when the block ends they are on the disk.

        Raises
        ------
        StoreBusy, StoreFull, StoreError
            When the database cannot; nothing of the block is kept.
        """
        with self._turn(), self._translated(), self.engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Read one state of the database while others may write.

        Raises
        ------
        StoreBusy, StoreError
            When the database cannot be read.
        """
        with self._translated(), self.engine.connect() as connection:
            yield connection.execution_options(**_READ_ONLY)

    def migrate(self) -> None:
        """Bring the tables up to date.

        Raises
        ------
        SchemaMismatch
            When a newer version wrote the database.
        StoreError
            When it cannot be written.
        """
        from alembic import command
        from alembic.config import Config
        from alembic.runtime.migration import MigrationContext
        from alembic.script import ScriptDirectory

        config = Config()
        config.set_main_option("script_location", "server:migrations")
        config.set_main_option("path_separator", "os")
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        with self.begin() as connection:
            applied = MigrationContext.configure(connection).get_current_heads()
            if not known.issuperset(applied):
                raise SchemaMismatch(
                    f"{self.name} was written by a newer version of truyvet: install that version"
                )
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def note_deletion(self, connection: Connection) -> None:
        """Note, in the transaction that deletes, that the file must be compacted."""
        if self._is_sqlite:
            connection.exec_driver_sql("PRAGMA user_version = 1")

    def compact(self) -> None:
        """Rewrite the file if rows were deleted, so that no byte of them is left in it.

        SQLite's ``secure_delete`` overwrites deleted rows, but not the copies that moving rows
        between pages left in unused parts of pages, nor the write-ahead log.

        Raises
        ------
        StoreBusy
            When others use the database all the while; the next call tries again.
        StoreFull
            When the disk has no room for a second copy.
        """
        if not self._is_sqlite:
            return
        with self._turn(), self._translated(), database_errors(self.name):
            pooled = self.engine.raw_connection()
            try:
                connection: Any = pooled.driver_connection
                if connection.execute("PRAGMA user_version").fetchone()[0]:
                    self._vacuum(connection)
                    self._checkpoint(connection)
                    connection.execute("PRAGMA user_version = 0")
                    self._checkpoint(connection)
            finally:
                pooled.close()

    def _vacuum(self, connection: Any) -> None:
        # The second copy is made in memory, or where that is too much in an unnamed file beside the
        # first: never in a folder that all may write to, nor on another disk.
        pages, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "page_size")
        )
        if pages * size <= _MOST_BYTES_COMPACTED_IN_MEMORY:
            connection.execute("VACUUM")
            return
        folder = str(Path(self.name).resolve().parent).replace("'", "''")
        # It is the whole process's, in which nothing else makes such files.
        connection.execute(f"PRAGMA temp_store_directory='{folder}'")
        connection.execute("PRAGMA temp_store=FILE")
        try:
            connection.execute("VACUUM")
        finally:
            connection.execute("PRAGMA temp_store=MEMORY")
            connection.execute("PRAGMA temp_store_directory=''")

    def _checkpoint(self, connection: Any) -> None:
        is_busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if is_busy:
            raise StoreBusy(f"{self.name} is being read: deleted rows are removed later")

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()
