"""Sightings, one per identifier and scan, in a SQLite table or as JSON Lines."""

from __future__ import annotations

import array
import contextlib
import gzip
import io
import json
import os
import secrets
import zlib
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracing_core.errors import InvalidLog, InvalidValue, LogFault
from tracing_core.protocol.associated_encrypted_metadata import AEM_LENGTH
from tracing_core.protocol.rolling_proximity_identifier import RPI_LENGTH
from tracing_core.store.database import Database
from tracing_core.store.files import file_errors, move_to_new, refuse_existing
from tracing_core.store.migrations import Migrations
from tracing_core.store.sqlite import database_errors, path_of

__all__ = [
    "LONGEST_LINE",
    "SIGHTING_TABLE",
    "Sighting",
    "insert_sightings",
    "read_json_lines",
    "select_sightings",
    "sighting_of_row",
    "write_json_lines",
]

LONGEST_LINE = 1 << 20
"""The most bytes that a line of a log may have."""

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
    """Every sample of the scan, one or more, −127 to 126 dBm each."""
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
        if not all(-127 <= sample <= 126 for sample in self.rssi_dbm):
            raise InvalidValue("rssi_dbm must be -127 to 126")
        for name in ("seen_at", "previous_scan_at"):
            moment = getattr(self, name)
            if moment is not None and not 0 <= moment < _LATEST:
                raise InvalidValue(f"{name} must be UTC Unix seconds")


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


def insert_sightings(db: Database, sightings: Iterable[Sighting]) -> None:
    """Add sightings to the log, inside the caller's transaction."""
    db.conn.executemany(
        "INSERT INTO sighting (rpi, aem, rssi_dbm, seen_at, previous_scan_at, clock_suspect)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            (
                sighting.rpi,
                sighting.aem,
                array.array("b", sighting.rssi_dbm).tobytes(),
                sighting.seen_at,
                sighting.previous_scan_at,
                sighting.clock_suspect,
            )
            for sighting in sightings
        ),
    )


def select_sightings(db: Database) -> Iterator[Sighting]:
    """Read the log in the order it was written.

    Raises
    ------
    InvalidLog
        When a row lies outside the protocol.
    StoreError
        When the database is damaged.
    """
    rows = _rows(
        db,
        "SELECT id, rpi, aem, rssi_dbm, seen_at, previous_scan_at, clock_suspect"
        " FROM sighting ORDER BY id",
    )
    # Closed here, since the caller may close the database before the generator is collected.
    with contextlib.closing(rows):
        for number, *columns in rows:
            try:
                yield sighting_of_row(*columns)
            except InvalidValue as error:
                text = f"row {number} of the log: {error}"
                path = path_of(db)
                raise InvalidLog(text, LogFault.LINE, path=path, line=number) from error


def _rows(db: Database, query: str) -> Generator[tuple[Any, ...]]:
    with database_errors(path_of(db)):
        yield from db.conn.execute(query)


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
        _integer("seen_at", seen_at),
        None if previous is None else _integer("previous_scan_at", previous),
        bool(clock_suspect),
    )


def _integer(name: str, value: Any) -> int:
    if type(value) is not int:
        raise InvalidValue(f"{name} must be an integer")
    return value


def _hex(name: str, value: Any, length: int) -> bytes:
    if isinstance(value, str) and len(value) == 2 * length and value.isalnum():
        with contextlib.suppress(ValueError):
            return bytes.fromhex(value)
    raise InvalidValue(f"{name} must be {2 * length} hex digits")


def _from_json(fields: Any) -> Sighting:
    if not isinstance(fields, dict):
        raise InvalidValue("a line must be a JSON object")
    for name in _REQUIRED:
        if name not in fields:
            raise InvalidValue(f"{name} is missing")
    for name in fields:
        if name not in _REQUIRED and name not in _OPTIONAL:
            raise InvalidValue(f"{name!r:.40} is not a field of a sighting")
    rssi = fields["rssi_dbm"]
    samples = rssi if isinstance(rssi, list) else [rssi]
    previous = fields.get("previous_scan_at")
    suspect = fields.get("clock_suspect", False)
    if not isinstance(suspect, bool):
        raise InvalidValue("clock_suspect must be true or false")
    return Sighting(
        rpi=_hex("rpi", fields["rpi"], RPI_LENGTH),
        aem=_hex("aem", fields["aem"], AEM_LENGTH),
        rssi_dbm=tuple(_integer("rssi_dbm", sample) for sample in samples),
        seen_at=_integer("seen_at", fields["seen_at"]),
        previous_scan_at=None if previous is None else _integer("previous_scan_at", previous),
        clock_suspect=suspect,
    )


def _to_json(sighting: Sighting) -> str:
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


def read_json_lines(path: Path) -> Iterator[Sighting]:
    """Read a log of one JSON object per line, gzipped or not, in bounded memory.

    Raises
    ------
    InvalidLog
        At the first line that cannot be read, with its number.
    StoreError
        When the file cannot be read.
    """
    with file_errors(path), path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        lines: io.BufferedIOBase = gzip.GzipFile(fileobj=raw) if zipped else raw
        number = 0
        while True:
            number += 1
            try:
                line = lines.readline(LONGEST_LINE + 1)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                text = f"{path} is damaged after line {number - 1}: {error}"
                raise InvalidLog(text, LogFault.DAMAGED, path=path) from error
            if not line:
                return
            if len(line) > LONGEST_LINE:
                text = f"{path}, line {number}: longer than {LONGEST_LINE} bytes"
                raise InvalidLog(text, LogFault.LINE, path=path, line=number)
            if line.isspace():
                continue
            try:
                yield _from_json(json.loads(line))
            except (ValueError, RecursionError) as error:
                reason = error if isinstance(error, InvalidValue) else "not JSON"
                text = f"{path}, line {number}: {reason}"
                raise InvalidLog(text, LogFault.LINE, path=path, line=number) from error


def write_json_lines(path: Path, sightings: Iterable[Sighting], *, overwrite: bool = True) -> int:
    """Write a log, gzipped if the name ends in ``.gz``; the file appears whole or not at all.

    Parameters
    ----------
    path
        The file.
    sightings
        The log.
    overwrite
        Whether to replace a file of that name.

    Returns
    -------
    int
        How many sightings were written.

    Raises
    ------
    FileIsThere
        When there is such a file and `overwrite` is False.
    StoreError
        When the file cannot be written.
    """
    if not overwrite:
        refuse_existing(path)
    count = 0
    # A file that another program or user has there is neither written into nor deleted.
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    with file_errors(path):
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as raw:
                # With a fixed mtime the same log gives the same bytes.
                zipped = path.suffix == ".gz"
                with (
                    gzip.GzipFile(fileobj=raw, mode="wb", mtime=0)
                    if zipped
                    else contextlib.nullcontext(raw)
                ) as out:
                    for sighting in sightings:
                        out.write(_to_json(sighting).encode() + b"\n")
                        count += 1
                raw.flush()
                os.fsync(raw.fileno())
            if overwrite:
                partial.replace(path)
            else:
                move_to_new(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    return count
