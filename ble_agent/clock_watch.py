"""Tells whether the wall clock can be believed: a clock set back lets old identifiers in again."""

from __future__ import annotations

from typing import Any

from tracing_core.clock import Clock

__all__ = ["CLOCK_TOLERANCE_SECONDS", "ClockWatch"]

CLOCK_TOLERANCE_SECONDS = 60.0
"""A clock set back by less is not suspect: corrections by NTP are smaller, and a minute is nothing
beside the two hours that matching allows."""

# A clock that ran far ahead once must not make a device useless for good: after so many scans in a
# row (14 days of them) the clock is believed again, since by then nothing old is left to replay.
_SCANS_UNTIL_BELIEVED = 14 * 86_400 // 300


class ClockWatch:
    """Remembers the latest time ever shown; while the clock shows less, it is suspect.

    Within one process it also sees a jump back that stays later than the last look, by the
    monotonic clock.

    Parameters
    ----------
    clock
        The clock to watch.
    remembered
        What `state` returned in an earlier process; None if there was none.
    """

    def __init__(self, clock: Clock, remembered: Any = None) -> None:
        remembered = remembered or {}
        self._clock = clock
        self._latest = float(remembered.get("latest", 0.0))
        self._suspect_scans = int(remembered.get("suspect_scans", 0))
        self._seen = (clock.now(), clock.monotonic())

    def is_suspect(self) -> bool:
        """Look at the clock, and tell whether it is behind what it once showed."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        expected = self._seen[0] + monotonic - self._seen[1]
        self._seen = (now, monotonic)
        if now < expected - CLOCK_TOLERANCE_SECONDS:
            self._latest = max(self._latest, expected)
        if now < self._latest - CLOCK_TOLERANCE_SECONDS:
            return True
        self._latest = max(self._latest, now)
        return False

    def count_scan(self, suspect: bool) -> None:
        """Note that a scan ended, under a suspect clock or not."""
        self._suspect_scans = self._suspect_scans + 1 if suspect else 0
        if self._suspect_scans > _SCANS_UNTIL_BELIEVED:
            self._suspect_scans = 0
            self._latest = self._clock.now()

    @property
    def state(self) -> dict[str, float]:
        """What the next process must know, for `state` of the database."""
        return {"latest": self._latest, "suspect_scans": self._suspect_scans}
