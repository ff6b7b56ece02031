"""The server's database: SQLAlchemy Core over SQLite or PostgreSQL, migrated by alembic."""

# Writers take turns. What a transaction reads decides what it writes: whether a code was used,
# whether a key is stored, how far a region is exported. Two writers at the same time could both
# read "not yet" and both write "done".
#
# The usual way is to let them run and to have the database find the conflict. With SERIALIZABLE,
# PostgreSQL then ends one of the two with an error, and the program must repeat its transaction.
# Here that fails in two ways. A repeated request takes longer, and whether it is repeated depends
# on what it does, so its time could distinguish cover traffic from a report. And SQLite has no
# such level: a transaction that starts as a reader, and wants to write after another one wrote,
# cannot be repeated by the driver. It ends with "database is locked".
#
# So every writer asks for the right to write before it reads. SQLite has BEGIN IMMEDIATE for this.
# In PostgreSQL an advisory lock does the same, under one name for all of this project's writers.
# It is held to the end of the transaction, so neither a crash nor an early return can keep it.
# Row locks alone would not do, because a row that is not there yet cannot be locked. Readers take
# no lock: they read one state (WAL, or REPEATABLE READ) while others write.
#
# SQLite lets waiting writers try again at random intervals, so within a process a semaphore puts
# them in order. The price: writes limit the throughput of a server, and a second node adds none
# (docs/decisions/0004-one-writer-at-a-time.md has figures).

from __future__ import annotations

import contextlib
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, MetaData, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, TimeoutError

from tracing_core.errors import SchemaMismatch, StoreBusy, StoreError, StoreFull, require
from tracing_core.store.compaction import empty_log, rewrite
from tracing_core.store.journal import check_journal
from tracing_core.store.sqlite import as_store_error, create_private, database_errors

__all__ = ["Database", "DatabaseLimits", "has_password", "kept_if", "metadata"]

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "pk": "%(table_name)s_pkey",
    }
)
"""The tables of every domain; their stores define them on it."""

_MANY = 1_000
_READ_ONLY = {"truyvet_read_only": True}


@dataclass(frozen=True, slots=True)
class DatabaseLimits:
    """How long a database waits, and how much memory it takes."""

    busy_seconds: float = 5.0
    """Longest wait for the lock of another process on a SQLite file."""
    turn_seconds: float = 30.0
    """Longest wait for the right to write."""
    bytes_compacted_in_memory: int = 64 * 2**20
    """A SQLite file of at most this size is rewritten in memory, a larger one on its own disk."""


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transactions are deferred; ours start in `_begin_sqlite`.
    connection.isolation_level = None
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "secure_delete=ON",
        "foreign_keys=ON",
        # Undo information contains rows, and would otherwise go to files in a public folder.
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
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('truyvet'))").close()


def _postgresql_error(error: DBAPIError, name: str) -> StoreError:
    state = getattr(error.orig, "sqlstate", None)
    if state == "55P03":
        return StoreBusy(f"{name} is too busy: try again")
    if state == "53100":
        return StoreFull(f"the disk of {name} is full: free some space; nothing was lost")
    if state is None or error.connection_invalidated:
        return StoreError(
            f"{name} does not answer: check that PostgreSQL is running and accepts this user"
        )
    kind = type(error.orig).__name__
    return StoreError(f"{name} cannot be used ({kind}): see PostgreSQL's log")


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


def has_password(url: str | None) -> bool:
    """Return True if a database's URL contains a password."""
    if url is None:
        return False
    try:
        parsed = make_url(url)
    except ArgumentError:
        return False
    return bool(parsed.password or "password" in parsed.query)


@contextlib.contextmanager
def kept_if(connection: Connection, is_kept: bool) -> Iterator[None]:
    """Write inside a transaction, or undo the writes and still put as much on the disk.

    At the commit SQLite writes every page that was touched, changed or not, so the time of the
    commit does not distinguish the two.

    Parameters
    ----------
    connection
        A connection within a transaction.
    is_kept
        False undoes all that the block wrote.
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
    limits
        How long the database waits, and how much memory it takes.

    Raises
    ------
    StoreError
        When the file cannot be created, or the URL is neither SQLite's nor PostgreSQL's.
    MissingExtra
        When the library for PostgreSQL is missing.
    """

    def __init__(self, url: str | URL, limits: DatabaseLimits | None = None) -> None:
        self._limits = limits or DatabaseLimits()
        parsed = _parsed(url)
        self._is_sqlite = parsed.get_backend_name() == "sqlite"
        self.name = (
            str(parsed.database)
            if self._is_sqlite
            else parsed.set(query={}).render_as_string(hide_password=True)
        )
        """The file's path, or the URL without its password, for messages."""
        options: dict[str, Any]
        if self._is_sqlite:
            with database_errors(self.name):
                check_journal(Path(self.name))
                create_private(self.name)
            options = {"connect_args": {"timeout": self._limits.busy_seconds}}
        else:
            wait = f"-c lock_timeout={self._limits.turn_seconds:.0f}s"
            # A connection that PostgreSQL closed when it restarted must not fail a request.
            options = {"connect_args": {"options": wait}, "pool_pre_ping": True}
        self._writers = threading.BoundedSemaphore(1 if self._is_sqlite else _MANY)
        # Parameters contain keys, so no error may show them. The number of requests at once is
        # bounded elsewhere, and so is that of connections.
        self.engine: Engine = create_engine(
            parsed, hide_parameters=True, max_overflow=-1, **options
        )
        """The pool of connections."""
        # A database that is dropped without `close` closes its connections too.
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
        if not self._writers.acquire(timeout=self._limits.turn_seconds):
            raise StoreBusy(f"{self.name} is too busy: try again")
        try:
            yield
        finally:
            self._writers.release()

    @contextlib.contextmanager
    def begin(self) -> Iterator[Connection]:
        """Write everything in the block or nothing; at the block's end it is on the disk.

        Raises
        ------
        StoreBusy, StoreFull, StoreError
            When the database cannot be written to; nothing in the block is kept.
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
            When the database cannot be written to.
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
        """Mark the file for compaction; call this in the transaction that deletes."""
        if self._is_sqlite:
            connection.exec_driver_sql("PRAGMA user_version = 1")

    def compact(self) -> None:
        """Rewrite the file if rows were deleted, so that no byte of those rows is left in it.

        Raises
        ------
        StoreBusy
            When other processes keep using the database; the next call tries again.
        StoreFull
            When the disk has no space for a second copy.
        """
        if not self._is_sqlite:
            return
        with self._turn(), self._translated(), database_errors(self.name):
            pooled = self.engine.raw_connection()
            try:
                connection: Any = pooled.driver_connection
                if connection.execute("PRAGMA user_version").fetchone()[0]:
                    most = self._limits.bytes_compacted_in_memory
                    rewrite(connection, self.name, most_in_memory=most)
                    self._empty_log(connection)
                    connection.execute("PRAGMA user_version = 0")
                    self._empty_log(connection)
            finally:
                pooled.close()

    def _empty_log(self, connection: Any) -> None:
        if not empty_log(connection):
            raise StoreBusy(f"{self.name} is being read: deleted rows will be removed later")

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()
