"""Whether the clock is believed where a mistake cannot be taken back: in exporting and deleting."""

from __future__ import annotations

from tracing_core.clock import Clock

__all__ = ["LeapWatch"]

# Corrections after a start without a battery are of hours. A leap of less deletes and publishes
# hardly anything before its time.
_LARGE_LEAP_SECONDS = 86_400
_SECONDS_UNTIL_BELIEVED = 86_400


class LeapWatch:
    """Sees the wall clock leap ahead, by the monotonic clock, which nobody sets.

    What passed between two runs may have been time or a leap, and is taken for time. A clock that
    went back is no danger, since nothing is due until it has caught up.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = clock.now() - clock.monotonic()
        self._leapt_at: float | None = None

    def leap_seconds(self) -> int:
        """Return how far the clock has leapt ahead of what passed; 0 if it is to be believed.

        A leap of a day or less is believed, and any that has lasted for a day.
        """
        monotonic = self._clock.monotonic()
        offset = self._clock.now() - monotonic
        leap = offset - self._offset
        since = monotonic if self._leapt_at is None else self._leapt_at
        if abs(leap) <= _LARGE_LEAP_SECONDS or monotonic - since >= _SECONDS_UNTIL_BELIEVED:
            self._offset, self._leapt_at = offset, None
            return 0
        self._leapt_at = since
        return max(0, int(leap))
