"""Salvage of a damaged database: every row that can still be read, in a fresh database.

SQLite finds a table by the schema, and its pages by the pages above them. One bad page there would
hide all that lies below. So the rows are taken from whatever pages hold them, in any order.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ble_agent.store.state import ADDITIONS, COMPACTED_AT, DAMAGE, MEMBERSHIP, ROOM
from ble_agent.store.tables import AGENT_TABLES
from ble_agent.store.vault import SEALED_KEY_BYTES, Vault, own_key_purpose
from tracing_core.errors import InvalidValue, SchemaMismatch, StoreSealed
from tracing_core.protocol.interval import interval_number
from tracing_core.store.damaged.scattered_rows import ScatteredRows, table_shapes
from tracing_core.store.database import Database
from tracing_core.store.files import file_errors
from tracing_core.store.journal import WAL_SUFFIX
from tracing_core.store.other_sighting import other_sighting_of_row
from tracing_core.store.sighting import SIGHTING_TABLE, sighting_of_row
from tracing_core.store.write_ahead_log import move_pages

__all__ = ["NOT_SALVAGED", "Salvaged", "salvage"]

NOT_SALVAGED: Mapping[str, str] = {
    "_sqlite_migrations": "the fresh database has the rows of its own steps",
    "batch": "every key file is matched again, since keys that matched may be lost",
    "heard_day": "the days are counted again",
    "signed_header": "the key files are fetched again",
    "unusable_file": "the key files are fetched again",
}
"""The tables whose rows are left behind, and why no owner misses them."""

_NOT_KEPT = frozenset({ADDITIONS.name, COMPACTED_AT.name, ROOM.name, DAMAGE.name})
_DOCUMENT = "answer "
_KEY_COLUMNS = ("rolling_start", "rolling_period", "key_data", "last_interval")
_SIGHTING_COLUMNS = ("rpi", "aem", "rssi_dbm", "seen_at", "previous_scan_at", "clock_suspect")
_OTHER_COLUMNS = ("protocol", "identifier", "rssi_dbm", "tx_power", "seen_at", "previous_scan_at")


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What could be read."""

    sightings: int = 0
    keys: int = 0
    """Days whose own key was kept."""
    joined: bool = False
    """Whether the authority is still known."""


def salvage(copy: Path, fresh: Database, vault: Vault, now: float) -> Salvaged:
    """Copy every row that can be read into a fresh database, in the caller's transaction.

    Parameters
    ----------
    copy
        A copy of the damaged database, with its write-ahead log beside it. It is changed.
    fresh
        The database to write to.
    vault
        Opens the device's own keys, to leave out those that are damaged.
    now
        The time in UTC Unix seconds. No identifier of its interval is sent again.

    Raises
    ------
    SchemaMismatch
        When a newer version wrote the database: then it is not damaged.
    StoreError
        When the copy cannot be changed, or the fresh database cannot be written to.
    """
    with file_errors(copy):
        move_pages(Path(f"{copy}{WAL_SUFFIX}"), copy)
    with copy.open("rb") as file:
        found = ScatteredRows(file, table_shapes([SIGHTING_TABLE, AGENT_TABLES]))
        _check_version(found, copy)
        _salvage_whole(found, fresh, "import")
        sightings = _salvage_sightings(found, fresh) + _salvage_others(found, fresh)
        keys = _salvage_keys(found, fresh, vault, now)
        for table in ("matched_key", "diary", "request", "kept_row"):
            _salvage_whole(found, fresh, table)
        joined = _salvage_state(found, fresh)
    return Salvaged(sightings, keys, joined)


def _check_version(found: ScatteredRows, copy: Path) -> None:
    known = {each.name: each.steps for each in (SIGHTING_TABLE, AGENT_TABLES)}
    for name, step in found.rows("_sqlite_migrations", ("migration_set", "name")):
        if name in known and step not in known[name]:
            text = f"{copy} was written by a newer version of truyvet: install that version"
            raise SchemaMismatch(text, str(copy))


def _salvage_sightings(found: ScatteredRows, fresh: Database) -> int:
    """Copy what was heard or imported, after the imports that it comes from."""
    columns = ("id", *_SIGHTING_COLUMNS, "import")
    known = _known_imports(fresh)
    count = 0
    # A page that was written to the wrong place repeats rows, which their number shows.
    for number, *row, source in found.rows("sighting", columns):
        with contextlib.suppress(InvalidValue, OverflowError):
            sighting_of_row(*row)
            origin = source if source in known else None
            count += _insert(fresh, "sighting", columns, (number, *row, origin))
    return count


def _known_imports(fresh: Database) -> set[int]:
    return {number for (number,) in fresh.conn.execute("SELECT id FROM import")}


def _insert(fresh: Database, table: str, columns: Sequence[str], row: Sequence[Any]) -> int:
    """Insert a row unless it violates a constraint, or is there; return 1 if it was inserted."""
    values = ", ".join("?" * len(columns))
    query = f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({values})"  # noqa: S608
    return fresh.conn.execute(query, row).rowcount


def _salvage_keys(found: ScatteredRows, fresh: Database, vault: Vault, now: float) -> int:
    current = interval_number(max(0.0, now))
    rows = [row for row in found.rows("own_key", _KEY_COLUMNS) if _is_key(*row)]
    whole = [row for row in rows if _opens(vault, row)]
    # Without a key that opens any, this process may just lack the service's credential.
    for start, period, key_data, last in whole or rows:
        end = start + period - 1
        if start <= current <= end:
            last = max(last, current)
        # Of two copies of a page, the older one knows less of what was sent.
        fresh.conn.execute(
            "INSERT INTO own_key VALUES (?, ?, ?, ?) ON CONFLICT (rolling_start)"
            " DO UPDATE SET last_interval = max(last_interval, excluded.last_interval)",
            [start, period, key_data, max(start, min(last, end))],
        )
    return fresh.table("own_key").count


def _is_key(start: Any, period: Any, key_data: Any, last: Any) -> bool:
    return (
        0 <= start < 1 << 32
        and 1 <= period <= 144
        and 0 <= last < 1 << 32
        and len(key_data) == SEALED_KEY_BYTES
    )


def _opens(vault: Vault, row: tuple[Any, ...]) -> bool:
    try:
        vault.unseal(row[2], own_key_purpose(row[0]))
    except StoreSealed:
        return False
    return True


def _salvage_others(found: ScatteredRows, fresh: Database) -> int:
    """Copy what was imported of other protocols, after the imports that it comes from."""
    known = _known_imports(fresh)
    count = 0
    for *values, source in found.rows("other_sighting", (*_OTHER_COLUMNS, "import")):
        with contextlib.suppress(InvalidValue, OverflowError):
            other_sighting_of_row(*values)
            origin = source if source in known else None
            columns = (*_OTHER_COLUMNS, "import")
            count += _insert(fresh, "other_sighting", columns, (*values, origin))
    return count


def _salvage_whole(found: ScatteredRows, fresh: Database, table: str) -> None:
    """Copy the rows of a table that the table's own constraints allow."""
    columns = found.columns(table)
    for row in found.rows(table, columns):
        _insert(fresh, table, columns, row)


def _salvage_state(found: ScatteredRows, fresh: Database) -> bool:
    for name, value in found.rows("state", ("name", "value")):
        # Documents of the server are fetched again.
        if name in _NOT_KEPT or name.startswith(_DOCUMENT):
            continue
        with contextlib.suppress(ValueError):
            json.loads(value)
            _insert(fresh, "state", ("name", "value"), (name, value))
    return MEMBERSHIP.get(fresh) is not None
