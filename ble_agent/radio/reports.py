"""Advertising reports, read from HCI events as a controller sends them.

Bluetooth Core 5.4, volume 4, part E, 7.7.65.2 (LE Advertising Report) and 7.7.65.13 (LE Extended
Advertising Report). A controller is not trusted: an event may end anywhere, and the parts of a
long advertisement may never be completed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["EVENT_LE_META", "AdvertisingReport", "ReportReader"]

EVENT_LE_META = 0x3E
"""The event code of every Low Energy event."""

_SUBEVENT_REPORT = 0x02
_SUBEVENT_EXTENDED_REPORT = 0x0D
_EXTENDED = struct.Struct("<HB6sBBBbbHB6sB")
_RSSI = struct.Struct("b")
_INCOMPLETE, _TRUNCATED = 1, 2
# Core, volume 6, part B, 2.3.4.9: no chain of extended advertising data is longer.
_LONGEST_DATA = 1650
_MOST_PENDING = 64


class AdvertisingReport(NamedTuple):
    """The advertising data of one packet on the air."""

    data: bytes
    """Advertising data, up to 1650 bytes; possibly malformed."""
    rssi_dbm: int
    """Signal strength from the controller, −128 to 127; 127 means unknown."""


class ReportReader:
    """Reader of events; it remembers only unfinished extended advertisements."""

    def __init__(self) -> None:
        self.damaged = 0
        """Number of events shorter than they announced."""
        self._pending: dict[bytes, bytes] = {}

    @property
    def pending_bytes(self) -> int:
        """Bytes of unfinished advertisements in memory."""
        return sum(map(len, self._pending.values()))

    def read(self, event: bytes) -> Iterator[AdvertisingReport]:
        """Read one event, from its code on; other events yield nothing.

        A damaged event yields the reports before the damage, and is counted.
        """
        if len(event) < 4 or event[0] != EVENT_LE_META:
            return
        end = min(len(event), 2 + event[1])
        if event[2] == _SUBEVENT_REPORT:
            yield from self._read_legacy(event, end)
        elif event[2] == _SUBEVENT_EXTENDED_REPORT:
            yield from self._read_extended(event, end)

    def _read_legacy(self, event: bytes, end: int) -> Iterator[AdvertisingReport]:
        at = 4
        for _ in range(event[3]):
            # Event type, address type and address come before the length of the data.
            start = at + 9
            stop = start + event[at + 8] if start <= end else end
            if stop >= end:
                self.damaged += 1
                return
            yield AdvertisingReport(event[start:stop], _RSSI.unpack_from(event, stop)[0])
            at = stop + 1

    def _read_extended(self, event: bytes, end: int) -> Iterator[AdvertisingReport]:
        at = 4
        for _ in range(event[3]):
            start = at + _EXTENDED.size
            if start > end:
                self.damaged += 1
                return
            fields = _EXTENDED.unpack_from(event, at)
            event_type, rssi_dbm, length = fields[0], fields[7], fields[11]
            at = start + length
            if at > end:
                self.damaged += 1
                return
            # Address type, address and set identifier identify the advertiser.
            advertiser = event[start - 22 : start - 15] + event[start - 13 : start - 12]
            data = self._pending.pop(advertiser, b"") + event[start:at]
            if (event_type >> 5) & 3 == _INCOMPLETE and len(data) <= _LONGEST_DATA:
                self._keep(advertiser, data)
            else:
                yield AdvertisingReport(data[:_LONGEST_DATA], rssi_dbm)

    def _keep(self, advertiser: bytes, data: bytes) -> None:
        if len(self._pending) >= _MOST_PENDING:
            self._pending.pop(next(iter(self._pending)))
        self._pending[advertiser] = data
