"""Judgement of the wall clock: never set, behind what it once showed, or far ahead."""

from __future__ import annotations

from typing import Any

from tracing_core.clock import Clock

__all__ = ["CLOCK_TOLERANCE_SECONDS", "EARLIEST_SECONDS", "ClockWatch"]

CLOCK_TOLERANCE_SECONDS = 60.0
"""A clock set back by less is not suspect: corrections by NTP are smaller, and a minute is little
compared with the two hours that matching allows."""

# Which times can be believed.
#
# An identifier matches only if it was heard within two hours of its own time. So someone who
# replays recorded identifiers must also set the hearing device's clock back. Through NTP that is
# possible, and clocks go wrong without any attacker: a Raspberry Pi has no battery, and starts at
# the time of its last shutdown.
#
# Comparing with the monotonic clock is not enough: it finds jumps within one process, and starts
# at zero with the next. Comparing with the latest time ever shown works across restarts, but alone
# it punishes an honest mistake: a clock that once ran a year ahead would make a year of sightings
# suspect.
#
# So the latest time is remembered, and while the clock shows less, sightings are marked as suspect
# and never match. After 14 days of such scans in a row the clock is believed again: by then
# nothing from before is kept, so there is nothing left to replay. A time before this protocol
# existed is always suspect.
#
# Deleting has the opposite danger. A clock that jumps ahead would delete 14 days of sightings at
# once, and they cannot be brought back. So a jump ahead of more than six hours counts for
# retention (`steady_now`) only after the device has run at that time for a day. Switching the
# device off overnight does not start that day again.
_SCANS_UNTIL_BELIEVED = 14 * 86_400 // 300

EARLIEST_SECONDS = 18_353 * 86_400
"""1 April 2020 (UTC Unix seconds): no identifier of this protocol was sent earlier, so a clock that
shows an earlier time was never set, as on a device that has just been switched on."""

_LARGE_JUMP_SECONDS = 6 * 3600.0
_SECONDS_UNTIL_STEADY = 86_400.0


class ClockWatch:
    """Watch over a clock: it is suspect while it shows less than the latest time ever shown.

    Within one process the monotonic clock, which cannot be set, also reveals jumps either way.
    Between two processes, time that passed and a jump look the same.

    Parameters
    ----------
    clock
        The clock to watch.
    remembered
        What `state` returned in an earlier process; None if there was none.
    scans_until_believed
        After how many suspect scans in a row the clock is believed again.
    """

    def __init__(
        self,
        clock: Clock,
        remembered: Any = None,
        *,
        scans_until_believed: int = _SCANS_UNTIL_BELIEVED,
    ) -> None:
        self._scans_until_believed = scans_until_believed
        self._clock = clock
        self._latest = 0.0
        self._suspect_scans = 0
        self._seen = (clock.now(), clock.monotonic())
        self._ahead = 0.0
        self._began = self._ahead_since = self._seen[1]
        self._jumps_at_scan = 0
        self.jumps = 0
        """How often the clock was seen to jump, either way."""
        self.remember(remembered)

    def remember(self, remembered: Any) -> float:
        """Take over what `state` returned in an earlier process; None if there was none.

        A second call changes nothing.

        Returns
        -------
        float
            The time (UTC Unix seconds) before which nothing can have been heard since.
        """
        remembered = remembered or {}
        latest = float(remembered.get("latest", 0.0))
        self._latest = max(self._latest, latest)
        self._suspect_scans = max(self._suspect_scans, int(remembered.get("suspect_scans", 0)))
        self._remember_ahead(
            float(remembered.get("seen", latest)),
            float(remembered.get("ahead", 0.0)),
            float(remembered.get("ahead_seconds", 0.0)),
        )
        return latest - CLOCK_TOLERANCE_SECONDS

    def _remember_ahead(self, seen: float, ahead: float, seconds: float) -> None:
        now, monotonic = self._clock.now(), self._clock.monotonic()
        if min(seen, now) < EARLIEST_SECONDS:
            # A clock that was not set proves nothing; a doubt from before remains.
            self._ahead = max(self._ahead, ahead)
            return
        jump = now - seen - (monotonic - self._began)
        self._ahead = _large(ahead + jump)
        # A device that is switched off every night must not start its day again each morning.
        if 0 <= jump <= ahead:
            self._ahead_since = self._began - seconds

    def is_suspect(self) -> bool:
        """Read the clock, and return whether it was never set or is behind what it once showed.

        Sightings from such a time never match.
        """
        now, monotonic = self._clock.now(), self._clock.monotonic()
        expected = self._seen[0] + monotonic - self._seen[1]
        was_set = self._seen[0] >= EARLIEST_SECONDS
        self._seen = (now, monotonic)
        if abs(now - expected) > CLOCK_TOLERANCE_SECONDS:
            self.jumps += 1
            # Setting a clock that had never been set says nothing against the new time.
            self._note_ahead(now - expected if was_set else 0.0, monotonic)
        if now < expected - CLOCK_TOLERANCE_SECONDS:
            self._latest = max(self._latest, expected)
        if now < max(self._latest - CLOCK_TOLERANCE_SECONDS, EARLIEST_SECONDS):
            return True
        self._latest = max(self._latest, now)
        return False

    def _note_ahead(self, jump: float, monotonic: float) -> None:
        self._ahead = _large(self._ahead + jump)
        self._ahead_since = monotonic

    @property
    def was_set(self) -> bool:
        """Whether the clock shows a time at which this protocol is in use."""
        return self._clock.now() >= EARLIEST_SECONDS

    def steady_now(self) -> float:
        """Return the time that retention goes by: a large jump ahead counts only after a day.

        The same holds for the time that a device was off.
        """
        if self._ahead and self._clock.monotonic() - self._ahead_since >= _SECONDS_UNTIL_STEADY:
            self._ahead = 0.0
        return self._clock.now() - self._ahead

    def jumped_since_scan(self) -> bool:
        """Return whether the clock has jumped since the last call."""
        jumped = self.jumps != self._jumps_at_scan
        self._jumps_at_scan = self.jumps
        return jumped

    def count_scan(self, suspect: bool) -> None:
        """Note that a scan ended, under a suspect clock or not."""
        self._suspect_scans = self._suspect_scans + 1 if suspect else 0
        if self._suspect_scans > self._scans_until_believed and self.was_set:
            self._suspect_scans = 0
            self._latest = self._clock.now()

    @property
    def state(self) -> dict[str, float]:
        """What the next process must know, to be stored in the database."""
        ahead_seconds = self._clock.monotonic() - self._ahead_since if self._ahead else 0.0
        return {
            "latest": self._latest,
            "suspect_scans": self._suspect_scans,
            "seen": self._seen[0],
            "ahead": self._ahead,
            "ahead_seconds": ahead_seconds,
        }


def _large(ahead: float) -> float:
    return ahead if ahead > _LARGE_JUMP_SECONDS else 0.0
