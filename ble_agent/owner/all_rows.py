"""Rows of the store, all of them, as the lines that `ble_agent.store.importers.all_data` reads."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from ble_agent.owner.carrying import without_secrets
from ble_agent.store.state import ROOM
from ble_agent.store.tables import AGENT_TABLES
from ble_agent.store.vault import Vault, own_key_purpose
from tracing_core.protocol.temporary_exposure_key import KEY_LENGTH
from tracing_core.store.database import Database
from tracing_core.store.sighting import SIGHTING_TABLE

__all__ = ["LAST_TABLE", "OWN_KEYS", "all_lines", "columns_of", "schema_steps", "tables_of"]

OWN_KEYS = "own_key"
"""The table of this device's own keys."""

LAST_TABLE = "heard_day"
"""The counts of days, which adding a sighting removes; so they come last."""

_FIRST_TABLE = "state"
_KEY_COLUMN = "key_data"


def tables_of(db: Database) -> list[str]:
    """Return the names of the store's tables, in the order in which they are written and read."""
    rows = db.conn.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    names = [name for (name,) in rows if not name.startswith(("sqlite_", "_"))]
    return sorted(names, key=lambda name: (name != _FIRST_TABLE, name == LAST_TABLE, name))


def columns_of(db: Database, table: str) -> dict[str, str]:
    """Return the types of a table's columns by their names, in order."""
    return dict(db.conn.execute("SELECT name, type FROM pragma_table_info(?)", [table]).fetchall())


def schema_steps(db: Database) -> list[str]:
    """Return the names of the steps that made the tables, each with its set's."""
    return [
        f"{steps.name} {step.name}"
        for steps in (SIGHTING_TABLE, AGENT_TABLES)
        for step in steps.applied(db)
    ]


def all_lines(
    db: Database, about: dict[str, Any], vault: Vault | None, counts: Counter[str]
) -> Iterator[str]:
    """Yield the lines, one JSON value each; call it in a transaction, so that they fit together.

    Parameters
    ----------
    db
        The agent's database.
    about
        What is said about the file.
    vault
        Opens this device's own keys, to be written openly; None to leave out the keys, and with
        them all else that is secret.
    counts
        Where the number of rows of each table is counted.

    Raises
    ------
    StoreSealed
        When a key cannot be opened.
    """
    yield _json({"truyvet": "all data", **about, "schema": schema_steps(db)})
    for table in tables_of(db):
        kinds = columns_of(db, table)
        columns, blobs = list(kinds), [name for name, kind in kinds.items() if kind == "BLOB"]
        if table == OWN_KEYS and vault is None:
            columns = [name for name in columns if name != _KEY_COLUMN]
            blobs = []
        yield _json({"table": table, "columns": columns, "bytes": blobs})
        counts[table] = 0
        for row in _rows(db, table, columns, blobs, vault):
            counts[table] += 1
            yield _json(row)
    yield _json({"end": dict(counts)})


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _rows(
    db: Database, table: str, columns: Sequence[str], blobs: Sequence[str], vault: Vault | None
) -> Iterator[Sequence[Any]]:
    chosen = ", ".join(f'"{name}"' for name in columns)
    rows = db.conn.execute(f'SELECT {chosen} FROM "{table}"')  # noqa: S608
    if table == _FIRST_TABLE:
        yield from _values(rows, is_open=vault is not None)
        return
    places = [columns.index(name) for name in blobs]
    for found in rows:
        row = list(found)
        if table == OWN_KEYS and vault is not None:
            start, key = columns.index("rolling_start"), columns.index(_KEY_COLUMN)
            # An older version left keys unsealed, until the agent runs again.
            if len(row[key]) != KEY_LENGTH:
                row[key] = vault.unseal(row[key], own_key_purpose(row[start]))
        for at in places:
            if row[at] is not None:
                row[at] = row[at].hex()
        yield row


def _values(rows: Any, *, is_open: bool) -> Iterator[Sequence[str]]:
    for name, text in rows:
        if name == ROOM.name:
            continue
        value = json.loads(text)
        if not is_open and (kept := without_secrets(name, value)) != value:
            yield [name, json.dumps(kept)]
        else:
            yield [name, text]
