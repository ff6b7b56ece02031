"""Salvage of a damaged database: every row that can still be read, in a fresh database."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ble_agent.store.state import ADDITIONS, COMPACTED_AT, DAMAGE, MEMBERSHIP, ROOM
from ble_agent.store.tables import AGENT_TABLES
from ble_agent.store.vault import SEALED_KEY_BYTES, Vault, own_key_purpose
from tracing_core.errors import InvalidValue, SchemaMismatch, StoreSealed
from tracing_core.protocol.interval import interval_number
from tracing_core.store.database import Database
from tracing_core.store.other_sighting import insert_other_sightings, other_sighting_of_row
from tracing_core.store.sighting import SIGHTING_TABLE, insert_sightings, sighting_of_row

__all__ = ["Salvaged", "salvage"]

_PAGE_BYTES = 4096
_HEADER_BYTES = 100
_MAGIC = b"SQLite format 3\0"
_LARGEST_ROW = (1 << 63) - 1
_NOT_KEPT = frozenset({ADDITIONS.name, COMPACTED_AT.name, ROOM.name, DAMAGE.name})
_DOCUMENT = "answer "
_UNREADABLE = (sqlite3.Error, UnicodeDecodeError, OverflowError)


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
        When the fresh database cannot be written to.
    """
    connection = _opened(copy)
    if connection is None:
        return Salvaged()
    with contextlib.closing(connection):
        _check_version(connection, copy)
        sightings = 0
        for row in _rows(
            connection, "sighting", "rpi, aem, rssi_dbm, seen_at, previous_scan_at, clock_suspect"
        ):
            with contextlib.suppress(InvalidValue, OverflowError):
                insert_sightings(fresh, [sighting_of_row(*row)])
                sightings += 1
        sightings += _salvage_imports(connection, fresh)
        keys = _salvage_keys(connection, fresh, vault, now)
        _salvage_matches(connection, fresh)
        joined = _salvage_state(connection, fresh)
    return Salvaged(sightings, keys, joined)


def _opened(copy: Path) -> sqlite3.Connection | None:
    """Open a copy as it is, else with a header of its own, else without its log."""
    for repair in (None, _write_header, _drop_log):
        if repair is not None:
            repair(copy)
        connection = sqlite3.connect(copy, isolation_level=None)
        connection.text_factory = lambda text: text.decode(errors="replace")
        with contextlib.suppress(sqlite3.Error):
            # A damaged schema must not keep us from the tables that are whole.
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute("PRAGMA trusted_schema = OFF")
            if connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                return connection
        connection.close()
    return None


def _write_header(copy: Path) -> None:
    """Write the header that every database of ours begins with (sqlite.org/fileformat2.html)."""
    pages = copy.stat().st_size // _PAGE_BYTES
    head = struct.pack(">16sHBBBBBB", _MAGIC, _PAGE_BYTES, 2, 2, 0, 64, 32, 32)
    counts = struct.pack(">12I", 1, pages, 0, 0, 1, 4, 0, 0, 1, 0, 0, 0)
    with copy.open("r+b") as file:
        file.write((head + counts).ljust(92, b"\0") + struct.pack(">2I", 1, _library_number()))


def _library_number() -> int:
    major, minor, patch = sqlite3.sqlite_version_info
    return major * 1_000_000 + minor * 1_000 + patch


def _drop_log(copy: Path) -> None:
    Path(f"{copy}-wal").unlink(missing_ok=True)


def _check_version(connection: sqlite3.Connection, copy: Path) -> None:
    db = Database(connection)
    with contextlib.suppress(sqlite3.Error):
        if SIGHTING_TABLE.unknown(db) or AGENT_TABLES.unknown(db):
            text = f"{copy} was written by a newer version of truyvet: install that version"
            raise SchemaMismatch(text, str(copy))


