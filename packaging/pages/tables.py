"""The page of tables: every table of the databases of the agent and the server."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql, sqlite

import server
from ble_agent.store import state
from ble_agent.store.tables import AGENT_TABLES, MEANINGS
from pages.source import attribute_docs, list_table, markdown
from server.store.database import metadata
from tracing_core.store import sighting
from tracing_core.store.database import Database

__all__ = ["page"]

_TEMPLATE = Path(__file__).with_name("tables.md")
_SIGHTING = {
    "": "The encounter log: one row per identifier heard in a scan.",
    "id": "Number of the row, in the order of writing.",
    "import": "Number of the import it comes from, `import.id`; null for what this device itself"
    " heard, and where the import is forgotten.",
}
_MIGRATIONS = {
    "": "The steps that made these tables, written by sqlite-utils.",
    "id": "Number of the row.",
    "migration_set": "`agent` or `sighting`.",
    "name": "Name of the step.",
    "applied_at": "When it was applied.",
}


def page() -> str:
    """Return the page."""
    text = _TEMPLATE.read_text()
    text = text.replace("<!-- AGENT -->", "\n\n".join(_agent_tables()))
    text = text.replace("<!-- STATE -->", list_table(("name", "value"), _state_rows()))
    return text.replace("<!-- SERVER -->", "\n\n".join(_server_tables()))


def _agent_tables() -> Iterator[str]:
    db = Database(memory=True)
    for migrations in (sighting.SIGHTING_TABLE, AGENT_TABLES):
        migrations.apply(db)
    samples = "Samples in dBm, one signed byte each."
    meanings: dict[str, Mapping[str, str]] = {
        "sighting": attribute_docs(sighting, "Sighting") | _SIGHTING | {"rssi_dbm": samples},
        "_sqlite_migrations": _MIGRATIONS,
        **MEANINGS,
    }
    for name in sorted(db.table_names(), key=lambda each: (each.startswith("_"), each)):
        meaning = meanings[name]
        rows = []
        for _, column, kind, is_required, _, in_key in db.conn.execute(
            "SELECT * FROM pragma_table_info(?)", [name]
        ):
            null = "no" if is_required or in_key else "yes"
            rows.append((f"`{column}`", kind, null, markdown(meaning[column])))
        table = list_table(("column", "type", "null", "what it holds"), rows)
        yield f"### {name}\n\n{meaning['']}\n\n{table}"
    db.close()


def _state_rows() -> Iterator[tuple[str, str]]:
    docs = attribute_docs(state)
    for name in state.__all__:
        value = getattr(state, name)
        if isinstance(value, state.StateValue):
            yield f"`{value.name}`", docs[name]
    yield "`answer NAME`", f"{state.AnswerState.__doc__} NAME is the last part of its URL."


def _server_tables() -> Iterator[str]:
    docs = _table_docs()
    for table in sorted(metadata.tables.values(), key=lambda each: each.name):
        heads = ("column", "in SQLite", "in PostgreSQL", "null", "what it holds")
        rows = [_server_row(column) for column in table.columns]
        yield f"### {table.name}\n\n{docs[table.name]}\n\n{list_table(heads, rows)}"


def _server_row(column: Column[Any]) -> tuple[str, ...]:
    in_sqlite, in_postgresql = (
        column.type.compile(dialect=dialect.dialect()) for dialect in (sqlite, postgresql)
    )
    null = "yes" if column.nullable else "no"
    assert column.doc, f"{column} has no doc="
    return (f"`{column.name}`", in_sqlite, in_postgresql, null, column.doc)


def _table_docs() -> dict[str, str]:
    """Return the docstrings under the server's tables; every module is loaded to find them all."""
    docs = {}
    for module in _server_modules():
        words = attribute_docs(module)
        for name, value in vars(module).items():
            if isinstance(value, Table) and name in words:
                docs[value.name] = words[name]
    return docs


def _server_modules() -> Iterator[ModuleType]:
    for info in pkgutil.walk_packages(server.__path__, "server."):
        if not info.name.startswith("server.migrations"):
            import_module(info.name)
    yield from (module for name, module in sorted(sys.modules.items()) if name[:7] == "server.")
