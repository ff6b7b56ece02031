"""Sightings, one per identifier and scan, in a SQLite table or as JSON Lines."""

from __future__ import annotations

import array
import contextlib
import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracing_core.errors import InvalidValue
from tracing_core.protocol.associated_encrypted_metadata import AEM_LENGTH
from tracing_core.protocol.rolling_proximity_identifier import RPI_LENGTH
from tracing_core.protocol.signal_strength import measured_samples
from tracing_core.store.database import Database
from tracing_core.store.field_values import (
    LATEST_MOMENT,
    flag,
    hex_bytes,
    moment,
    optional_moment,
    sample,
)
from tracing_core.store.json_lines import ObjectReader, read_objects, write_objects
from tracing_core.store.left_out import LeftOut, skip_row
from tracing_core.store.migrations import Migrations, check_room, rebuild_tables
from tracing_core.store.sqlite import database_errors, path_of

__all__ = [
    "MOST_SAMPLES",
    "SIGHTING_TABLE",
    "LineReader",
    "Sighting",
    "insert_sightings",
    "json_line",
    "note_strength",
    "read_json_lines",
    "read_row",
    "select_sightings",
    "sighting_of_row",
    "write_json_lines",
]

MOST_SAMPLES = 1 << 16
"""Number of samples that one scan can have: as many as a radio could count in its minutes."""

# The protocol's last interval. Readers of logs stop earlier (`LATEST_MOMENT`).
_LATEST = 2**32 * 600
_REQUIRED = ("rpi", "aem", "rssi_dbm", "seen_at")
_OPTIONAL = ("previous_scan_at", "clock_suspect")


@dataclass(frozen=True, slots=True)
class Sighting:
    """An identifier heard in one scan.

    Raises
    ------
    InvalidValue
        When a value lies outside the protocol.
    """

    rpi: bytes = field(repr=False)
    """Rolling Proximity Identifier, 16 bytes."""
    aem: bytes = field(repr=False)
    """Associated Encrypted Metadata, 4 bytes."""
    rssi_dbm: tuple[int, ...]
    """Every sample of the scan, one or more. −127 to −1 dBm are measured strengths; any other value
    of a signed byte says that the strength is unknown."""
    seen_at: int = field(repr=False)
    """When the first sample was heard (UTC Unix seconds)."""
    previous_scan_at: int | None = field(default=None, repr=False)
    """When this device's previous scan was (UTC Unix seconds); None if unknown."""
    clock_suspect: bool = False
    """Whether the device's clock had jumped back; such a sighting never matches."""

    def __post_init__(self) -> None:
        if len(self.rpi) != RPI_LENGTH:
            raise InvalidValue(f"rpi must be {RPI_LENGTH} bytes, not {len(self.rpi)}")
        if len(self.aem) != AEM_LENGTH:
            raise InvalidValue(f"aem must be {AEM_LENGTH} bytes, not {len(self.aem)}")
        if not self.rssi_dbm:
            raise InvalidValue("rssi_dbm must have at least one sample")
        if len(self.rssi_dbm) > MOST_SAMPLES:
            raise InvalidValue(f"rssi_dbm must have at most {MOST_SAMPLES:,} samples")
        if not all(-128 <= value <= 127 for value in self.rssi_dbm):
            raise InvalidValue("rssi_dbm must be -128 to 127")
        for name in ("seen_at", "previous_scan_at"):
            moment = getattr(self, name)
            if moment is not None and not 0 <= moment < _LATEST:
                raise InvalidValue(f"{name} must be UTC Unix seconds")

    @property
    def is_measured(self) -> bool:
        """Whether the strength of any sample is known."""
        return bool(measured_samples(self.rssi_dbm))


def note_strength(left_out: LeftOut, sighting: Sighting, place: str) -> None:
    """Count a sighting whose strength is unknown, unless its clock was suspect."""
    if not sighting.clock_suspect and not sighting.is_measured:
        left_out.note_unmeasured(1, place)


SIGHTING_TABLE = Migrations("sighting")
"""The encounter log's table, for `tracing_core.store.sqlite.open_database`."""


@SIGHTING_TABLE()
def m001_sighting(db: Database) -> None:
    """Create the table, and the index that finds old rows to remove."""
    db.execute(
        "CREATE TABLE sighting ("
        " id INTEGER PRIMARY KEY,"
        " rpi BLOB NOT NULL CHECK (length(rpi) = 16),"
        " aem BLOB NOT NULL CHECK (length(aem) = 4),"
        " rssi_dbm BLOB NOT NULL CHECK (length(rssi_dbm) > 0),"  # one signed byte per sample
        " seen_at INTEGER NOT NULL,"
        " previous_scan_at INTEGER,"
        " clock_suspect INTEGER NOT NULL DEFAULT 0"
        ") STRICT"
    )
    db.execute("CREATE INDEX sighting_seen_at ON sighting (seen_at)")


