"""The Exposure Notification protocol, as slots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.protocol.interval import INTERVAL_SECONDS
from tracing_core.protocol.rolling_proximity_identifier import RPI_LENGTH, derive_rpis
from tracing_core.protocol.slots import HeardBetween, Run, always
from tracing_core.protocol.temporary_exposure_key import derive_rpik

__all__ = ["GAEN", "MAX_SECONDS_HEARD", "TOLERANCE_INTERVALS", "Gaen", "gaen_run"]

TOLERANCE_INTERVALS = 12
"""Intervals that the clocks of sender and receiver may differ by, either way: two hours
(``tkMatchingClockDriftRollingPeriods`` of Google's published internals)."""

MAX_SECONDS_HEARD = 1200
"""Seconds for which an identifier counts after it was first heard: two intervals. A device sends an
identifier for at most 20 minutes, so a later sighting is a replay."""

_INTERVAL_MS = INTERVAL_SECONDS * 1000


def gaen_run(identifiers: Sequence[bytes], first_interval: int) -> Run:
    """Return the slots of consecutive intervals, one per identifier.

    A slot lasts from 12 intervals before its own to the end of the 12th after it.
    """
    return Run(
        identifiers,
        first_ms=(first_interval - TOLERANCE_INTERVALS) * _INTERVAL_MS,
        step_ms=_INTERVAL_MS,
        length_ms=(2 * TOLERANCE_INTERVALS + 1) * _INTERVAL_MS - 1,
    )


class Gaen:
    """The protocol; its metadata states the transmit power."""

    name = "gaen"
    identifier_length = RPI_LENGTH
    max_seconds_heard = MAX_SECONDS_HEARD
    states_power = True

    def runs(self, key: DiagnosisKey, heard_between: HeardBetween = always) -> Iterator[Run]:
        """Derive the slots of a key: one run, a slot per interval of its use."""
        start = key.rolling_start_interval_number
        first = (start - TOLERANCE_INTERVALS) * INTERVAL_SECONDS
        end = (key.end_interval_number + TOLERANCE_INTERVALS) * INTERVAL_SECONDS
        if heard_between(first, end - 1):
            yield gaen_run(derive_rpis(derive_rpik(key.key_data), start, key.rolling_period), start)


GAEN = Gaen()
"""The one instance."""
