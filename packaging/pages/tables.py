"""The page of tables: every table of the databases of the agent and the server."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

from sqlalchemy import String, Table
from sqlalchemy.dialects import postgresql, sqlite

import server
from ble_agent.store import state
from ble_agent.store.tables import AGENT_TABLES, MEANINGS
from pages.source import attribute_docs, list_table, markdown
from server.operation.purposes import SERVER_TABLES
from server.store.database import metadata
from tracing_core.store import sighting
from tracing_core.store.database import Database
from tracing_core.store.purpose import ColumnPurpose

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
    _load_tables()
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
    heads = ("column", "in SQLite", "in PostgreSQL", "null", "limit", "what it holds")
    made = dict(metadata.tables)
    for name, purpose in sorted(SERVER_TABLES.items()):
        rows = [
            _server_row(column, each, made.get(name)) for column, each in purpose.columns.items()
        ]
        facts = (
            f"{purpose.holds.en}\n",
            f"- What for: {purpose.why.en}",
            f"- How long: {purpose.kept.en}",
            f"- Who can read it: {purpose.readers.en}",
        )
        yield f"### {name}\n\n" + "\n".join(facts) + f"\n\n{list_table(heads, rows)}"


def _server_row(name: str, purpose: ColumnPurpose, table: Table | None) -> tuple[str, ...]:
    # The tool of the migrations makes the table of their number by itself.
    kind = String(32) if table is None else table.columns[name].type
    in_sqlite, in_postgresql = (
        kind.compile(dialect=dialect.dialect()) for dialect in (sqlite, postgresql)
    )
    null = "yes" if purpose.or_null else "no"
    limit = markdown(purpose.limit.said())
    return (f"`{name}`", in_sqlite, in_postgresql, null, limit, markdown(purpose.holds.en))


def _load_tables() -> None:
    """Load every module of the server, since each defines its tables."""
    for info in pkgutil.walk_packages(server.__path__, "server."):
        if not info.name.startswith("server.migrations"):
            import_module(info.name)
