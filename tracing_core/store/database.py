"""Connection to a SQLite database, as every part of this project hands it on."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

__all__ = ["Database"]


class Database:
    """One open connection; it belongs to the thread that opened it."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self.conn = conn
        """The connection itself, for cursors, `executemany` and pragmas."""

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement."""
        return self.conn.execute(sql, parameters)

    def count(self, table: str) -> int:
        """Return the number of rows of a table."""
        name = table.replace('"', '""')
        return int(self.conn.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0])  # noqa: S608

    def close(self) -> None:
        """Close the connection."""
        self.conn.close()
