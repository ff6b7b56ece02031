"""Which windows of time a batch of keys covers (pure)."""

from __future__ import annotations

import math
from typing import NamedTuple

from tracing_core.errors import InvalidValue

__all__ = ["Window", "check_period", "due_windows", "window_of"]

_DAY_SECONDS = 86_400


class Window(NamedTuple):
    """A window of time, in UTC Unix seconds."""

    start: int
    """The first second."""
    end: int
    """The second after the last."""


def check_period(period: int) -> None:
    """Check the length of windows, in seconds: days begin with a window.

    Raises
    ------
    InvalidValue
        When the length does not divide a day.
    """
    if not 1 <= period <= _DAY_SECONDS or _DAY_SECONDS % period:
        raise InvalidValue(f"the export period must divide 86400 seconds, not be {period}")


def window_of(moment: float, period: int) -> Window:
    """Return the window that a moment lies in."""
    start = int(moment // period) * period
    return Window(start, start + period)


def due_windows(
    *, begin: int, now: float, period: int, minimum_age: int, oldest: float
) -> list[Window]:
    """Return the windows that may be exported and were not yet, oldest first.

    Parameters
    ----------
    begin
        End of the last window that was exported, or the first moment there was anything to export.
        After a change of the period it may lie within a window, whose rest is then exported alone.
    now
        The time.
    period
        Length of a window in seconds; it divides a day.
    minimum_age
        How many seconds ago a window must have ended.
    oldest
        Windows that began before this hold nothing any more and are left out.

    Raises
    ------
    InvalidValue
        When the period does not divide a day.
    """
    check_period(period)
    first = window_of(begin, period)
    if first.start < oldest:
        first = window_of(math.ceil(oldest / period) * period, period)
    windows = [
        Window(start, start + period)
        for start in range(first.start, int(now) - minimum_age - period + 1, period)
    ]
    if windows and windows[0].start < begin < windows[0].end:
        windows[0] = Window(begin, windows[0].end)
    return windows
