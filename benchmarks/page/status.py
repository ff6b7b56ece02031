"""Benchmark of ``truyvet agent status`` on a full log: ``python -m benchmarks.page.status``.

CPU seconds and peak memory of the process. The naive way counts every day of the log in one
statement, as versions without kept counts did, and in this process: without the start of Python.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.machine import machine
from benchmarks.page.full_log import make_full_home
from ble_agent.store.database import open_store

__all__ = ["measure"]

# The process prints its own peak: the figure that its parent gets also counts the parent's memory
# at the fork.
_PROGRAM = """
import atexit, pathlib, sys
from tracing_core.cli import main

@atexit.register
def print_peak():
    sys.stderr.write(pathlib.Path("/proc/self/status").read_text())

main()
"""
_NAIVE = (
    "SELECT date(seen_at, 'unixepoch'{}), count(DISTINCT rpi) FROM sighting GROUP BY 1 ORDER BY 1"
)


class Spent(NamedTuple):
    """What a process took."""

    cpu_seconds: float
    seconds: float
    peak_megabytes: float


def _run(*command: str) -> tuple[str, Spent]:
    environment = os.environ | {"TZ": "Asia/Ho_Chi_Minh"}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = re.search(r"VmHWM:\s+(\d+) kB", done.stderr)
    return done.stdout, Spent(cpu_seconds, took, int(peak[1]) / 1024 if peak else float("nan"))


def _naive(home: Path) -> tuple[dict[str, int], float]:
    with open_store(home) as db:
        began = time.process_time()
        found = dict(db.conn.execute(_NAIVE.format("")).fetchall())
        db.conn.execute(_NAIVE.format(", 'localtime'")).fetchall()
        return found, time.process_time() - began


def measure(rows: int = 900_000, rounds: int = 5) -> dict[str, Any]:
    """Return the cost of the first and of every later status, and of counting naively."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        made = make_full_home(home, int(time.time()), rows)
        command = [sys.executable, "-c", _PROGRAM, "agent", "--home", str(home), "status", "--json"]
        (_, first), *later = [_run(*command) for _ in range(rounds + 1)]
        naive = [_naive(home) for _ in range(rounds)]
        for said, _ in later:
            if json.loads(said)["identifiers_by_day"] != naive[0][0]:
                raise SystemExit("truyvet agent status did not count what the log holds")
        starts = [_run(sys.executable, "-c", "pass")[1] for _ in range(rounds)]
    return {
        "machine": machine(),
        "rows": made,
        "first": first._asdict(),
        "status": {
            "cpu_seconds": min(spent.cpu_seconds for _, spent in later),
            "seconds": min(spent.seconds for _, spent in later),
            "peak_megabytes": max(spent.peak_megabytes for _, spent in later),
        },
        "python_cpu_seconds": min(spent.cpu_seconds for spent in starts),
        "naive_cpu_seconds": min(seconds for _, seconds in naive),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--rows", type=int, default=900_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    result = measure(given.rows, given.rounds)
    if given.json:
        print(json.dumps(result))
        return
    print(f"load {result['machine']['load']}, {result['rows']:,} sightings")
    for name in ("first", "status"):
        each = result[name]
        print(
            f"{name:8} {each['cpu_seconds']:6.2f} s CPU {each['seconds']:6.2f} s"
            f" {each['peak_megabytes']:4.0f} MB"
        )
    print(f"of it Python's start {result['python_cpu_seconds']:.2f} s CPU")
    print(f"counting naively, alone {result['naive_cpu_seconds']:.2f} s CPU")


if __name__ == "__main__":
    main()
