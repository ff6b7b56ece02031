"""When to listen and when to change the identifier, as arithmetic on a monotonic clock.

A change happens somewhere between the moment it begins and the moment it is done. So that any two
changes are 10 to 20 minutes apart, the next begins no earlier than 10 minutes after this one was
done, and is done no later than 20 minutes after this one began.
"""

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
"""Least time between two changes of the identifier; it makes every change a later interval."""

LONGEST_ROTATION_SECONDS = 1200.0
"""Most time between two changes of the identifier."""

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
    """How often and how long to listen."""

    seconds: float = 4.0
    """Length of a scan."""
    least_gap_seconds: float = 210.0
    """Least time from the start of a scan to the start of the next."""
    most_gap_seconds: float = 300.0
    """Most time from the start of a scan to the start of the next."""

    @property
    def is_continuous(self) -> bool:
        """Whether one scan follows the other without a pause."""
        return self.seconds >= self.most_gap_seconds


CONTINUOUS = ScanTiming(60.0, 60.0, 60.0)
"""Listening all the time, for research. Exposure windows count whole minutes between scans, so no
shorter ones would do."""


class Schedule:
    """The next scan and the next change of identifier. All moments are of one monotonic clock.

    Parameters
    ----------
    random
        Where jitter comes from: `random.SystemRandom` in a device, so that nobody can foretell it.
    scan
        How often and how long to listen.
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
        """Tell what to do next, and the moment to begin it: `now` or later.

        A scan that would still be running when a change is due waits until after the change.
        """
        scan_at = max(self._scan_at, now)
        rotate_at = max(self._rotate_at, now)
        # One who listens all the time changes at the end of a scan, rather than be deaf before.
        is_due = self._rotate_at <= now or not self._scan.is_continuous
        latest = rotate_at if is_due else self._latest_rotation
        if scan_at + self._scan.seconds + _SLACK_SECONDS <= latest:
            return Action.SCAN, scan_at
        return Action.ROTATE, rotate_at

    def scanned(self, began: float) -> None:
        """Note a scan, and draw the start of the next."""
        # A scan may have to wait for a change and for its own length before that; the upper end
        # leaves room for both.
        room = self._scan.seconds + 2 * _SLACK_SECONDS
        latest = max(self._scan.least_gap_seconds, self._scan.most_gap_seconds - room)
        self._scan_at = began + self._random.uniform(self._scan.least_gap_seconds, latest)

    def rotated(self, began: float, done: float) -> None:
        """Note a change of identifier, and draw the start of the next, uniformly."""
        # A slow adapter gets the time it has been seen to need, twice over.
        self._allowance = min(
            max(self._allowance, 2 * (done - began)),
            _MOST_ALLOWANCE_SECONDS,
        )
        earliest = done + SHORTEST_ROTATION_SECONDS + _SLACK_SECONDS
        latest = began + LONGEST_ROTATION_SECONDS - self._allowance
        self._latest_rotation = max(earliest, latest)
        # Whoever listens all the time still has to end the scan it falls into.
        room = self._scan.seconds + _SLACK_SECONDS if self._scan.is_continuous else 0.0
        self._rotate_at = self._random.uniform(earliest, max(earliest, latest - room))

    def silenced(self, now: float, seconds: float) -> None:
        """Note that nothing may be sent for so many seconds, 0 or more.

        The end is spread over a minute, so that devices that waited for the same interval do not
        all begin together.
        """
        spread = self._random.uniform(0.0, _RESTART_SPREAD_SECONDS) if seconds > 0 else 0.0
        self._rotate_at = self._latest_rotation = now + max(0.0, seconds) + spread
