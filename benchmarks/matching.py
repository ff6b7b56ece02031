"""Benchmark of the portable matcher and the naive way, in keys per second."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from benchmarks.naive import match_naively
from matcher import match_keys
from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.protocol.rolling_proximity_identifier import derive_rpis
from tracing_core.protocol.temporary_exposure_key import derive_rpik
from tracing_core.store.sighting import Sighting

__all__ = ["measure"]

_FIRST_INTERVAL = 144 * 20_000
_KEYS = 2_000
_SIGHTINGS = 20_000
_MET = 50
_ROUNDS = 3


def _made(chance: random.Random) -> tuple[list[Sighting], list[DiagnosisKey]]:
    """Make a fortnight's log and a file's keys; some keys were met once."""
    keys = [
        DiagnosisKey(chance.randbytes(16), _FIRST_INTERVAL + 144 * chance.randrange(14))
        for _ in range(_KEYS)
    ]
    sightings = [
        Sighting(
            chance.randbytes(16),
            chance.randbytes(4),
            (-60,),
            (_FIRST_INTERVAL + chance.randrange(14 * 144)) * 600,
        )
        for _ in range(_SIGHTINGS - _MET)
    ]
    for key in keys[:_MET]:
        step = chance.randrange(144)
        interval = key.rolling_start_interval_number + step
        rpi = derive_rpis(derive_rpik(key.key_data), interval, 1)[0]
        sightings.append(Sighting(rpi, chance.randbytes(4), (-60,), interval * 600))
    chance.shuffle(sightings)
    return sightings, keys


def _fastest(work: Callable[[], int]) -> tuple[float, int]:
    """Return the minimum seconds of some rounds, and the result of the work."""
    seconds = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        found = work()
        seconds.append(time.perf_counter() - start)
    return min(seconds), found


def measure() -> dict[str, float | int]:
    """Measure both ways on the same input, and check that they find the same."""
    sightings, keys = _made(random.Random(1))
    ours, found = _fastest(
        lambda: sum(len(match.sightings) for match in match_keys(sightings, keys))
    )
    theirs, found_naively = _fastest(lambda: match_naively(sightings, keys))
    if found != found_naively or found < _MET:
        raise SystemExit(f"the matcher found {found} sightings, the naive way {found_naively}")
    return {
        "keys": _KEYS,
        "sightings": _SIGHTINGS,
        "portable_keys_per_second": round(_KEYS / ours),
        "naive_keys_per_second": round(_KEYS / theirs),
        "ratio": round(theirs / ours, 2),
    }


if __name__ == "__main__":
    result = measure()
    print(
        f"portable matcher: {result['portable_keys_per_second']} keys per second, {result['ratio']}"
        f" times as many as the naive way ({result['naive_keys_per_second']})"
    )
