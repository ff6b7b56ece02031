"""Databases of other apps, opened without changing them and without trusting them."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ble_agent.store.working_folder import working_folder
from tracing_core.errors import InvalidLog, LogFault
from tracing_core.store.journal import JOURNAL_SUFFIX, WAL_SUFFIX, names_a_file
from tracing_core.store.sqlite import database_errors

__all__ = ["DatabaseSource", "columns_of", "opened_database"]

# The copy has a name of its own, since a hostile one might mean something to SQLite.
_COPY_NAME = "log.db"
# No field of a log is nearly as long. A hostile one would fill the memory.
_LONGEST_FIELD = 1 << 20


class DatabaseSource:
    """The tables of a database that is open."""

    is_one_per_moment = True

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection


@contextlib.contextmanager
def opened_database(path: Path, home: Path) -> Iterator[sqlite3.Connection]:
    """Open a database as its app left it; texts are read as bytes.

    What its write-ahead log or journal holds counts. SQLite would write to the folder for that, so
    all these files are copied to a working folder first. SQLite opens no journal for writing but
    such a copy, which was checked: at the end of a rollback, it would delete the file that a
    journal names.

    Parameters
    ----------
    path
        The database.
    home
        The agent's folder, for the copies.

    Raises
    ------
    InvalidLog
        When the database's journal names a file.
    StoreError
        When the database cannot be opened, or the copies not written.
    """
    with contextlib.ExitStack() as stack:
        with database_errors(path):
            connection = stack.enter_context(_connected(path, "mode=ro&immutable=1"))
            beside = [
                suffix
                for suffix in (WAL_SUFFIX, JOURNAL_SUFFIX)
                if (companion := Path(f"{path}{suffix}")).is_file() and companion.stat().st_size
            ]
        if beside:
            folder = stack.enter_context(working_folder(home))
            copy = folder / _COPY_NAME
            with database_errors(path):
                _copy(connection, path, copy, beside)
                connection = stack.enter_context(_connected(copy, "mode=rw"))
        with database_errors(path):
            _restrict(connection)
        yield connection


def _copy(connection: sqlite3.Connection, path: Path, copy: Path, beside: list[str]) -> None:
    # By SQLite, page by page: closing the file ourselves would release the locks of other
    # connections of this process.
    with _connected(copy, "mode=rwc") as target:
        connection.backup(target)
    for suffix in beside:
        companion = Path(f"{copy}{suffix}")
        shutil.copyfile(f"{path}{suffix}", companion)
        # The copy is checked, since the file itself may change meanwhile.
        if suffix == JOURNAL_SUFFIX and names_a_file(companion):
            text = (
                f"{path}{suffix} names another file, as no app's journal does, so nothing was read:"
                " copy the log again, without the journal, while its app is stopped"
            )
            raise InvalidLog(text, LogFault.JOURNAL, path=f"{path}{suffix}")


def _restrict(connection: sqlite3.Connection) -> None:
    connection.text_factory = bytes
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_FIELD)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA query_only = ON")


def _connected(path: Path, mode: str) -> contextlib.closing[sqlite3.Connection]:
    uri = f"{path.absolute().as_uri()}?{mode}"
    return contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None))


def columns_of(connection: sqlite3.Connection, table: str) -> set[str]:
    """Return a table's column names in lower case; an empty set if there is no such table."""
    rows = connection.execute(
        "SELECT lower(column.name) FROM sqlite_master AS entry"
        " JOIN pragma_table_info(entry.name) AS column"
        " WHERE entry.type = 'table' AND entry.rootpage > 0 AND entry.name = ? COLLATE NOCASE",
        [table],
    )
    return {name.decode(errors="replace") for (name,) in rows}
