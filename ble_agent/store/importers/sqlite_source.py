"""Databases of other apps, opened without changing them and without trusting them."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["DatabaseSource", "columns_of", "opened_database"]

_COMPANIONS = ("-wal", "-journal")
# No field of a log is nearly as long. A hostile one would fill the memory.
_LONGEST_FIELD = 1 << 20


class DatabaseSource:
    """The tables of a database that is open."""

    is_one_per_moment = True

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection


@contextlib.contextmanager
def opened_database(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database as its app left it; texts are read as bytes.

    What its write-ahead log or journal holds counts. SQLite would write to the folder for that, so
    all these files are copied to a private folder first, which is removed afterwards.

    Raises
    ------
    sqlite3.Error, OSError
        When the database cannot be opened; the caller translates these errors.
    """
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(_connected(path, "mode=ro&immutable=1"))
        beside = [Path(f"{path}{suffix}") for suffix in _COMPANIONS]
        beside = [each for each in beside if each.is_file() and each.stat().st_size]
        if beside:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="truyvet-")))
            # By SQLite, page by page: closing the file ourselves would release the locks of
            # other connections of this process.
            with _connected(folder / path.name, "mode=rwc") as copy:
                connection.backup(copy)
            for each in beside:
                shutil.copyfile(each, folder / each.name)
            connection = stack.enter_context(_connected(folder / path.name, "mode=rw"))
        connection.text_factory = bytes
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_FIELD)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA query_only = ON")
        yield connection


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
