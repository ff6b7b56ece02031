"""UTC days of many sightings or keys."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["distinct_days"]

_MOST_FLAGS = 1 << 20


def distinct_days(days: NDArray[Any]) -> list[int]:
    """Return the different days among many, in order."""
    if not len(days):
        return []
    first, last = int(days.min()), int(days.max())
    if last - first >= _MOST_FLAGS:
        return [int(day) for day in np.unique(days)]
    # Nearly always a few weeks: a flag per day takes a twentieth of the time of sorting.
    present = np.zeros(last - first + 1, np.bool_)
    present[days.astype(np.int64) - first] = True
    return [first + int(day) for day in np.flatnonzero(present)]
