"""Received signal strength (RSSI), and which values a receiver measures."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["STRONGEST_DBM", "UNKNOWN_DBM", "WEAKEST_DBM", "measured_samples"]

WEAKEST_DBM = -127
"""The weakest signal that a controller can report."""

STRONGEST_DBM = -1
"""The strongest signal that counts as measured.

Controllers report 127 for an unknown strength (Bluetooth Core 5.4, volume 4, part E, 7.7.65.2), and
hosts report 0 (Bluetooth-Devices/bleak-retry-connector#42, hbldh/bleak#181). A receiver beside a
transmitter of 0 dBm measures −20 dBm or less. So a value from 0 on says nothing about distance.
"""

UNKNOWN_DBM = 127
"""What stands in a log for an unknown strength."""


def measured_samples(samples: Iterable[int]) -> tuple[int, ...]:
    """Return the samples that a receiver measured; the others are unknown.

    >>> measured_samples((-61, 0, 127, -127))
    (-61, -127)
    """
    return tuple(sample for sample in samples if WEAKEST_DBM <= sample <= STRONGEST_DBM)
