"""Signal strengths of many sightings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tracing_core.protocol.signal_strength import STRONGEST_DBM, WEAKEST_DBM

__all__ = ["unmeasured_rows"]


def unmeasured_rows(rssi_dbm: NDArray[np.int8], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows without a known strength; `ends` is where each row's samples end."""
    known = (rssi_dbm >= WEAKEST_DBM) & (rssi_dbm <= STRONGEST_DBM)
    if len(known) and known.all():
        return np.empty(0, np.int64)
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(known)])
    return np.flatnonzero(np.diff(before[ends], prepend=0) == 0)
