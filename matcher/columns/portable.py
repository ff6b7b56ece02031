"""Join of columns without a kernel: `cryptography` derives, and a dict finds."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from matcher.columns.index import ColumnIndex
from matcher.columns.key_columns import KeyColumns
from matcher.definition import TOLERANCE_INTERVALS
from tracing_core.protocol.interval import TEK_ROLLING_PERIOD
from tracing_core.protocol.rolling_proximity_identifier import derive_rpis
from tracing_core.protocol.temporary_exposure_key import derive_rpik

__all__ = ["derive", "match"]


def derive(keys: KeyColumns) -> NDArray[np.uint8]:
    """Derive 144 identifiers per key, shape (n, 144, 16); zeros beyond interval 2^32 − 1."""
    out = np.zeros((len(keys), TEK_ROLLING_PERIOD, 16), np.uint8)
    for row, (data, start) in enumerate(zip(keys.key_data, keys.rolling_start, strict=True)):
        count = min(TEK_ROLLING_PERIOD, 2**32 - int(start))
        text = b"".join(derive_rpis(derive_rpik(data.tobytes()), int(start), count))
        out[row, :count] = np.frombuffer(text, np.uint8).reshape(count, 16)
    return out


def match(keys: KeyColumns, index: ColumnIndex) -> list[NDArray[np.int64]]:
    """Return pairs of a key's row and a sighting's row, as for `join.match_columns`."""
    heard = defaultdict(list)
    for rpi, interval, row in index.sightings():
        heard[rpi].append((interval, row))
    days = set(index.days.tolist())
    pairs = []
    for row, (data, start, period) in enumerate(
        zip(keys.key_data, keys.rolling_start.tolist(), keys.rolling_period.tolist(), strict=True)
    ):
        end = start + period
        if days.isdisjoint((start // TEK_ROLLING_PERIOD, (end - 1) // TEK_ROLLING_PERIOD)):
            continue
        for number, rpi in enumerate(derive_rpis(derive_rpik(data.tobytes()), start, period)):
            for interval, sighting in heard.get(rpi, ()):
                if abs(interval - start - number) <= TOLERANCE_INTERVALS:
                    pairs.append((row, sighting))
    return [np.array(pairs, np.int64).reshape(len(pairs), 2)]
