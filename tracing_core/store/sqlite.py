"""SQLite as this project uses it: durable, private, with errors that say what to do.

This module avoids two traps. A deferred transaction fails at once when another connection wrote in
between, so writers begin IMMEDIATE. WAL with ``synchronous=NORMAL`` loses hours in a power cut
when commits are rare, so FULL is the default.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from tracing_core.errors import (
    SchemaMismatch,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
)
from tracing_core.store.database import Database
from tracing_core.store.files import as_file_error, disk_is_full, disk_is_read_only
from tracing_core.store.journal import check_journal
from tracing_core.store.migrations import Migrations

__all__ = [
    "BUSY_TIMEOUT_SECONDS",
    "as_store_error",
    "beginning_of",
    "check_tables",
    "create_private",
    "database_errors",
    "open_database",
    "open_readonly",
    "path_of",
    "transaction",
]

BUSY_TIMEOUT_SECONDS = 5.0
"""How long a connection waits for another connection's lock by default."""

# The shared memory of a write-ahead log takes 32 kB, plus a page or two.
_LEAST_ROOM_BYTES = 64 << 10
_DISK_CODES = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL)
_PERHAPS_THE_DISK: dict[int | None, tuple[type[StoreError], str]] = {
    sqlite3.SQLITE_READONLY: (StoreFull, "written to: check the disk and the file's owner"),
    sqlite3.SQLITE_IOERR: (StoreFull, "read or written to: check the disk and the file's owner"),
    sqlite3.SQLITE_CANTOPEN: (StoreError, "opened: check that it exists and who owns it"),
}
_MAGIC = b"SQLite format 3\0"
_BEGINNING_BYTES = 4096


def as_store_error(error: sqlite3.Error, path: str | Path) -> StoreError:
    """Return the error to raise in place of SQLite's."""
    path = str(path)
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreBusy(f"{path} is in use by another process: stop it, or try again", path)
    if primary == sqlite3.SQLITE_FULL:
        return disk_is_full(path)
    if primary in _PERHAPS_THE_DISK:
        kind, text = _PERHAPS_THE_DISK[primary]
        return _by_disk(path) or kind(f"{path} cannot be {text}", path)
    if primary in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return _damaged(path)
    return StoreError(f"{path}: {error}", path)


def _damaged(path: str) -> StoreDamaged:
    text = f"{path} is not a readable SQLite database: restore it from a backup"
    return StoreDamaged(text, path)


def _by_disk(path: str) -> StoreFull | None:
    """Return the error for a disk that is full or read-only, which SQLite does not name."""
    try:
        disk = os.statvfs(path)
    except OSError:
        return None
    if disk.f_flag & os.ST_RDONLY:
        return disk_is_read_only(path)
    return disk_is_full(path) if disk.f_bavail * disk.f_frsize < _LEAST_ROOM_BYTES else None


def path_of(db: Database) -> str:
    """Return the name of a database's file, for errors."""
    row = db.conn.execute("PRAGMA database_list").fetchone()
    return str(row[2]) or "the database"


@contextlib.contextmanager
def database_errors(path: str | Path) -> Iterator[None]:
    """Turn the errors of SQLite and of the system about a database into a `StoreError`.

    Raises
    ------
    StoreBusy, StoreFull, StoreDamaged, StoreError
        In place of `sqlite3.Error` and `OSError`.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise as_store_error(error, path) from error
    except OSError as error:
        raise as_file_error(error, path) from error
    except UnicodeDecodeError as error:
        # SQLite's own message quotes the damaged schema, which Python cannot decode.
        raise _damaged(str(path)) from error


def _check_schema(db: Database, migrations: Sequence[Migrations], path: Path) -> None:
    for known in migrations:
        if known.unknown(db):
            text = f"{path} was written by a newer version of truyvet: install that version"
            raise SchemaMismatch(text, str(path))


def _check_empty(db: Database, migrations: Sequence[Migrations], path: Path) -> None:
    """Check that a database without a step holds nothing, and did not lose its schema."""
    if any(known.applied(db) for known in migrations):
        return
    if db.conn.execute("PRAGMA page_count").fetchone()[0] > 1:
        raise _damaged(str(path))


def _check_whole(db: Database, migrations: Sequence[Migrations], path: Path) -> None:
    """Check that the schema names all that the steps made: a bad page of it may look empty."""
    present = frozenset(name for (name,) in db.conn.execute("SELECT name FROM sqlite_master"))
    if not _made_by(*migrations) <= present:
        raise _damaged(str(path))


@functools.cache
def _made_by(*migrations: Migrations) -> frozenset[str]:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        for known in migrations:
            known.apply(Database(connection))
        names = connection.execute("SELECT name FROM sqlite_master")
        return frozenset(name for (name,) in names)


def beginning_of(path: Path) -> bytes:
    """Return the first bytes of a file, at most 4096; for a SQLite database its 16-byte mark.

    A database is opened by SQLite alone, for the reason given in `create_private`.

    Raises
    ------
    OSError
        When the file cannot be read.
    """
    if path.is_file() and path.stat().st_size:
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with (
            contextlib.suppress(sqlite3.Error),
            contextlib.closing(sqlite3.connect(uri, uri=True)) as connection,
        ):
            connection.execute("PRAGMA schema_version")
            return _MAGIC
    with path.open("rb") as file:
        return file.read(_BEGINNING_BYTES)


def create_private(path: str | Path) -> None:
    """Create a database's file if it does not exist, and make it readable by its owner only.

    An existing file is not opened: closing it would release the locks that SQLite holds on it for
    other connections of this process, and the next process to close the database would remove the
    write-ahead log from under them (sqlite.org/howtocorrupt.html, 2.2).

    Raises
    ------
    OSError
        When the file cannot be created, or belongs to another user.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        # A file that was copied here may be readable by others; its log would inherit this.
        if os.stat(path).st_mode & 0o077:
            os.chmod(path, 0o600)


