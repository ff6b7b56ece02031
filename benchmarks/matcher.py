"""Benchmark of the matcher against the processor's limit and rivals, in one run on one core.

``python -m benchmarks.matcher`` prints a table and writes ``benchmarks/matcher.json`` and
``benchmarks/matcher.png``; ``--quick --json`` measures the three smaller logs in under 50 seconds
and prints one object.

A figure is nanoseconds per key of 144 identifiers, with filter and exact look-up: the minimum of
many samples. Samples of all rivals are taken in turn, so that other load affects them alike.
Logs of up to 100,000 identifiers cover one UTC day, that of the keys; 10**6 and 10**7 are spread
over a fortnight, as are the keys. All must find the same planted matches.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.limit import limit_ns_per_key
from benchmarks.machine import machine, units, versions
from benchmarks.rivals.python import Log, best_python, pycryptodome
from benchmarks.rivals.tuned_c import TunedC, Unbuildable
from matcher.columns.index import ColumnIndex
from matcher.columns.join import match_columns
from matcher.columns.key_columns import KeyColumns
from matcher.columns.sighting_columns import SightingColumns
from matcher.kernels.processor import choose_kernel
from tracing_core.protocol.rolling_proximity_identifier import derive_rpis
from tracing_core.protocol.temporary_exposure_key import derive_rpik

__all__ = ["measure"]

_DAY = 144
_FIRST_DAY = 18_400
_FORTNIGHT = 14
_QUICK = (1_000, 10_000, 100_000)
_FULL = (*_QUICK, 1_000_000, 10_000_000)
_KEYS = 8_192
_MET = 16
# How many keys each rival takes per sample, so that every sample lasts some milliseconds.
_SAMPLED = {"kernel": _KEYS, "tuned_c": _KEYS // 2, "python": 512, "pycryptodome": 128}


@dataclass(frozen=True)
class World:
    """Keys, and a log with sightings of the first of them."""

    key_data: Any
    start: Any
    period: Any
    rpi: Any
    interval: Any

    def keys(self, count: int) -> list[tuple[bytes, int, int]]:
        """Return the first keys as Python objects."""
        columns = (self.key_data[:count], self.start[:count], self.period[:count])
        return [
            (bytes(data), int(start), int(period))
            for data, start, period in zip(*columns, strict=True)
        ]


def _world(size: int) -> World:
    chance = np.random.default_rng(size)
    days = 1 if size <= _QUICK[-1] else _FORTNIGHT
    start = (_FIRST_DAY + np.sort(chance.integers(0, days, _KEYS))) * _DAY
    # The keys that were met come first, so that even the slowest rival has them in its sample.
    world = World(
        key_data=chance.integers(0, 256, (_KEYS, 16), dtype=np.uint8),
        start=start.astype(np.uint32),
        period=np.full(_KEYS, _DAY, np.uint8),
        rpi=chance.integers(0, 256, (size, 16), dtype=np.uint8),
        interval=chance.integers(
            _FIRST_DAY * _DAY, (_FIRST_DAY + days) * _DAY, size, dtype=np.uint32
        ),
    )
    for row, at in enumerate(chance.choice(size, _MET, replace=False)):
        interval = int(world.start[row]) + int(chance.integers(_DAY))
        rpi = derive_rpis(derive_rpik(bytes(world.key_data[row])), interval, 1)[0]
        world.rpi[at] = np.frombuffer(rpi, np.uint8)
        world.interval[at] = interval
    return world


def _timed(work: Callable[[], Any], keys: int, met: Callable[[Any], int]) -> Callable[[], float]:
    if met(work()) != _MET:
        raise SystemExit("a rival does not find the planted matches: nothing was measured")

    def sample() -> float:
        began = time.perf_counter_ns()
        work()
        return (time.perf_counter_ns() - began) / keys

    return sample


def _kernel(world: World) -> Callable[[], float]:
    keys = KeyColumns.of(world.key_data, world.start, world.period.astype(np.uint16))
    log = SightingColumns.of(world.rpi, world.interval)
    index = ColumnIndex(log, choose_kernel())
    return _timed(
        lambda: match_columns(keys, index), _KEYS, lambda pairs: len(set(pairs[0].tolist()))
    )


def _tuned_c(world: World, stack: ExitStack) -> Callable[[], float]:
    index = stack.enter_context(TunedC(world.rpi, world.interval))
    count = _SAMPLED["tuned_c"]
    columns = [column[:count].copy() for column in (world.key_data, world.start, world.period)]
    return _timed(lambda: index.match(*columns), count, lambda hits: len(set(hits[:, 0].tolist())))


def _python(world: World, log: Log, name: str) -> Callable[[], float]:
    count = _SAMPLED[name]
    keys = world.keys(count)
    known = frozenset(log)

    def work() -> list[tuple[int, int]]:
        return best_python(log, keys, known) if name == "python" else pycryptodome(log, keys)

    return _timed(work, count, lambda found: len({row for row, _ in found}))


def _samplers(size: int, stack: ExitStack) -> dict[str, Callable[[], float]]:
    world = _world(size)
    found = {"kernel": _kernel(world)}
    try:
        found["tuned_c"] = _tuned_c(world, stack)
    except Unbuildable as error:
        print(f"tuned C left out: {error}", file=sys.stderr)
    # A dictionary of ten million identifiers would need more memory than many machines have.
    if size <= 1_000_000:
        log: dict[bytes, list[int]] = {}
        for rpi, interval in zip(world.rpi.tolist(), world.interval.tolist(), strict=True):
            log.setdefault(bytes(rpi), []).append(interval)
        for name in ("python", "pycryptodome"):
            found[name] = _python(world, log, name)
    return found


def measure(sizes: tuple[int, ...], seconds: float) -> dict[str, Any]:
    """Measure everything in turn, for a number of seconds per log size.

    Returns
    -------
    dict
        ``limit_ns_per_key``, None where it is not known; ``kernel_ns_per_key`` by log size;
        ``rivals_ns_per_key`` by rival and log size; medians of the same in ``medians_ns_per_key``.
    """
    limits = units()
    samples: dict[str, list[float]] = {name: [] for name in limits}
    figures: dict[tuple[str, int], list[float]] = {}
    for size in sizes:
        with ExitStack() as stack:
            samplers = _samplers(size, stack)
            until = time.monotonic() + seconds
            rounds = 0
            while time.monotonic() < until or rounds < 3:
                rounds += 1
                for name, sample in samplers.items():
                    # The kernel's samples are short, so it needs more of them.
                    for _ in range(3 if name in ("kernel", "tuned_c") else 1):
                        figures.setdefault((name, size), []).append(sample())
                for unit, sample in limits.items():
                    samples[unit].append(sample())
    minima = {name: min(values) for name, values in samples.items()}
    least = _by_name(figures, min)
    return {
        "limit_ns_per_key": limit_ns_per_key(minima) if minima else None,
        "kernel_ns_per_key": least.pop("kernel"),
        "rivals_ns_per_key": least,
        "medians_ns_per_key": _by_name(figures, lambda values: float(np.median(values))),
        "kernel": choose_kernel().name,
        "machine": machine(),
        "versions": versions(
            "truyvet", "numba", "llvmlite", "numpy", "cryptography", "pycryptodome"
        ),
    }


def _by_name(
    figures: Mapping[tuple[str, int], list[float]], pick: Callable[[list[float]], float]
) -> dict[str, dict[str, float]]:
    named: dict[str, dict[str, float]] = {}
    for (name, size), values in figures.items():
        named.setdefault(name, {})[str(size)] = round(pick(values), 1)
    return named


def _print_table(result: Mapping[str, Any]) -> None:
    limit, kernel = result["limit_ns_per_key"], result["kernel_ns_per_key"]
    print(
        f"{result['kernel']} on {result['machine']['processor']}, load {result['machine']['load']}"
    )
    if limit:
        print(f"the processor's limit: {limit:.1f} ns per key")
    print(f"{'identifiers':>12} {'ns per key':>10} {'of limit':>9}", end="")
    rivals = result["rivals_ns_per_key"]
    print("".join(f" {'x ' + name:>14}" for name in rivals))
    for size, value in kernel.items():
        row = f"{int(size):12,} {value:10.1f} {f'{limit / value:.0%}' if limit else '-':>9}"
        for of in rivals.values():
            row += f" {of[size] / value:14.1f}" if size in of else f" {'-':>14}"
        print(row)
    print("x is how many times as long the rival takes; slow rivals run on the first keys only")


def _plot(result: Mapping[str, Any], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    names = {
        "kernel": "truyvet",
        "tuned_c": "tuned C on libcrypto",
        "python": "best pure Python",
        "pycryptodome": "pycryptodome",
    }
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    series = {"kernel": result["kernel_ns_per_key"], **result["rivals_ns_per_key"]}
    for name, label in names.items():
        if name in series:
            sizes = [int(size) for size in series[name]]
            rate = [1e9 / value for value in series[name].values()]
            width = 2.5 if name == "kernel" else 1.2
            axes.plot(sizes, rate, marker="o", linewidth=width, label=label)
    if limit := result["limit_ns_per_key"]:
        axes.axhline(1e9 / limit, linestyle="--", color="grey")
        axes.annotate("the processor's limit", (1e3, 1e9 / limit * 1.08))
    axes.set(xscale="log", yscale="log", xlabel="identifiers in the log", ylabel="keys per second")
    axes.set_title("Keys matched per second on one core")
    axes.grid(alpha=0.3)
    axes.legend(loc="center right", bbox_to_anchor=(1.0, 0.4))
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main() -> None:
    """Measure, and print or write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the three smaller logs only")
    parser.add_argument("--json", action="store_true", help="print one object and write no file")
    arguments = parser.parse_args()
    result = measure(_QUICK, 8.0) if arguments.quick else measure(_FULL, 20.0)
    if arguments.json:
        print(json.dumps(result))
        return
    _print_table(result)
    if not arguments.quick:
        here = Path(__file__)
        here.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
        _plot(result, here.with_suffix(".png"))


if __name__ == "__main__":
    main()
