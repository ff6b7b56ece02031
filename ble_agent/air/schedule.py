"""Schedule of scans and changes of identifier, as arithmetic on a monotonic clock."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from random import Random

__all__ = [
    "CONTINUOUS",
    "LONGEST_ROTATION_SECONDS",
    "SHORTEST_ROTATION_SECONDS",
    "Action",
    "ScanTiming",
    "Schedule",
]

SHORTEST_ROTATION_SECONDS = 600.0
"""Shortest time between two changes of identifier; every change falls into a later interval."""

LONGEST_ROTATION_SECONDS = 1200.0
"""Longest time between two changes of identifier."""

# Two changes, 10 to 20 minutes apart.
#
# Each identifier belongs to one interval of ten minutes. Less than 10 minutes between two changes
# could send two identifiers of one interval, which is the same identifier twice; more than 20 is
# forbidden by the protocol. The waits are random, or an observer could follow a device by its
# rhythm.
#
# The simple way is a timer: draw 10 to 20 minutes, sleep, change, repeat. It fails because a
# change takes time: scanning stops, the old advertisement goes, another address is drawn, the new
# one starts. That is milliseconds on one adapter and seconds on another, and nothing reports at
# which moment in between the new identifier was first on the air. Waits counted from the start of
# a change can be too short, waits counted from its end too long.
#
# So each bound is counted from the end that makes it safe: the next change begins no earlier than
# 10 minutes after this one was *done*, and is done no later than 20 minutes after this one
# *began*. How long the next one will take is unknown, so twice the longest time seen so far is set
# aside.
#
# Scans and changes exclude each other: a legacy controller refuses a new address while it scans.
# So a scan that would still run when a change is due waits until after it. `scanned` leaves room
# for that wait, and no gap between scans is longer than `most_gap_seconds`. With continuous
# scanning there is always a scan in the way: there the change is drawn earlier by the length of a
# scan, and takes place between two scans.

# The system's clock may be slowed a little against the monotonic one; five seconds keep a change
# that is just ten minutes later from falling into the same interval.
_SLACK_SECONDS = 5.0
_LEAST_ALLOWANCE_SECONDS = 10.0
_MOST_ALLOWANCE_SECONDS = 300.0
_RESTART_SPREAD_SECONDS = 60.0


class Action(enum.Enum):
    """What the radio does next."""

    SCAN = "scan"
    ROTATE = "rotate"


@dataclass(frozen=True, slots=True)
class ScanTiming:
    """How often and how long to scan."""

    seconds: float = 4.0
    """Length of a scan."""
    least_gap_seconds: float = 210.0
    """Shortest time from the start of one scan to the start of the next."""
    most_gap_seconds: float = 300.0
    """Longest time from the start of one scan to the start of the next."""

    @property
    def is_continuous(self) -> bool:
        """Whether scans follow each other without a pause."""
        return self.seconds >= self.most_gap_seconds


CONTINUOUS = ScanTiming(60.0, 60.0, 60.0)
"""Continuous scanning, for research. Exposure windows count whole minutes between scans, so
shorter scans would not do."""


class Schedule:
    """The next scan and the next change of identifier; all times are those of one monotonic clock.

    Parameters
    ----------
    random
        Source of jitter: `random.SystemRandom` in a device, so that it cannot be predicted.
    scan
        How often and how long to scan; the protocol's timing unless given.
    """

    def __init__(self, random: Random, scan: ScanTiming | None = None) -> None:
        self._random = random
        self._scan = scan or ScanTiming()
        self._scan_at = -math.inf
        self._rotate_at = math.inf
        self._latest_rotation = math.inf
        self._allowance = _LEAST_ALLOWANCE_SECONDS

    @property
    def scan_seconds(self) -> float:
        """Length of a scan."""
        return self._scan.seconds

    def next_step(self, now: float) -> tuple[Action, float]:
        """Return what to do next, and when to begin it: `now` or later.

        A scan that would still be running when a change is due waits until after the change.
        """
        scan_at = max(self._scan_at, now)
        rotate_at = max(self._rotate_at, now)
        # With continuous scanning, a change that is not yet due waits for the end of one more scan.
        is_due = self._rotate_at <= now or not self._scan.is_continuous
        latest = rotate_at if is_due else self._latest_rotation
        if scan_at + self._scan.seconds + _SLACK_SECONDS <= latest:
            return Action.SCAN, scan_at
        return Action.ROTATE, rotate_at

    def scanned(self, began: float) -> None:
        """Note a scan, and draw the start of the next."""
        # A scan may be put off for a change, and the change then comes up to one scan's length
        # later.
        room = self._scan.seconds + 2 * _SLACK_SECONDS
        latest = max(self._scan.least_gap_seconds, self._scan.most_gap_seconds - room)
        self._scan_at = began + self._random.uniform(self._scan.least_gap_seconds, latest)

    def rotated(self, began: float, done: float) -> None:
        """Note a change of identifier, and draw the start of the next, uniformly."""
        # A slow adapter gets twice the time that it has been seen to need.
        self._allowance = min(
            max(self._allowance, 2 * (done - began)),
            _MOST_ALLOWANCE_SECONDS,
        )
        earliest = done + SHORTEST_ROTATION_SECONDS + _SLACK_SECONDS
        latest = began + LONGEST_ROTATION_SECONDS - self._allowance
        self._latest_rotation = max(earliest, latest)
        # With continuous scanning the change has to wait for the end of a scan.
        room = self._scan.seconds + _SLACK_SECONDS if self._scan.is_continuous else 0.0
        self._rotate_at = self._random.uniform(earliest, max(earliest, latest - room))

    def silenced(self, now: float, seconds: float) -> None:
        """Note that nothing may be sent for `seconds`, 0 or more.

        The end is spread over a minute, so that devices which waited for the same interval do not
        all start together.
        """
        spread = self._random.uniform(0.0, _RESTART_SPREAD_SECONDS) if seconds > 0 else 0.0
        self._rotate_at = self._latest_rotation = now + max(0.0, seconds) + spread
