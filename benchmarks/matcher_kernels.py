"""Benchmark of all kernels against the processor's limit: ``python -m benchmarks.matcher_kernels``.

Nanoseconds per key of 144 identifiers, on one core, with filter and exact look-up. Figures are
minima of samples taken in turn, so that other load affects all alike.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time

import numpy as np

from benchmarks.limit import limit_ns_per_key
from benchmarks.machine import units
from matcher.columns.index import ColumnIndex
from matcher.columns.join import match_columns
from matcher.columns.key_columns import KeyColumns
from matcher.columns.sighting_columns import SightingColumns
from matcher.kernels.processor import choose_kernel, supported_kernels

DAY = 18_400
KEYS = 8192


def samplers(names: list[str], sizes: list[int]) -> dict[tuple[str, int], object]:
    rng = np.random.default_rng(1)
    start = DAY * 144
    keys = KeyColumns.of(
        rng.integers(0, 256, (KEYS, 16), dtype=np.uint8), np.full(KEYS, start, np.uint32)
    )
    found = {}
    for size in sizes:
        log = SightingColumns.of(
            rng.integers(0, 256, (size, 16), dtype=np.uint8),
            rng.integers(start, start + 144, size, dtype=np.uint32),
        )
        for name in names:
            index = ColumnIndex(log, choose_kernel(name))
            index.day(DAY)

            def sample(index: ColumnIndex = index) -> float:
                began = time.perf_counter_ns()
                match_columns(keys, index)
                return (time.perf_counter_ns() - began) / KEYS

            found[name, size] = sample
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kernels", default=choose_kernel().name, help="comma-separated, or all")
    parser.add_argument("--sizes", default="1000,10000,100000", help="identifiers per UTC day")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    names = arguments.kernels.split(",")
    if names == ["all"]:
        names = [kernel.name for kernel in supported_kernels() if kernel.compiled]
    sizes = [int(size) for size in arguments.sizes.split(",")]
    limits = units()
    runs = samplers(names, sizes)
    minima: dict[object, float] = {}
    for _ in range(arguments.rounds):
        for name, sample in (*limits.items(), *runs.items()):
            minima[name] = min(minima.get(name, 1e12), sample())
    limit = limit_ns_per_key({name: minima[name] for name in limits}) if limits else None
    if arguments.json:
        result = {
            "limit_ns_per_key": limit,
            "units_ns_per_key": {name: minima[name] for name in limits},
            "kernel_ns_per_key": {
                name: {str(size): minima[name, size] for size in sizes} for name in names
            },
            "processor": platform.processor() or platform.machine(),
            "load": os.getloadavg()[0],
        }
        print(json.dumps(result))
        return
    parts = ", ".join(f"{name} {minima[name]:.1f}" for name in limits)
    if limit:
        print(f"limit {limit:.1f} ns per key ({parts}); load {os.getloadavg()[0]:.1f}")
    for name, size in runs:
        value = minima[name, size]
        share = f" {limit / value:6.1%} of the limit" if limit else ""
        print(f"{name:16} {size:>8} per day {value:8.1f} ns per key{share}")


if __name__ == "__main__":
    main()
