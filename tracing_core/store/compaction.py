"""Compaction of a SQLite database, after which no byte of deleted rows is left in its files.

SQLite's ``secure_delete`` overwrites deleted rows. It does not overwrite the copies that stay in
unused parts of pages when rows move, nor the write-ahead log.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

__all__ = ["empty_log", "rewrite"]


def rewrite(connection: sqlite3.Connection, path: str | Path, *, most_in_memory: int) -> None:
    """Rewrite the whole database without the unused parts; `empty_log` must follow.

    SQLite first makes a second copy: in memory, or if the database is too large, in an unnamed
    file in the same folder. So no copy is in a folder that others may write to, nor on another
    disk.

    Parameters
    ----------
    connection
        A connection that is not in a transaction.
    path
        The database's file.
    most_in_memory
        The largest copy to make in memory (bytes).

    Raises
    ------
    sqlite3.Error
        When another connection uses the database, or the disk has no room for the copy.
    """
    pages, size, before = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "page_size", "temp_store")
    )
    is_small = pages * size <= most_in_memory
    if not is_small:
        folder = str(Path(path).resolve().parent).replace("'", "''")
        # The setting applies to the whole process, which makes no other such files.
        connection.execute(f"PRAGMA temp_store_directory='{folder}'")
    connection.execute(f"PRAGMA temp_store={'MEMORY' if is_small else 'FILE'}")
    try:
        connection.execute("VACUUM")
    finally:
        connection.execute(f"PRAGMA temp_store={before}")
        if not is_small:
            connection.execute("PRAGMA temp_store_directory=''")


def empty_log(connection: sqlite3.Connection) -> bool:
    """Move the write-ahead log into the database and empty it.

    Returns
    -------
    bool
        False if another connection is reading; a later call can then empty the log.
    """
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy
