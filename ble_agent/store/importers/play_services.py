"""Log of Google Play Services, a LevelDB folder (``app_contact-tracing-contact-record-db``).

A key is a UTC day and an identifier, its value the scans of that day that heard it. Newer versions
keep every sample of a scan, and the metadata once. Older ones keep one record per packet, and these
are joined into scans, as newer versions do themselves. Source: Google's
exposure-notifications-internals, ``contact_record.proto`` and ``ContactRecordDataStore.java``.
"""

from __future__ import annotations

import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ble_agent.store.importers.cursor import Cursor
from ble_agent.store.importers.leveldb import read_leveldb
from ble_agent.store.importers.source import Refusal, Tally
from tracing_core.errors import InvalidLog, LogFault
from tracing_core.protocol.associated_encrypted_metadata import AEM_LENGTH
from tracing_core.protocol.rolling_proximity_identifier import RPI_LENGTH
from tracing_core.store.sighting import Sighting

__all__ = ["PlayServices"]

_DAY_LENGTH = 2
_SCAN_SECONDS = 25.5  # 1.5 × (4 s of scan + 13 s of extension)
_UNKNOWN_RSSI = 127
# Far more than 20 minutes near one identifier bring. A hostile value would fill the memory.
_MOST_RECORDS = 50_000
_MOST_SAMPLES = 4_096


@dataclass
class _Record:
    """One ``SightingRecord``; 0 and empty stand for what is missing."""

    seen_at: int = 0
    previous_scan_at: int = 0
    rssi_dbm: list[int] = field(default_factory=list)
    aem: bytes = b""
    aems: list[bytes] = field(default_factory=list)


class PlayServices:
    """A copied folder of Google Play Services."""

    name = "play-services"
    title = "Google Play Services"
    is_one_per_moment = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def sightings(self, tally: Tally) -> Iterator[Sighting]:
        """Yield the sightings by day and identifier."""
        entries = wrong = 0
        for key, value in read_leveldb(self._folder):
            entries += 1
            rpi = key[_DAY_LENGTH:]
            if len(rpi) != RPI_LENGTH:
                wrong += 1
                tally.read += 1
                tally.refuse(Refusal.IDENTIFIER)
                continue
            try:
                records = _parse(value)
            except ValueError:
                tally.read += 1
                tally.refuse(Refusal.ENCODING)
                continue
            tally.read += len(records)
            for record in _scans(records):
                yield from _sightings(rpi, record, tally)
        if entries and wrong == entries:
            text = f"{self._folder} is a LevelDB folder, but not a log that truyvet can import"
            raise InvalidLog(text, LogFault.UNKNOWN, path=self._folder)


def _parse(value: bytes) -> list[_Record]:
    records: list[_Record] = []
    aem = b""
    for number, part in _fields(value):
        if number == 1 and isinstance(part, bytes):
            if len(records) == _MOST_RECORDS:
                raise ValueError(f"more than {_MOST_RECORDS} records for one identifier")
            records.append(_record(part))
        elif number == 2 and isinstance(part, bytes):
            aem = part
    for record in records:
        record.aem = record.aem or aem
    return records


def _record(value: bytes) -> _Record:
    record = _Record()
    single: int | None = None
    for number, part in _fields(value):
        if isinstance(part, bytes):
            if number == 2:
                record.rssi_dbm = list(array.array("b", part[:_MOST_SAMPLES]))
            elif number == 4:
                record.aem = part
            elif number == 6 and len(record.aems) < _MOST_SAMPLES:
                record.aems.append(part)
        elif number == 1:
            record.seen_at = part & 0xFFFF_FFFF
        elif number == 3:
            single = (part & 0xFFFF_FFFF ^ 1 << 31) - (1 << 31)
        elif number == 5:
            record.previous_scan_at = part & 0xFFFF_FFFF
    if not record.rssi_dbm and single is not None:
        record.rssi_dbm = [single]
    return record


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of a protobuf message, unknown ones too."""
    cursor = Cursor(message)
    while cursor:
        tag = cursor.varint()
        kind = tag & 7
        if kind == 0:
            yield tag >> 3, cursor.varint()
        elif kind == 1:
            yield tag >> 3, cursor.take(8)
        elif kind == 2:
            yield tag >> 3, cursor.lump()
        elif kind == 5:
            yield tag >> 3, cursor.take(4)
        else:
            raise ValueError("groups are not used")


def _scans(records: list[_Record]) -> list[_Record]:
    """Join the packets of each scan that have records of their own."""
    scans: list[_Record] = []
    for record in records:
        last = scans[-1] if scans else None
        if (
            last is not None
            and not (last.aems or record.aems)
            and last.aem == record.aem
            and 0 <= record.seen_at - last.seen_at <= _SCAN_SECONDS
        ):
            last.rssi_dbm += record.rssi_dbm[: _MOST_SAMPLES - len(last.rssi_dbm)]
        else:
            scans.append(record)
    return scans


def _sightings(rpi: bytes, record: _Record, tally: Tally) -> Iterator[Sighting]:
    by_aem: dict[bytes, list[int]] = {}
    if record.aems and len(record.aems) != len(record.rssi_dbm):
        tally.refuse(Refusal.METADATA)
        return
    for position, rssi in enumerate(record.rssi_dbm):
        aem = record.aems[position] if record.aems else record.aem
        if -127 <= rssi < _UNKNOWN_RSSI:
            by_aem.setdefault(aem, []).append(rssi)
    if not by_aem:
        tally.refuse(Refusal.SIGNAL_STRENGTH)
    elif any(len(aem) != AEM_LENGTH for aem in by_aem):
        tally.refuse(Refusal.METADATA)
    elif not record.seen_at:
        tally.refuse(Refusal.TIME)
    else:
        for aem, samples in by_aem.items():
            yield Sighting(
                rpi, aem, tuple(samples), record.seen_at, record.previous_scan_at or None
            )