def open_database(
    path: Path,
    migrations: Sequence[Migrations],
    *,
    synchronous: str = "FULL",
    busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS,
) -> Database:
    """Open or create a database for writing, bring its tables up to date, and keep it private.

    The file is readable by its owner only, deleted rows are overwritten (``secure_delete``), and
    every commit is on the disk when it returns. A connection belongs to the thread that opened it.

    Parameters
    ----------
    path
        The file; its folder must exist.
    migrations
        The sets of tables that the database holds.
    synchronous
        ``FULL``, or ``NORMAL`` for bulk work that can be repeated.
    busy_timeout_seconds
        How long a write waits for the lock of another connection.

    Raises
    ------
    SchemaMismatch
        When a newer version wrote the database.
    StoreError
        When the database cannot be opened.
    """
    with database_errors(path):
        if os.statvfs(path.parent).f_flag & os.ST_RDONLY:
            # SQLite would open the file, and stay read-only even after the disk becomes writable.
            raise disk_is_read_only(path)
        check_journal(path)
        create_private(path)
        connection = sqlite3.connect(path, timeout=busy_timeout_seconds, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(f"PRAGMA synchronous={synchronous}")
            connection.execute("PRAGMA secure_delete=ON")
            connection.execute("PRAGMA foreign_keys=OFF")
            db = Database(connection)
            _check_schema(db, migrations, path)
            if any(known.pending(db) for known in migrations):
                _check_empty(db, migrations, path)
                with transaction(db):
                    for known in migrations:
                        known.apply(db)
            else:
                _check_whole(db, migrations, path)
            # Not before, since a table that is made again must not take what refers to it along.
            connection.execute("PRAGMA foreign_keys=ON")
        except BaseException:
            connection.close()
            raise
    return db


def open_readonly(path: Path, migrations: Sequence[Migrations]) -> Database:
    """Open a database for reading, even on a read-only disk or while an agent writes to it.

    Tables that an older version did not make yet are there for this connection, and empty.

    Raises
    ------
    SchemaMismatch
        When a newer version wrote the database.
    StoreError
        When the file does not exist, is not a database, or lacks the tables.
    """
    with database_errors(path):
        check_journal(path)
        # Without a write-ahead log there is no writer. On a full or read-only disk SQLite cannot
        # make the shared memory that it would need otherwise.
        is_idle = not _has_log(path)
        if not is_idle or os.access(path.parent, os.W_OK):
            try:
                return _opened_readonly(path, migrations, "mode=ro")
            except sqlite3.OperationalError as error:
                if not is_idle or error.sqlite_errorcode & 0xFF not in _DISK_CODES:
                    raise
        return _opened_readonly(path, migrations, "mode=ro&immutable=1")


def _has_log(path: Path) -> bool:
    try:
        return os.stat(f"{path}-wal").st_size > 0
    except FileNotFoundError:
        return False


def _opened_readonly(path: Path, migrations: Sequence[Migrations], mode: str) -> Database:
    uri = f"{path.absolute().as_uri()}?{mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_SECONDS)
    try:
        db = Database(connection)
        _check_schema(db, migrations, path)
        if all(known.applied(db) for known in migrations):
            _lend_tables(db, migrations)
        else:
            check_tables(db, migrations, path)
    except BaseException:
        connection.close()
        raise
    return db


def _lend_tables(db: Database, migrations: Sequence[Migrations]) -> None:
    """Make the tables of later steps in memory; steps that change a table are not made up for."""
    if not any(known.pending(db) for known in migrations):
        return
    present = set(db.table_names())
    db.conn.execute("PRAGMA temp_store = MEMORY")
    with contextlib.closing(sqlite3.connect(":memory:")) as newest:
        for known in migrations:
            known.apply(Database(newest))
        tables = newest.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        for name, statement in tables:
            if name not in present:
                db.conn.execute(statement.replace("CREATE TABLE", "CREATE TEMP TABLE", 1))


def check_tables(db: Database, migrations: Sequence[Migrations], path: Path) -> None:
    """Check that a database holds these sets of tables, as this version knows them.

    Raises
    ------
    SchemaMismatch
        When a newer version wrote the database.
    StoreError
        When it lacks the tables.
    """
    _check_schema(db, migrations, path)
    if any(known.pending(db) for known in migrations):
        text = f"{path} is not a truyvet database, or was never used: check the path"
        raise StoreError(text, str(path))


@contextlib.contextmanager
def transaction(db: Database) -> Iterator[Database]:
    """Write several things or none, holding the write lock from the start.

    Raises
    ------
    StoreBusy, StoreFull, StoreError
        When SQLite cannot write; nothing in the block is kept.
    """
    with database_errors(path_of(db)):
        db.conn.execute("BEGIN IMMEDIATE")
        try:
            yield db
        except BaseException:
            db.conn.rollback()
            raise
        try:
            db.conn.execute("COMMIT")
        except BaseException:
            db.conn.rollback()
            raise
