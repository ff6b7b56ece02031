"""Log of RaMBLE, a Bluetooth scanner for phones.

Its ``devices`` are addresses, each with the last service data it sent. Its ``locations`` are the
packets, with signal strength and the phone's place. Only packets of the protocol are read, without
address and place. RaMBLE listens all the time, and packets without pauses would count as one scan.
So all packets of one minute of the clock become one sighting at its start. An address that comes up
again keeps its row, so only packets of its last 30 minutes belong to the row's identifier.
Source of the columns: corona-warn-companion-android and diagnosis-keys, which read the same files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby, islice
from typing import Any

from ble_agent.store.importers.source import Refusal, Tally
from ble_agent.store.importers.sqlite_source import DatabaseSource
from tracing_core.errors import InvalidValue
from tracing_core.protocol.rolling_proximity_identifier import RPI_LENGTH
from tracing_core.store.sighting import Sighting
from tracing_core.store.sqlite import database_errors

__all__ = ["RAMBLE_COLUMNS", "Ramble"]

RAMBLE_COLUMNS = {
    "devices": frozenset({"id", "service_data", "first_seen", "last_seen"}),
    "locations": frozenset({"device_id", "timestamp", "rssi"}),
}
"""The tables and columns that are read."""

_SERVICE_DATA = re.compile(rb"fd6f:([0-9a-f]{40})", re.IGNORECASE)
_LONGEST_SECONDS = 1800
_SCAN_SECONDS = 60  # longer than the gap within which the matcher joins sightings to one scan
# After a longer pause, the phone may have stopped listening.
_LONGEST_GAP_SECONDS = 300
_MOST_SAMPLES = 4096
_QUERY = (
    "SELECT device.id, device.service_data, device.first_seen, device.last_seen,"
    " location.timestamp, location.rssi"
    " FROM devices AS device LEFT JOIN locations AS location ON location.device_id = device.id"
    " WHERE device.service_data LIKE 'fd6f:%'"
    " ORDER BY device.id, device.rowid, CAST(location.timestamp AS INTEGER), location.rowid"
)


class Ramble(DatabaseSource):
    """RaMBLE's database."""

    name = "ramble"
    title = "RaMBLE"

    def sightings(self, tally: Tally) -> Iterator[Sighting]:
        """Yield the sightings by device and time."""
        with database_errors(self._path):
            rows = self._connection.execute(_QUERY)
            for (_, service_data, first, last), packets in groupby(rows, key=lambda row: row[:4]):
                sent = _sent(service_data)
                own = _own_packets(sent, _number(first), _number(last), packets, tally)
                yield from _scans(sent, own, tally)


def _sent(service_data: Any) -> bytes:
    match = _SERVICE_DATA.fullmatch(service_data) if isinstance(service_data, bytes) else None
    return bytes.fromhex(match[1].decode()) if match else b""


def _number(value: Any) -> int | None:
    # The type of a column is not known for every version.
    if isinstance(value, bytes) and re.fullmatch(rb"-?\d{1,15}", value):
        return int(value)
    return value if isinstance(value, int) else None


def _own_packets(
    sent: bytes, first: int | None, last: int | None, rows: Iterator[Any], tally: Tally
) -> Iterator[tuple[int, int]]:
    for row in rows:
        tally.read += 1
        moment, rssi = _number(row[4]), _number(row[5])
        if not sent:
            tally.refuse(Refusal.ENCODING)
        elif rssi is None or not -127 <= rssi <= 126:
            tally.refuse(Refusal.SIGNAL_STRENGTH)
        elif moment is None or first is None or last is None or moment > last:
            tally.refuse(Refusal.TIME)
        elif moment < max(first, last - _LONGEST_SECONDS):
            tally.refuse(Refusal.REUSED_ADDRESS)
        else:
            yield moment, rssi


def _scans(sent: bytes, packets: Iterator[tuple[int, int]], tally: Tally) -> Iterator[Sighting]:
    previous: int | None = None
    for scan, heard in groupby(packets, key=lambda packet: packet[0] // _SCAN_SECONDS):
        seen_at = scan * _SCAN_SECONDS
        if previous is not None and seen_at - previous > _LONGEST_GAP_SECONDS:
            previous = None
        samples = tuple(rssi for _, rssi in islice(heard, _MOST_SAMPLES))
        try:
            yield Sighting(sent[:RPI_LENGTH], sent[RPI_LENGTH:], samples, seen_at, previous)
        except InvalidValue:
            tally.refuse(Refusal.TIME)
        previous = seen_at
