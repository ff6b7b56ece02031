"""Windows of time in which keys leave the server (pure)."""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = ["Window", "due_windows", "window_of"]


class Window(NamedTuple):
    """A window of time, in UTC Unix seconds."""

    start: int
    """The first second."""
    end: int
    """The second after the last."""


def window_of(moment: float, period: int) -> Window:
    """Return the window that a moment lies in."""
    start = int(moment // period) * period
    return Window(start, start + period)


def due_windows(
    *, begin: int, now: float, period: int, minimum_age: int, oldest: float
) -> list[Window]:
    """Return the windows that may be exported and have not been, oldest first.

    Parameters
    ----------
    begin
        End of the last exported window, or the first moment with anything to export. After a change
        of the period it may lie within a window, the rest of which is then exported alone.
    now
        The time (UTC Unix seconds).
    period
        Length of a window in seconds; it divides a day.
    minimum_age
        Seconds that must have passed since the end of a window.
    oldest
        Windows that start before this moment are empty by now, and are left out.
    """
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
