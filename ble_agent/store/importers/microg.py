"""Log of microG (``exposure.db``), which serves the protocol on phones without Google.

A row is one identifier: when it was first heard, for how long, and its mean signal strength. microG
scans every 3 minutes, so the row is read as one sighting per scan, all of the same strength. The
time near the identifier is right to within half a scan, and a row that has grown since an earlier
import adds only what is new.
Source: microG GmsCore, ``ExposureDatabase.kt`` and ``Constants.kt``, version 12 of the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ble_agent.store.importers.source import Refusal, Tally
from ble_agent.store.importers.sqlite_source import DatabaseSource
from tracing_core.errors import InvalidValue
from tracing_core.protocol.associated_encrypted_metadata import AEM_LENGTH
from tracing_core.protocol.rolling_proximity_identifier import RPI_LENGTH
from tracing_core.store.sighting import Sighting
from tracing_core.store.sqlite import database_errors

__all__ = ["MICROG_COLUMNS", "MICROG_TABLE", "MicroG"]

MICROG_TABLE = "advertisements"
"""The table of received identifiers, the only one that is read."""

MICROG_COLUMNS = frozenset({"rpi", "aem", "timestamp", "rssi", "duration"})
"""Its columns."""

_QUERY = f"SELECT rpi, aem, timestamp, rssi, duration FROM {MICROG_TABLE} ORDER BY rowid"  # noqa: S608
_SCAN_SECONDS = 180  # SCANNING_INTERVAL
_LONGEST_MS = 3_600_000  # ALLOWED_KEY_OFFSET_MS: later packets make a new row
# microG's own migrations put these values where early versions were wrong.
_WEAKEST_DBM, _IN_PLACE_OF_WEAKER = -127, -100
_IN_PLACE_OF_ZERO = -75
_STRONGEST_DBM = 126


class MicroG(DatabaseSource):
    """microG's database."""

    name = "microg"
    title = "microG"

    def sightings(self, tally: Tally) -> Iterator[Sighting]:
        """Yield the sightings in the order of their rows."""
        with database_errors(self._path):
            for row in self._connection.execute(_QUERY):
                tally.read += 1
                scans = _scans(*row)
                if isinstance(scans, Refusal):
                    tally.refuse(scans)
                else:
                    yield from scans


def _scans(
    rpi: Any, aem: Any, timestamp: Any, rssi: Any, duration: Any
) -> list[Sighting] | Refusal:
    if not isinstance(rpi, bytes) or len(rpi) != RPI_LENGTH:
        return Refusal.IDENTIFIER
    if not isinstance(aem, bytes) or len(aem) != AEM_LENGTH:
        return Refusal.METADATA
    if not isinstance(duration, int) or not 0 <= duration <= _LONGEST_MS:
        return Refusal.DURATION
    if not isinstance(rssi, int) or rssi > _STRONGEST_DBM:
        return Refusal.SIGNAL_STRENGTH
    if not isinstance(timestamp, int):
        return Refusal.TIME
    if rssi < _WEAKEST_DBM:
        rssi = _IN_PLACE_OF_WEAKER
    elif rssi == 0 and duration > 0:
        rssi = _IN_PLACE_OF_ZERO
    first = timestamp // 1000
    count = 1 + round(duration / 1000 / _SCAN_SECONDS)
    moments = [first + _SCAN_SECONDS * number for number in range(count)]
    try:
        return [
            Sighting(rpi, aem, (rssi,), moment, previous)
            for previous, moment in zip([None, *moments], moments, strict=False)
        ]
    except InvalidValue:
        return Refusal.TIME
