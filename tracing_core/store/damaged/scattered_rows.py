"""Rows of a damaged database's tables, found by their shape on whatever page holds them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import takewhile
from typing import Any, BinaryIO

from tracing_core.store.damaged.leaf_pages import LeafPages, StoredRow
from tracing_core.store.database import Database
from tracing_core.store.migrations import Migrations

__all__ = ["ScatteredRows", "TableShape", "table_shapes"]

_KINDS: Mapping[str, type] = {"INTEGER": int, "TEXT": str, "BLOB": bytes}
_LARGEST_NUMBER = 1 << 62


class TableShape:
    """What the values of each column of a table can be, in the order of the columns.

    Parameters
    ----------
    db
        A database that has the table.
    table
        Its name.
    """

    def __init__(self, db: Database, table: str) -> None:
        columns = db.conn.execute("SELECT * FROM pragma_table_info(?)", [table]).fetchall()
        in_key = [column for column in columns if column[5]]
        is_number = len(in_key) == 1 and in_key[0][2] == "INTEGER"
        self.columns = tuple(str(column[1]) for column in columns)
        self.alias = in_key[0][0] if is_number else None
        """Position of the column that stands for the row's number; None if none does."""
        self.kinds = tuple(
            frozenset([type(None)])
            if position == self.alias
            else frozenset([_KINDS[kind], *([] if required else [type(None)])])
            for position, _, kind, required, *_ in columns
        )
        # SQLite does not rewrite rows for a column that is added later: they end before it.
        optional = takewhile(lambda kinds: type(None) in kinds, reversed(self.kinds))
        self._fewest = len(self.kinds) - sum(1 for _ in optional)

    def fits(self, values: Sequence[object]) -> bool:
        """Return whether a row can be one of this table."""
        return self._fewest <= len(values) <= len(self.kinds) and all(
            type(value) in kinds for value, kinds in zip(values, self.kinds, strict=False)
        )

    def is_apart_from(self, other: TableShape) -> bool:
        """Return whether no row can be one of both tables."""
        if self._fewest > len(other.kinds) or other._fewest > len(self.kinds):
            return True
        fewest = max(self._fewest, other._fewest)
        both = zip(self.kinds[:fewest], other.kinds[:fewest], strict=True)
        return any(mine.isdisjoint(theirs) for mine, theirs in both)


def table_shapes(migrations: Sequence[Migrations]) -> dict[str, TableShape]:
    """Return the shape of every table of a database, by its name."""
    with closing(sqlite3.connect(":memory:")) as connection:
        db = Database(connection)
        for known in migrations:
            known.apply(db)
        return {table: TableShape(db, table) for table in db.table_names()}


class ScatteredRows:
    """The rows of a database, whatever became of its schema and of the pages between.

    A row that a page written to the wrong place repeats is found as often as it is there.

    Parameters
    ----------
    file
        The database, whose write-ahead log was moved into it.
    shapes
        The shapes of its tables, each apart from all others.
    """

    def __init__(self, file: BinaryIO, shapes: Mapping[str, TableShape]) -> None:
        self._pages = LeafPages(file)
        self._shapes = shapes
        self._numbers: dict[str, list[int]] = {table: [] for table in shapes}
        for number in self._pages.numbers():
            if table := self._table_of(number):
                self._numbers[table].append(number)

    def _table_of(self, number: int) -> str | None:
        """Return the table of a page, which holds rows of one only; None if it is not ours."""
        for row in self._pages.rows(number):
            for table, shape in self._shapes.items():
                if shape.fits(row.values):
                    return table
        return None

    def columns(self, table: str) -> Sequence[str]:
        """Return the columns of a table, in their order."""
        return self._shapes[table].columns

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Yield the values of these columns of each row; pages come in their order."""
        shape = self._shapes[table]
        chosen = [shape.columns.index(name) for name in columns]
        for number in self._numbers[table]:
            for row in self._pages.rows(number):
                if shape.fits(row.values) and 0 <= row.number < _LARGEST_NUMBER:
                    missing = len(shape.kinds) - len(row.values)
                    values = (*_with_number(row, shape.alias), *[None] * missing)
                    yield tuple(values[position] for position in chosen)


def _with_number(row: StoredRow, alias: int | None) -> Sequence[object]:
    if alias is None:
        return row.values
    return (*row.values[:alias], row.number, *row.values[alias + 1 :])
