"""The server's tables as they are: what an authority shows as proof of what it keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, inspect, select, table

from server.operation.purposes import SERVER_TABLES
from server.store.database import Database
from tracing_core.store.purpose import ColumnPurpose, TablePurpose

__all__ = ["ColumnFacts", "TableFacts", "read_schema"]


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """A column of a real table."""

    name: str
    type: str
    """The type, as the database has it."""
    is_nullable: bool
    purpose: ColumnPurpose | None
    """What it is for; None if this version of truyvet does not know it."""

    def to_json(self) -> dict[str, Any]:
        """Return the column as the command prints it."""
        return {
            "name": self.name,
            "type": self.type,
            "null": self.is_nullable,
            "limit": None if self.purpose is None else self.purpose.limit.said(),
            "holds": None if self.purpose is None else self.purpose.holds.en,
        }


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A real table."""

    name: str
    rows: int
    columns: Sequence[ColumnFacts]
    purpose: TablePurpose | None
    """What it is for; None if this version of truyvet does not know it."""

    @property
    def is_known(self) -> bool:
        """Whether the table and each of its columns has a purpose."""
        return self.purpose is not None and all(each.purpose for each in self.columns)

    def to_json(self) -> dict[str, Any]:
        """Return the table as the command prints it."""
        purpose = self.purpose
        return {
            "name": self.name,
            "rows": self.rows,
            "known": self.is_known,
            "holds": None if purpose is None else purpose.holds.en,
            "why": None if purpose is None else purpose.why.en,
            "kept": None if purpose is None else purpose.kept.en,
            "readers": None if purpose is None else purpose.readers.en,
            "columns": [each.to_json() for each in self.columns],
        }


def read_schema(database: Database) -> list[TableFacts]:
    """Return every table that the database has, by name, whether it should be there or not.

    Raises
    ------
    StoreError
        When the database cannot be read.
    """
    found = []
    with database.read() as conn:
        inspector = inspect(conn)
        for name in sorted(inspector.get_table_names()):
            purpose = SERVER_TABLES.get(name)
            known = {} if purpose is None else purpose.columns
            columns = [
                ColumnFacts(
                    each["name"], str(each["type"]), each["nullable"], known.get(each["name"])
                )
                for each in inspector.get_columns(name)
            ]
            rows = conn.execute(select(func.count()).select_from(table(name))).scalar_one()
            found.append(TableFacts(name, rows, columns, purpose))
    return found
