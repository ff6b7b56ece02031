"""Benchmark of ruling out intervals, on recorded contacts: ``python -m benchmarks.pruning``.

Two recordings of face-to-face contacts (SocioPatterns, CC0; the variable TRUYVET_RECORDINGS names
their folder) are tiled to a city of 100,000 people. Every tile is a copy of the recorded group with
keys of its own. One person in a hundred publishes the keys of all days of the recording. The people
of one tile match their logs with those keys, once as usual and once with a stray identifier in
every interval, so that nothing can be ruled out. Both ways must find the same.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine
from matcher.columns.index import ColumnIndex
from matcher.columns.join import match_columns
from matcher.columns.key_columns import KeyColumns
from matcher.columns.sighting_columns import SightingColumns
from tracing_core.protocol.rolling_proximity_identifier import derive_rpis
from tracing_core.protocol.temporary_exposure_key import derive_rpik

__all__ = ["measure"]

_DAY = 144
_FIRST_DAY = 18_400
_CITY = 100_000
_POSITIVE = 0.01
_PEOPLE = 24
_ROUNDS = 5
_RECORDINGS = {
    "workplace": "workplace_InVS15_tij.dat.gz",
    "conference": "SFHH_tij.dat.gz",
}


def _contacts(path: Path) -> Any:
    """Return int64[n, 3]: second of the recording, and two people as row numbers."""
    with gzip.open(path, "rt") as file:
        rows = np.loadtxt(file, dtype=np.int64)
    people, numbers = np.unique(rows[:, 1:], return_inverse=True)
    rows[:, 1:] = numbers.reshape(-1, 2)
    return rows, len(people)


def _heard(contacts: Any, person: int) -> Any:
    """Return int64[m, 2]: interval and person; each pair once, as in a log."""
    mine = contacts[(contacts[:, 1:] == person).any(axis=1)]
    whom = np.where(mine[:, 1] == person, mine[:, 2], mine[:, 1])
    interval = _FIRST_DAY * _DAY + mine[:, 0] // 600
    return np.unique(np.stack([interval, whom], axis=1), axis=0)


def _columns(heard: Any, key_data: Any) -> SightingColumns:
    rpis = [
        derive_rpis(derive_rpik(bytes(key_data[whom, interval // _DAY - _FIRST_DAY])), interval, 1)[
            0
        ]
        for interval, whom in heard.tolist()
    ]
    rpi = np.frombuffer(b"".join(rpis), np.uint8).reshape(-1, 16)
    return SightingColumns.of(rpi, heard[:, 0].astype(np.uint32))


def _with_strays(log: SightingColumns, days: int, chance: np.random.Generator) -> SightingColumns:
    every = np.arange(_FIRST_DAY * _DAY, (_FIRST_DAY + days) * _DAY, dtype=np.uint32)
    strays = chance.integers(0, 256, (len(every), 16), dtype=np.uint8)
    return SightingColumns.of(
        np.concatenate([log.rpi, strays]), np.concatenate([log.interval, every])
    )


def _least(keys: KeyColumns, index: ColumnIndex) -> tuple[float, list[tuple[int, int]]]:
    least = float("inf")
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        pairs = match_columns(keys, index)
        least = min(least, time.perf_counter() - began)
    return least, list(zip(*(column.tolist() for column in pairs), strict=True))


def _measure(path: Path) -> dict[str, Any]:
    chance = np.random.default_rng(1)
    contacts, people = _contacts(path)
    days = int(contacts[:, 0].max()) // 86_400 + 1
    key_data = chance.integers(0, 256, (_CITY, days, 16), dtype=np.uint8)
    positive = np.sort(chance.choice(_CITY, int(_CITY * _POSITIVE), replace=False))
    # A tenth of the measured tile is positive, or its logs might match nothing.
    positive[: people // 10] = chance.choice(people, people // 10, replace=False)
    positive = np.unique(positive)
    starts = (_FIRST_DAY + np.arange(days)) * _DAY
    keys = KeyColumns.of(
        key_data[positive].reshape(-1, 16), np.tile(starts, len(positive)).astype(np.uint32)
    )
    pruned = whole = 0.0
    found = 0
    for person in chance.choice(people, _PEOPLE, replace=False).tolist():
        log = _columns(_heard(contacts, person), key_data)
        indexes = ColumnIndex(log), ColumnIndex(_with_strays(log, days, chance))
        (seconds, pairs), (seconds_whole, pairs_whole) = (_least(keys, index) for index in indexes)
        if pairs != pairs_whole:
            raise SystemExit("ruling out intervals changed what was found")
        pruned += seconds
        whole += seconds_whole
        found += len(pairs)
    if not found:
        raise SystemExit("the recordings hold no contact: nothing was measured")
    return {
        "people": people,
        "days": days,
        "keys": len(keys.rolling_start),
        "matches": found,
        "ns_per_key": round(pruned / _PEOPLE / len(keys.rolling_start) * 1e9, 1),
        "ns_per_key_without": round(whole / _PEOPLE / len(keys.rolling_start) * 1e9, 1),
        "speed_up": round(whole / pruned, 2),
    }


def measure() -> dict[str, Any] | None:
    """Measure each recording; return None, with a message, if there are none."""
    folder = os.environ.get("TRUYVET_RECORDINGS")
    if folder is None:
        print("pruning left out: TRUYVET_RECORDINGS names no folder of recordings", file=sys.stderr)
        return None
    here = Path(folder) / "contacts" / "sociopatterns"
    return {
        **{name: _measure(here / file) for name, file in _RECORDINGS.items()},
        "machine": machine(),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one object")
    arguments = parser.parse_args()
    result = measure()
    if arguments.json:
        print(json.dumps(result))
        return
    if result is None:
        return
    for name in _RECORDINGS:
        row = result[name]
        print(
            f"{name}: {row['ns_per_key']} ns per key, {row['ns_per_key_without']} with nothing"
            f" ruled out: {row['speed_up']} times as fast; {row['matches']} matches both ways"
        )


if __name__ == "__main__":
    main()