def _rows(connection: sqlite3.Connection, table: str, columns: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table in order, leaping over what is damaged."""
    query = f"SELECT rowid, {columns} FROM {table} WHERE rowid > ? ORDER BY rowid"  # noqa: S608
    after = -1
    while after < _LARGEST_ROW:
        try:
            for number, *row in connection.execute(query, [after]):
                # A page that was written to the wrong place repeats rows.
                if number > after:
                    yield tuple(row)
                    after = number
            return
        except _UNREADABLE:
            after = _past_damage(connection, query, after)


def _past_damage(connection: sqlite3.Connection, query: str, after: int) -> int:
    """Return the number from which reading goes on behind the damage."""
    low, leap = after, 1
    # The damage may be one page of rows or many: leap farther each time, then go back.
    while not _reads(connection, query, high := min(after + leap, _LARGEST_ROW)):
        low, leap = high, 2 * leap
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _reads(connection, query, middle) else (middle, high)
    return high


def _reads(connection: sqlite3.Connection, query: str, after: int) -> bool:
    if after == _LARGEST_ROW:
        return True
    try:
        connection.execute(query, [after]).fetchone()
    except _UNREADABLE:
        return False
    return True


def _salvage_keys(connection: sqlite3.Connection, fresh: Database, vault: Vault, now: float) -> int:
    current = interval_number(max(0.0, now))
    columns = "rolling_start, rolling_period, key_data, last_interval"
    found = [row for row in _rows(connection, "own_key", columns) if _is_key(*row)]
    whole = [row for row in found if _opens(vault, row)]
    # Without a key that opens any, this process may just lack the service's credential.
    for start, period, key_data, last in whole or found:
        end = start + period - 1
        if start <= current <= end:
            last = max(last, current)
        fresh.conn.execute(
            "INSERT OR IGNORE INTO own_key VALUES (?, ?, ?, ?)",
            [start, period, key_data, max(start, min(last, end))],
        )
    return fresh.table("own_key").count


def _is_key(start: Any, period: Any, key_data: Any, last: Any) -> bool:
    return (
        all(isinstance(number, int) for number in (start, period, last))
        and 0 <= start < 1 << 32
        and 1 <= period <= 144
        and isinstance(key_data, bytes)
        and len(key_data) == SEALED_KEY_BYTES
    )


def _opens(vault: Vault, row: tuple[Any, ...]) -> bool:
    try:
        vault.unseal(row[2], own_key_purpose(row[0]))
    except StoreSealed:
        return False
    return True


def _salvage_imports(connection: sqlite3.Connection, fresh: Database) -> int:
    """Copy what was imported of other protocols, and where it came from."""
    columns = "id, format, digest, imported_at, counts"
    numbers = set()
    for row in _rows(connection, "import", columns):
        with contextlib.suppress(sqlite3.IntegrityError):
            fresh.conn.execute(f"INSERT INTO import ({columns}) VALUES (?,?,?,?,?)", row)  # noqa: S608
            numbers.add(row[0])
    count = 0
    columns = "protocol, identifier, rssi_dbm, tx_power, seen_at, previous_scan_at, import"
    for *values, number in _rows(connection, "other_sighting", columns):
        with contextlib.suppress(InvalidValue, OverflowError, sqlite3.IntegrityError):
            sighting = other_sighting_of_row(*values)
            insert_other_sightings(fresh, [sighting], number if number in numbers else None)
            count += 1
    return count


def _salvage_matches(connection: sqlite3.Connection, fresh: Database) -> None:
    columns = (
        "key_data, rolling_start, rolling_period, report_type, days_since_onset,"
        " transmission_risk, variant_of_concern, revised"
    )
    for row in _rows(connection, "matched_key", columns):
        with contextlib.suppress(sqlite3.IntegrityError):
            fresh.conn.execute(f"INSERT INTO matched_key ({columns}) VALUES (?,?,?,?,?,?,?,?)", row)  # noqa: S608


def _salvage_state(connection: sqlite3.Connection, fresh: Database) -> bool:
    for name, value in _rows(connection, "state", "name, value"):
        # Documents of the server are fetched again.
        if not isinstance(name, str) or name in _NOT_KEPT or name.startswith(_DOCUMENT):
            continue
        with contextlib.suppress(ValueError, TypeError, sqlite3.IntegrityError):
            json.loads(value)
            fresh.conn.execute("INSERT INTO state VALUES (?, ?)", [name, value])
    return MEMBERSHIP.get(fresh) is not None
