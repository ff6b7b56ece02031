"""Benchmark of ``truyvet match`` as a process: ``python -m benchmarks.process``.

Seconds from the start of the process to its end, and its peak memory. Seconds are the minimum of
some rounds in which every job runs once. Signed key files hold up to a million keys each; the log
has 1,000 sightings per day for a fortnight.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from benchmarks.machine import machine
from benchmarks.reading import random_log, write_keys
from tracing_core.export_file import Signer
from tracing_core.store.sighting import write_json_lines

__all__ = ["measure"]

# On Linux the process prints its own peak: the figure that its parent gets also counts the
# parent's memory at the fork.
_PROGRAM = """
import atexit, contextlib, pathlib, sys
from tracing_core.cli import main

@atexit.register
def print_peak():
    with contextlib.suppress(OSError):
        sys.stderr.write(pathlib.Path("/proc/self/status").read_text())

main()
"""
_FILE_KEYS = 10**6
_ALL_PROCESSORS = os.cpu_count() or 1
_COLD_KEYS = 10**5


class Job(NamedTuple):
    """A call of the command."""

    keys: int
    threads: int
    is_cold: bool = False
    """True if its folder of compiled kernels is empty."""

    def __str__(self) -> str:
        start = "nothing compiled" if self.is_cold else "compiled"
        return f"{self.keys:10,} keys, {self.threads} threads, {start}"


class Spent(NamedTuple):
    """The time and memory of a process."""

    seconds: float
    peak_megabytes: float


class _Folder:
    """The files of all jobs."""

    def __init__(self, folder: Path, most_keys: int) -> None:
        rng = np.random.default_rng(1)
        private_key = generate_private_key(SECP256R1())
        self._folder = folder
        self._log, self._pem = folder / "log.jsonl", folder / "authority.pem"
        log = random_log(1000, rng)
        write_json_lines(self._log, log.sightings(np.arange(len(log))))
        self._pem.write_bytes(
            private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        self._signer = Signer(private_key, "452", "v1")
        self._large = [self._write(_FILE_KEYS, at, rng) for at in range(most_keys // _FILE_KEYS)]
        self._small = {
            count: self._write(count, 0, rng)
            for count in (10**3, 10**4, 10**5)
            if count <= most_keys
        }

    def _write(self, keys: int, number: int, rng: np.random.Generator) -> Path:
        path = self._folder / f"{keys}-{number}.zip"
        write_keys(path, keys, self._signer, rng)
        return path

    def run(self, job: Job) -> Spent:
        """Run a job to its end."""
        files = [self._small[job.keys]] if job.keys in self._small else self._large
        cache = self._folder / ("cold" if job.is_cold else "warm")
        shutil.rmtree(self._folder / "cold", ignore_errors=True)
        command = [sys.executable, "-c", _PROGRAM, "match", str(self._log)]
        command += map(str, files[: -(-job.keys // _FILE_KEYS)])
        command += ["--public-key", str(self._pem), "--json", "--threads", str(job.threads)]
        environment = os.environ | {"TRUYVET_CACHE_DIR": str(cache)}
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        took = time.perf_counter() - began
        if done.returncode or json.loads(done.stdout)["diagnosis_keys"] != job.keys:
            raise SystemExit(f"truyvet match did not take {job.keys} keys: {done.stderr[-200:]}")
        peak = re.search(r"VmHWM:\s+(\d+) kB", done.stderr)
        return Spent(took, int(peak[1]) / 1024 if peak else float("nan"))


def measure(most_keys: int = 10**7, rounds: int = 3) -> dict[str, Any]:
    """Return the time and memory of each job."""
    counts = [10**power for power in range(3, 8) if 10**power <= most_keys]
    jobs = [Job(keys, threads) for keys in counts for threads in sorted({1, _ALL_PROCESSORS})]
    if _COLD_KEYS in counts:
        jobs.append(Job(_COLD_KEYS, 1, is_cold=True))
    spent: dict[Job, list[Spent]] = {job: [] for job in jobs}
    with tempfile.TemporaryDirectory() as name:
        folder = _Folder(Path(name), most_keys)
        folder.run(Job(max(counts), 1))  # after which all is compiled
        for _ in range(rounds):
            for job in jobs:
                spent[job].append(folder.run(job))
    return {
        "machine": machine(),
        "jobs": [
            {
                **job._asdict(),
                "seconds": round(min(each.seconds for each in found), 3),
                "peak_megabytes": round(max(each.peak_megabytes for each in found)),
            }
            for job, found in spent.items()
        ],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--keys", type=int, default=10**7, help="the most keys that a job takes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    result = measure(given.keys, given.rounds)
    if given.json:
        print(json.dumps(result))
        return
    print(f"load {result['machine']['load']}")
    for each in result["jobs"]:
        job = Job(each["keys"], each["threads"], each["is_cold"])
        print(f"{job!s:52} {each['seconds']:7.2f} s {each['peak_megabytes']:6} MB")


if __name__ == "__main__":
    main()
