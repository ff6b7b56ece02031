"""Logs of Bluezone 2, the Vietnamese app that became PC-Covid: its database, and its export.

A row of ``trace_info`` is a packet of another phone's Bluezone: the identifier, strength and time,
in milliseconds on Android and in seconds on iOS. Rows of classic Bluetooth have an address in place
of the identifier. The export ``data_trace.txt`` has the same rows as lines: own identifier,
identifier heard, strength and time, with tabs between them.

The app notes no scans. So the minute of the clock before, in which it heard anything, counts as the
previous one, unless it is more than ten minutes back: the app listens every five.
Source: BluezoneGlobal/react-native-bluetooth-scan, ``AppDatabaseHelper`` and ``BluezoneIdTrace``.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ble_agent.store.importers.source import Refusal, Tally
from ble_agent.store.importers.sqlite_source import DatabaseSource, columns_of
from tracing_core.errors import InvalidValue
from tracing_core.protocol.signal_strength import STRONGEST_DBM, WEAKEST_DBM
from tracing_core.store.files import file_errors
from tracing_core.store.other_sighting import (
    STRONGEST_POWER_DBM,
    WEAKEST_POWER_DBM,
    OtherSighting,
)
from tracing_core.store.sqlite import database_errors

__all__ = ["BLUEZONE_COLUMNS", "BLUEZONE_TABLE", "Bluezone", "BluezoneTrace", "is_bluezone_trace"]

BLUEZONE_TABLE = "trace_info"
"""The table of received packets, the only one that is read."""

BLUEZONE_COLUMNS = frozenset({"blid_contact", "timestamp", "rssi"})
"""The columns that version 2 has; a version may lack the others."""

_PROTOCOL = "bluezone"
_IDENTIFIER_BYTES = 12
_FIRST_MS = 100_000_000_000
_LONGEST_GAP_MINUTES = 10
_LONGEST_LINE = 256
_NO_POWER = 0
_LINE = re.compile(rb"([^\t]*)\t([^\t]*)\t(-?[0-9]{1,6})\t([0-9]{1,15})\r?\n?")
_TRACE = re.compile(
    rb"^(?:\xef\xbb\xbf)?[0-9A-Fa-f]{24}\t[0-9A-Fa-f]{24}\t-?[0-9]{1,6}\t[0-9]{1,15}\r?$",
    re.MULTILINE,
)
_DIGITS = re.compile(rb"-?[0-9]{1,15}")


class _Packets:
    """Packets in the order of the log, as sightings."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._minute: int | None = None
        self._before: int | None = None

    def sighting(
        self, identifier: bytes, rssi: int, power: int, moment: int
    ) -> Iterator[OtherSighting]:
        """Yield the sighting of a packet, or count why there is none."""
        seen_at = moment // 1000 if moment >= _FIRST_MS else moment
        is_measured = WEAKEST_DBM <= rssi <= STRONGEST_DBM
        states_power = WEAKEST_POWER_DBM <= power <= STRONGEST_POWER_DBM and power != _NO_POWER
        try:
            sighting = OtherSighting(
                _PROTOCOL,
                identifier,
                rssi if is_measured else None,
                power if states_power else None,
                seen_at,
                self._previous_scan_at(seen_at),
            )
        except InvalidValue:
            self._tally.refuse(Refusal.TIME)
        else:
            yield sighting

    def _previous_scan_at(self, seen_at: int) -> int | None:
        minute = seen_at // 60
        if minute != self._minute:
            last, self._minute, self._before = self._minute, minute, None
            if last is not None and 0 < minute - last <= _LONGEST_GAP_MINUTES:
                self._before = last * 60
        return self._before


class Bluezone(DatabaseSource):
    """Bluezone's database ``app_db_2.db``."""

    name = "bluezone"
    title = "Bluezone"

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        super().__init__(path, connection)
        there = columns_of(connection, BLUEZONE_TABLE)
        power, address = (column if column in there else "NULL" for column in ("tx_power", "macid"))
        self._query = (
            f"SELECT blid_contact, rssi, {power}, timestamp, {address} IS NOT NULL"  # noqa: S608
            f" FROM {BLUEZONE_TABLE} ORDER BY CAST(timestamp AS INTEGER), rowid"
        )

    def sightings(self, tally: Tally) -> Iterator[OtherSighting]:
        """Yield the sightings by time."""
        packets = _Packets(tally)
        with database_errors(self._path):
            for identifier, rssi, power, moment, has_address in self._connection.execute(
                self._query
            ):
                tally.read += 1
                at, strength = _number(moment), _number(rssi)
                if identifier is None and has_address:
                    tally.refuse(Refusal.ADDRESS)
                elif not isinstance(identifier, bytes) or len(identifier) != _IDENTIFIER_BYTES:
                    tally.refuse(Refusal.IDENTIFIER)
                elif strength is None:
                    tally.refuse(Refusal.SIGNAL_STRENGTH)
                elif at is None:
                    tally.refuse(Refusal.TIME)
                else:
                    yield from packets.sighting(identifier, strength, _number(power) or 0, at)


def _number(value: Any) -> int | None:
    # The type of a column is not known for every version.
    if isinstance(value, bytes) and _DIGITS.fullmatch(value):
        return int(value)
    return value if isinstance(value, int) else None


def is_bluezone_trace(beginning: bytes) -> bool:
    """Return whether a file is Bluezone's export, by its first bytes."""
    return _TRACE.search(beginning) is not None


class BluezoneTrace:
    """Bluezone's export ``data_trace.txt``."""

    name = "bluezone-trace"
    title = "Bluezone"
    is_one_per_moment = True

    def __init__(self, path: Path) -> None:
        self._path = path

    def sightings(self, tally: Tally) -> Iterator[OtherSighting]:
        """Yield the sightings in the order of the lines."""
        packets = _Packets(tally)
        with file_errors(self._path), self._path.open("rb") as file:
            while line := file.readline(_LONGEST_LINE):
                if line.isspace():
                    continue
                tally.read += 1
                match = _LINE.fullmatch(line)
                if match is None:
                    tally.refuse(Refusal.ENCODING)
                elif (identifier := _hex(match[2])) is None:
                    tally.refuse(Refusal.IDENTIFIER)
                else:
                    yield from packets.sighting(identifier, int(match[3]), 0, int(match[4]))


def _hex(digits: bytes) -> bytes | None:
    if len(digits) != 2 * _IDENTIFIER_BYTES or not digits.isalnum():
        return None
    try:
        return bytes.fromhex(digits.decode())
    except ValueError:
        return None