@SIGHTING_TABLE()
def m002_ranges(db: Database) -> None:
    """Let the table take nothing that no sighting has, and make one for the rows that had more."""
    check_room(db)
    # The agent dates a row when it first looks for old ones: a migration knows no clock.
    db.execute(
        "CREATE TABLE kept_row ("
        " id INTEGER PRIMARY KEY,"
        " source TEXT NOT NULL CHECK"
        " (length(source) BETWEEN 1 AND 32 AND source NOT GLOB '*[^a-z_]*'),"
        " kept_at INTEGER NOT NULL CHECK (kept_at BETWEEN 0 AND 2576980377599),"
        " content BLOB NOT NULL CHECK (length(content) > 1)"
        ") STRICT"
    )
    # The agent may have added the column before this step was written.
    has_import = db.execute(
        "SELECT 1 FROM pragma_table_info('sighting') WHERE name = 'import'"
    ).fetchone()
    added = ", import INTEGER REFERENCES import ON DELETE SET NULL" if has_import else ""
    rebuild_tables(
        db,
        {
            "sighting": "CREATE TABLE sighting ("
            " id INTEGER PRIMARY KEY,"
            " rpi BLOB NOT NULL CHECK (length(rpi) = 16),"
            " aem BLOB NOT NULL CHECK (length(aem) = 4),"
            " rssi_dbm BLOB NOT NULL CHECK (length(rssi_dbm) BETWEEN 1 AND 65536),"
            " seen_at INTEGER NOT NULL CHECK (seen_at BETWEEN 0 AND 2576980377599),"
            " previous_scan_at INTEGER CHECK (previous_scan_at BETWEEN 0 AND 2576980377599),"
            " clock_suspect INTEGER NOT NULL DEFAULT 0 CHECK (clock_suspect IN (0, 1))"
            f"{added}) STRICT"
        },
    )


def insert_sightings(
    db: Database, sightings: Iterable[Sighting], source: int | None = None
) -> None:
    """Add sightings to the log, inside the caller's transaction.

    Parameters
    ----------
    db
        The database.
    sightings
        The sightings.
    source
        Number of the import that they come from, in an agent's database; None for what the device
        itself heard.
    """
    more = "" if source is None else ", import"
    db.conn.executemany(
        "INSERT INTO sighting (rpi, aem, rssi_dbm, seen_at, previous_scan_at, clock_suspect"  # noqa: S608
        f"{more}) VALUES (?, ?, ?, ?, ?, ?{more and ', ?'})",
        (
            (
                sighting.rpi,
                sighting.aem,
                array.array("b", sighting.rssi_dbm).tobytes(),
                sighting.seen_at,
                sighting.previous_scan_at,
                sighting.clock_suspect,
                *([] if source is None else [source]),
            )
            for sighting in sightings
        ),
    )


# What `sighting_of_row` refuses, as far as the table's types allow it.
_IS_OUTSIDE = (
    f"seen_at NOT BETWEEN 0 AND {LATEST_MOMENT - 1}"
    f" OR previous_scan_at NOT BETWEEN 0 AND {LATEST_MOMENT - 1}"
    f" OR length(rpi) <> {RPI_LENGTH} OR length(aem) <> {AEM_LENGTH} OR length(rssi_dbm) = 0"
)
_SELECT = "SELECT id, rpi, aem, rssi_dbm, seen_at, previous_scan_at, clock_suspect FROM sighting"


def select_sightings(
    db: Database, left_out: LeftOut | None = None, rpis: Sequence[bytes] | None = None
) -> Iterator[Sighting]:
    """Read the log in the order it was written.

    Parameters
    ----------
    db
        The database.
    left_out
        Counts the rows that lie outside the protocol; None to raise an error at the first.
    rpis
        The identifiers whose rows are read, at most 30,000; None for all rows. Rows outside the
        protocol are found whatever their identifier.

    Raises
    ------
    InvalidLog
        When a row lies outside the protocol. If such rows are counted, only at the end, and only if
        no row could be read.
    StoreError
        When the database is damaged.
    """
    chosen = ""
    if rpis is not None:
        chosen = f" WHERE rpi IN ({', '.join('?' * len(rpis))}) OR {_IS_OUTSIDE}"
    rows = _rows(db, f"{_SELECT}{chosen} ORDER BY id", rpis or ())
    read, path = 0, path_of(db)
    # Closed here, since the caller may close the database before the generator is collected.
    with contextlib.closing(rows):
        for row in rows:
            sighting = read_row(row, path, left_out)
            if sighting is not None:
                read += 1
                yield sighting
    if left_out is not None:
        left_out.check(read)


