"""Comparison of a real schema with the purposes of its tables, value by value."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from tracing_core.store.purpose import SENTENCE, ColumnPurpose, PlaceName, TablePurpose


def faults(connection: sqlite3.Connection, purposes: Mapping[str, TablePurpose]) -> Iterator[str]:
    """Yield what the schema has and the purposes lack, or the other way round.

    What a limit says is put into a row of the real table, and what lies beyond it too.
    """
    names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    tables = {name for (name,) in connection.execute(names)}
    for table in sorted(tables ^ purposes.keys()):
        yield f"{table} is only in {'the schema' if table in tables else 'the purposes'}"
    for table in sorted(tables & purposes.keys()):
        columns = purposes[table].columns
        info = connection.execute("SELECT * FROM pragma_table_info(?)", [table]).fetchall()
        there = {row[1] for row in info}
        for column in sorted(there ^ columns.keys()):
            place = "the schema" if column in there else "the purposes"
            yield f"{table}.{column} is only in {place}"
        # Its own statement is that of a library, which alone writes to it.
        if there == columns.keys() and table != "_sqlite_migrations":
            alias = {row[1] for row in info if row[5] and row[2] == "INTEGER"}
            for column in columns:
                for fault in _column_faults(connection, table, columns, column, alias):
                    yield f"{table}.{column} {fault}"


def _column_faults(
    connection: sqlite3.Connection,
    table: str,
    columns: Mapping[str, ColumnPurpose],
    column: str,
    alias: set[str],
) -> Iterator[str]:
    limit, or_null = columns[column].limit, columns[column].or_null
    rows = list(_rows(columns))
    for value in limit.inside:
        if not any(_takes(connection, table, {**row, column: value}) for row in rows):
            yield f"refuses {value!r:.40}"
    outside = list(limit.outside)
    if not isinstance(limit, PlaceName):
        outside.append(SENTENCE)
    for value in outside:
        if any(_takes(connection, table, {**row, column: value}) for row in rows):
            yield f"takes {value!r:.40}"
    if column not in alias and or_null is not _takes(connection, table, {**rows[0], column: None}):
        yield "may not be null" if or_null else "takes null"


def _rows(columns: Mapping[str, ColumnPurpose]) -> Iterator[dict[str, Any]]:
    """Yield rows within the limits: one, and each that differs from it in one value."""
    first = {
        name: None if purpose.or_null else next(iter(purpose.limit.inside))
        for name, purpose in columns.items()
    }
    yield first
    for name, purpose in columns.items():
        for value in purpose.limit.inside:
            if value != first[name] and not purpose.or_null:
                yield {**first, name: value}


def _takes(connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> bool:
    connection.execute("SAVEPOINT trial")
    try:
        names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))
    except (sqlite3.IntegrityError, OverflowError):
        return False
    finally:
        connection.execute("ROLLBACK TO trial")
        connection.execute("RELEASE trial")
    return True
