"""Watch for leaps of the clock, which exporting and deleting could not undo."""

from __future__ import annotations

from tracing_core.clock import Clock

__all__ = ["LeapWatch"]

# Corrections after a start without a battery are a few hours. A smaller leap deletes and
# publishes hardly anything too early.
_LARGE_LEAP_SECONDS = 86_400
_SECONDS_UNTIL_TRUSTED = 86_400


class LeapWatch:
    """Compares the wall clock with the monotonic clock, which cannot be set.

    Between two runs of the server a leap cannot be distinguished from time that passed. A clock
    that was set back does no harm, since nothing is due until it has caught up.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = clock.now() - clock.monotonic()
        self._leapt_at: float | None = None

    def leap_seconds(self) -> int:
        """Return how far the clock leapt ahead of the time that passed; 0 if the clock is trusted.

        A leap of a day or less is trusted, and so is any leap that has lasted for a day.
        """
        monotonic = self._clock.monotonic()
        offset = self._clock.now() - monotonic
        leap = offset - self._offset
        since = monotonic if self._leapt_at is None else self._leapt_at
        if abs(leap) <= _LARGE_LEAP_SECONDS or monotonic - since >= _SECONDS_UNTIL_TRUSTED:
            self._offset, self._leapt_at = offset, None
            return 0
        self._leapt_at = since
        return max(0, int(leap))
