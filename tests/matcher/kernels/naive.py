"""The join as its definition reads, from `tracing_core` alone; and planted logs to try it on."""

from __future__ import annotations

import numpy as np

from matcher.columns.key_columns import KeyColumns
from matcher.columns.sighting_columns import SightingColumns
from tracing_core.protocol.rolling_proximity_identifier import derive_rpis
from tracing_core.protocol.temporary_exposure_key import derive_rpik


def naive_pairs(keys: KeyColumns, sightings: SightingColumns) -> list[tuple[int, int]]:
    heard: dict[bytes, list[tuple[int, int]]] = {}
    for row in range(len(sightings)):
        if not sightings.clock_suspect[row]:
            heard.setdefault(sightings.rpi[row].tobytes(), []).append(
                (int(sightings.interval[row]), row)
            )
    pairs = []
    for row in range(len(keys)):
        start, period = int(keys.rolling_start[row]), int(keys.rolling_period[row])
        rpik = derive_rpik(keys.key_data[row].tobytes())
        for number, rpi in enumerate(derive_rpis(rpik, start, period)):
            for interval, sighting in heard.get(rpi, []):
                if -12 <= interval - (start + number) <= 12:
                    pairs.append((row, sighting))
    return sorted(pairs)


def random_keys(
    rng: np.random.Generator, starts: np.ndarray, periods: np.ndarray | int = 144
) -> KeyColumns:
    data = rng.integers(0, 256, (len(starts), 16), dtype=np.uint8)
    if not isinstance(periods, int):
        periods = periods.astype(np.uint16)
    return KeyColumns.of(data, starts.astype(np.uint32), periods)


def planted(rng: np.random.Generator, keys: KeyColumns, count: int, noise: int) -> SightingColumns:
    """Make a log: identifiers of the keys heard up to ±14 intervals off, and strangers."""
    rpis, intervals = [], []
    for _ in range(count if len(keys) else 0):
        row = rng.integers(len(keys))
        start, period = int(keys.rolling_start[row]), int(keys.rolling_period[row])
        # Also just before and after the key's use, where its identifiers must not count.
        number = int(rng.integers(-2, period + 2))
        off = int(rng.choice([-14, -13, -12, -11, -1, 0, 1, 11, 12, 13, 14]))
        if not 0 <= start + number < 2**32 or not 0 <= start + number + off < 2**32:
            continue
        rpik = derive_rpik(keys.key_data[row].tobytes())
        rpis.append(derive_rpis(rpik, start + number, 1)[0])
        intervals.append(start + number + off)
    strangers = rng.integers(0, 256, (noise, 16), dtype=np.uint8)
    low = int(keys.rolling_start.min()) if len(keys) else 0
    heard = np.frombuffer(b"".join(rpis), np.uint8).reshape(len(rpis), 16)
    times = rng.integers(low, min(low + 2000, 2**32), noise, dtype=np.uint64).astype(np.uint32)
    return SightingColumns.of(
        np.concatenate([heard, strangers]), np.concatenate([np.array(intervals, np.uint32), times])
    )


def reference_identifiers(keys: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Derive 144 identifiers a key by `cryptography`, shape (n, 144, 16)."""
    out = np.empty((len(keys), 144, 16), np.uint8)
    for row, (key, start) in enumerate(zip(keys, starts.tolist(), strict=True)):
        identifiers = derive_rpis(derive_rpik(key.tobytes()), start, 144)
        out[row] = np.frombuffer(b"".join(identifiers), np.uint8).reshape(144, 16)
    return out