def read_row(row: tuple[Any, ...], path: str, left_out: LeftOut | None) -> Sighting | None:
    """Make a sighting from a row that begins with its number; None if it is left out.

    Raises
    ------
    InvalidLog
        When the row lies outside the protocol, unless such rows are counted.
    """
    number, *columns = row
    try:
        sighting = sighting_of_row(*columns)
    except InvalidValue as error:
        skip_row(left_out, number, path, error)
        return None
    if left_out is not None:
        note_strength(left_out, sighting, f"row {number}")
    return sighting


def _rows(db: Database, query: str, values: Sequence[bytes]) -> Generator[tuple[Any, ...]]:
    with database_errors(path_of(db)):
        yield from db.conn.execute(query, values)


def sighting_of_row(
    rpi: Any, aem: Any, rssi_dbm: Any, seen_at: Any, previous: Any, clock_suspect: Any
) -> Sighting:
    """Make a sighting from a row; our table is strict, but a log may come from elsewhere.

    Raises
    ------
    InvalidValue
        When the row lies outside the protocol.
    """
    if not type(rpi) is type(aem) is type(rssi_dbm) is bytes:
        raise InvalidValue("rpi, aem and rssi_dbm must be blobs")
    return Sighting(
        rpi,
        aem,
        tuple(array.array("b", rssi_dbm)),
        moment("seen_at", seen_at),
        optional_moment("previous_scan_at", previous),
        bool(clock_suspect),
    )


def _from_json(fields: Any) -> Sighting:
    if not isinstance(fields, dict):
        raise InvalidValue("a line must be a JSON object")
    for name in _REQUIRED:
        if name not in fields:
            raise InvalidValue(f"{name} is missing")
    for name in fields:
        if name not in _REQUIRED and name not in _OPTIONAL:
            raise InvalidValue(f"{name!r:.40} is not a field of a sighting")
    rssi, suspect = fields["rssi_dbm"], fields.get("clock_suspect")
    return Sighting(
        rpi=hex_bytes("rpi", fields["rpi"], RPI_LENGTH),
        aem=hex_bytes("aem", fields["aem"], AEM_LENGTH),
        rssi_dbm=tuple(map(sample, rssi if isinstance(rssi, list) else [rssi])),
        seen_at=moment("seen_at", fields["seen_at"]),
        previous_scan_at=optional_moment("previous_scan_at", fields.get("previous_scan_at")),
        clock_suspect=suspect is not None and flag("clock_suspect", suspect),
    )


def json_line(sighting: Sighting) -> str:
    """Return the line of a JSON Lines log, without its end."""
    fields: dict[str, Any] = {
        "rpi": sighting.rpi.hex(),
        "aem": sighting.aem.hex(),
        "rssi_dbm": sighting.rssi_dbm[0] if len(sighting.rssi_dbm) == 1 else sighting.rssi_dbm,
        "seen_at": sighting.seen_at,
    }
    if sighting.previous_scan_at is not None:
        fields["previous_scan_at"] = sighting.previous_scan_at
    if sighting.clock_suspect:
        fields["clock_suspect"] = True
    return json.dumps(fields, separators=(",", ":"))


class LineReader(ObjectReader[Sighting]):
    """Reader of the lines of one log.

    Parameters
    ----------
    path
        The log, for errors.
    left_out
        Counts the lines that cannot be read; None to raise an error at the first.
    """

    def __init__(self, path: Path, left_out: LeftOut | None) -> None:
        super().__init__(path, left_out, _from_json, note_strength)


def read_json_lines(path: Path, left_out: LeftOut | None = None) -> Iterator[Sighting]:
    """Read a log of one JSON object per line, gzipped or not, in bounded memory.

    Parameters
    ----------
    path
        The log.
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
    yield from read_objects(path, LineReader(path, left_out), left_out)


def write_json_lines(path: Path, sightings: Iterable[Sighting], *, overwrite: bool = True) -> int:
    """Write a log as `write_objects` does, and return how many sightings were written."""
    return write_objects(path, map(json_line, sightings), overwrite=overwrite)
