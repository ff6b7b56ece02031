"""The page of tables: every table of the databases of the agent and the server."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from sqlalchemy import String, Table
from sqlalchemy.dialects import postgresql, sqlite

import server
from ble_agent.owner.other_purposes import FILES, VALUES
from ble_agent.owner.purposes import TABLES
from ble_agent.store.tables import AGENT_TABLES
from pages.source import list_table, markdown
from server.operation.purposes import SERVER_TABLES
from server.store.database import metadata
from tracing_core.store import sighting
from tracing_core.store.database import Database
from tracing_core.store.purpose import ColumnPurpose

__all__ = ["page"]

_TEMPLATE = Path(__file__).with_name("tables.md")


def page() -> str:
    """Return the page."""
    _load_tables()
    text = _TEMPLATE.read_text()
    text = text.replace("<!-- AGENT -->", "\n\n".join(_agent_tables()))
    text = text.replace(
        "<!-- STATE -->", list_table(("name", "what it holds", "kept"), _state_rows())
    )
    heads = ("file", "what it holds", "what for", "kept", "readers")
    text = text.replace("<!-- FILES -->", list_table(heads, _file_rows()))
    return text.replace("<!-- SERVER -->", "\n\n".join(_server_tables()))


def _agent_tables() -> Iterator[str]:
    db = Database(memory=True)
    for migrations in (sighting.SIGHTING_TABLE, AGENT_TABLES):
        migrations.apply(db)
    for name, purpose in TABLES.items():
        rows = []
        for _, column, kind, is_required, _, in_key in db.conn.execute(
            "SELECT * FROM pragma_table_info(?)", [name]
        ):
            null = "no" if is_required or in_key else "yes"
            known = purpose.columns[column]
            rows.append((f"`{column}`", kind, known.limit.said(), null, known.holds.en))
        table = list_table(("column", "type", "limit", "null", "what it holds"), rows)
        uses = f"For: {purpose.why.en} Kept: {purpose.kept.en}. Readers: {purpose.readers.en}"
        yield f"### {name}\n\n{purpose.holds.en}\n\n{uses}\n\n{table}"
    db.close()


def _state_rows() -> Iterator[tuple[str, ...]]:
    for name, value in VALUES.items():
        yield f"`{name}`", value.holds.en, value.kept.en


def _file_rows() -> Iterator[tuple[str, ...]]:
    for name, file in FILES.items():
        yield f"`{name}`", file.holds.en, file.why.en, file.kept.en, file.readers.en


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
