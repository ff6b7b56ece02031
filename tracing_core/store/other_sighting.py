"""Sightings of other protocols, which earlier apps recorded: in a SQLite table or as JSON Lines."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracing_core.errors import InvalidValue
from tracing_core.protocol.others import OTHER_PROTOCOLS
from tracing_core.protocol.signal_strength import STRONGEST_DBM, WEAKEST_DBM
from tracing_core.store.database import Database
from tracing_core.store.field_values import (
    LATEST_MOMENT,
    hex_bytes,
    moment,
    optional_moment,
    sample,
    whole,
)
from tracing_core.store.json_lines import ObjectReader, read_objects, write_objects
from tracing_core.store.left_out import LeftOut, skip_row
from tracing_core.store.sqlite import database_errors, path_of

__all__ = [
    "STRONGEST_POWER_DBM",
    "WEAKEST_POWER_DBM",
    "OtherSighting",
    "count_other_sightings",
    "has_other_sightings",
    "insert_other_sightings",
    "other_json_line",
    "other_sighting_of_row",
    "read_other_lines",
    "select_other_sightings",
    "write_other_lines",
]

WEAKEST_POWER_DBM = -127
"""The lowest transmit power that an advertisement can state."""

STRONGEST_POWER_DBM = 126
"""The highest transmit power that an advertisement can state; 127 stands for none."""

_COLUMNS = "protocol, identifier, rssi_dbm, tx_power, seen_at, previous_scan_at"
_REQUIRED = ("protocol", "identifier", "seen_at")
_OPTIONAL = ("rssi_dbm", "tx_power", "previous_scan_at")


@dataclass(frozen=True, slots=True)
class OtherSighting:
    """An identifier of another protocol, heard once.

    Raises
    ------
    InvalidValue
        When a value lies outside the protocol.
    """

    protocol: str
    """Name of the protocol, of `OTHER_PROTOCOLS`."""
    identifier: bytes = field(repr=False)
    """The identifier, as long as the protocol has it."""
    rssi_dbm: int | None
    """Signal strength, −127 to −1 dBm; None if unknown."""
    tx_power: int | None
    """Transmit power that the sender stated, −127 to 126 dBm; None if unknown."""
    seen_at: int = field(repr=False)
    """When it was heard (UTC Unix seconds)."""
    previous_scan_at: int | None = field(default=None, repr=False)
    """When the device had listened before that (UTC Unix seconds); None if unknown."""

    def __post_init__(self) -> None:
        known = OTHER_PROTOCOLS.get(self.protocol)
        if known is None:
            raise InvalidValue(f"protocol must be one of {', '.join(OTHER_PROTOCOLS)}")
        if len(self.identifier) != known.identifier_length:
            raise InvalidValue(f"identifier must be {known.identifier_length} bytes")
        _check_within("rssi_dbm", self.rssi_dbm, WEAKEST_DBM, STRONGEST_DBM)
        _check_within("tx_power", self.tx_power, WEAKEST_POWER_DBM, STRONGEST_POWER_DBM)
        for name in ("seen_at", "previous_scan_at"):
            at = getattr(self, name)
            if at is not None and not 0 <= at < LATEST_MOMENT:
                raise InvalidValue(f"{name} must be UTC Unix seconds")


def _check_within(name: str, value: int | None, least: int, most: int) -> None:
    if value is not None and not least <= value <= most:
        raise InvalidValue(f"{name} must be {least} to {most}")


def has_other_sightings(db: Database) -> bool:
    """Return whether a database has the table; older versions of truyvet did not make it."""
    found = db.conn.execute("SELECT 1 FROM pragma_table_info('other_sighting')").fetchone()
    return found is not None


def count_other_sightings(db: Database) -> dict[str, int]:
    """Return the number of sightings of each other protocol, by its name; none without a table."""
    if not has_other_sightings(db):
        return {}
    query = "SELECT protocol, count(*) FROM other_sighting GROUP BY protocol ORDER BY protocol"
    return dict(db.conn.execute(query))


def insert_other_sightings(
    db: Database, sightings: Iterable[OtherSighting], source: int | None
) -> None:
    """Add sightings to an agent's table, inside the caller's transaction.

    Parameters
    ----------
    db
        The database.
    sightings
        The sightings.
    source
        Number of the import that they come from; None if it is no longer known.
    """
    db.conn.executemany(
        f"INSERT INTO other_sighting ({_COLUMNS}, import) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (
            (
                each.protocol,
                each.identifier,
                each.rssi_dbm,
                each.tx_power,
                each.seen_at,
                each.previous_scan_at,
                source,
            )
            for each in sightings
        ),
    )


def other_sighting_of_row(
    protocol: Any, identifier: Any, rssi: Any, tx_power: Any, seen_at: Any, previous: Any
) -> OtherSighting:
    """Make a sighting from a row; our table is strict, but a log may come from elsewhere.

    Raises
    ------
    InvalidValue
        When the row lies outside the protocol.
    """
    if not isinstance(protocol, str) or not isinstance(identifier, bytes):
        raise InvalidValue("protocol must be a text and identifier a blob")
    return OtherSighting(
        protocol,
        identifier,
        None if rssi is None else whole("rssi_dbm", rssi),
        None if tx_power is None else whole("tx_power", tx_power),
        moment("seen_at", seen_at),
        optional_moment("previous_scan_at", previous),
    )


def select_other_sightings(
    db: Database, left_out: LeftOut | None = None, *, protocol: str | None = None
) -> Iterator[OtherSighting]:
    """Read the sightings of other protocols in the order they were written; none without a table.

    Parameters
    ----------
    db
        The database of an agent.
    left_out
        Counts the rows that cannot be read; None to raise an error at the first.
    protocol
        Only the sightings of this protocol; None for those of all.

    Raises
    ------
    InvalidLog
        When a row lies outside its protocol. If such rows are counted, only at the end, and only if
        no row could be read.
    StoreError
        When the database is damaged.
    """
    path = path_of(db)
    read = 0
    with database_errors(path):
        if not has_other_sightings(db):
            return
        query = f"SELECT rowid, {_COLUMNS} FROM other_sighting WHERE ?1 IS NULL OR protocol = ?1"  # noqa: S608
        with contextlib.closing(db.conn.execute(f"{query} ORDER BY rowid", [protocol])) as rows:
            for number, *row in rows:
                try:
                    sighting = other_sighting_of_row(*row)
                except InvalidValue as error:
                    skip_row(left_out, number, path, error)
                    continue
                read += 1
                yield sighting
    if left_out is not None:
        left_out.check(read)


def _from_json(fields: Any) -> OtherSighting:
    if not isinstance(fields, dict):
        raise InvalidValue("a line must be a JSON object")
    for name in _REQUIRED:
        if name not in fields:
            raise InvalidValue(f"{name} is missing")
    for name in fields:
        if name not in _REQUIRED and name not in _OPTIONAL:
            raise InvalidValue(f"{name!r:.40} is not a field of a sighting of another protocol")
    name = fields["protocol"]
    known = OTHER_PROTOCOLS.get(name) if isinstance(name, str) else None
    if known is None:
        raise InvalidValue(f"protocol must be one of {', '.join(OTHER_PROTOCOLS)}")
    strength, power = sample(fields.get("rssi_dbm")), fields.get("tx_power")
    return OtherSighting(
        known.name,
        hex_bytes("identifier", fields["identifier"], known.identifier_length),
        strength if WEAKEST_DBM <= strength <= STRONGEST_DBM else None,
        None if power is None else whole("tx_power", power),
        moment("seen_at", fields["seen_at"]),
        optional_moment("previous_scan_at", fields.get("previous_scan_at")),
    )


def other_json_line(sighting: OtherSighting) -> str:
    """Return the line of a JSON Lines log, without its end."""
    fields = {
        "protocol": sighting.protocol,
        "identifier": sighting.identifier.hex(),
        "rssi_dbm": sighting.rssi_dbm,
        "tx_power": sighting.tx_power,
        "seen_at": sighting.seen_at,
        "previous_scan_at": sighting.previous_scan_at,
    }
    return json.dumps(fields, separators=(",", ":"))


def read_other_lines(path: Path, left_out: LeftOut | None = None) -> Iterator[OtherSighting]:
    """Read sightings of other protocols from a file of one JSON object per line, gzipped or not.

    Parameters
    ----------
    path
        The file.
    left_out
        Counts the lines that cannot be read; None to raise an error at the first.

    Raises
    ------
    InvalidLog
        At the first line that cannot be read, with its number. If such lines are counted, only at
        the end, and only if no line could be read.
    StoreError
        When the file cannot be read.
    """
    reader = ObjectReader(path, left_out, _from_json, lambda *_: None)
    yield from read_objects(path, reader, left_out)


def write_other_lines(
    path: Path, sightings: Iterable[OtherSighting], *, overwrite: bool = True
) -> int:
    """Write sightings as `write_objects` does, and return how many were written."""
    return write_objects(path, map(other_json_line, sightings), overwrite=overwrite)
