"""Benchmark of uploads and export: ``python -m benchmarks.server [--quick] [--json]``.

A closed-loop client on the loopback interface sends uploads of 13 keys, each with a certificate of
its own, all made before the clock starts. The server checks everything. In the same rounds run
``pgbench``, which inserts and commits the same rows, and for SQLite a bare loop that does so.
Times of the processor are per upload. Client, server and database share the machine's cores, so
read the ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from benchmarks.server.client import build_client, publish_requests, send, write_requests
from benchmarks.server.export import measure_export
from benchmarks.server.processes import (
    PostgreSQL,
    Running,
    cpu_seconds,
    run_command,
    running_postgresql,
    running_servers,
)
from benchmarks.server.yardsticks import Pgbench, bare_loop, prepare_pgbench
from server.config import load_settings
from server.store.key_folder import KeyFolder

__all__ = ["measure"]

_CLIENTS = 16
_WARM_UP_REQUESTS = 200
# More requests than the last round's speed would send.
_SPARE = 1.5
_LIMITS = {"verify_requests_per_minute": "1000000000"}

Round = dict[str, Any]


class _Bench:
    """One database: its yardstick, and the servers that use it."""

    def __init__(
        self, folder: Path, seconds: float, settings: dict[str, str], database: PostgreSQL | None
    ) -> None:
        self.home = folder / "home"
        self.seconds = seconds
        self.settings = _LIMITS | settings
        self.database = database
        self._folder = folder
        self._key = KeyFolder(self.home).certificate_key()
        self._unsent: list[bytes] = []
        self._per_second = 0.0

    def yardstick(self) -> float:
        if self.database is not None:
            return Pgbench(self.database, _CLIENTS, self.seconds).per_second
        return bare_loop(self.home / "server.db", self._folder / "bare.db", self.seconds)

    def uploads(self, servers: list[Running], *, clients: int = _CLIENTS) -> Round:
        """Send new uploads, and return the figures of the round."""
        self._prepare()
        to = [servers[each % len(servers)].port for each in range(clients)]
        pids = [each.pid for each in servers]
        before: list[float] = []
        found = send(
            self._folder / "client",
            self._folder / "requests",
            to,
            self.seconds,
            at_start=lambda: before.extend(self._times(pids)),
        )
        after = self._times(pids)
        # Every request that was sent was answered.
        del self._unsent[: found["answered"]]
        server, database = (
            (late - early) / found["answered"] * 1e3
            for late, early in zip(after, before, strict=True)
        )
        self._per_second = max(self._per_second, found["answered"] / found["seconds"])
        return {
            **found,
            "per_second": found["answered"] / found["seconds"],
            "server_cpu_ms": server,
            "database_cpu_ms": database,
        }

    def _prepare(self) -> None:
        number = int(self._per_second * self.seconds * _SPARE) or _WARM_UP_REQUESTS
        missing = max(0, number - len(self._unsent))
        settings = load_settings(self.home)
        self._unsent += publish_requests(missing, self._key, settings)
        write_requests(self._unsent[:number], self._folder / "requests")

    def _times(self, pids: list[int]) -> list[float]:
        database = 0.0 if self.database is None else cpu_seconds([self.database.pid])
        return [cpu_seconds(pids), database]

    def measure(self, rounds: int) -> dict[str, float]:
        """Measure in rounds: the yardstick, one process, two processes, one client."""
        with running_servers(2, self.home, **self.settings) as servers:
            if self.database is not None:
                prepare_pgbench(self.database)
            for each in servers:
                self.uploads([each])
            yardsticks, ones, twos, singles = [], [], [], []
            for _ in range(rounds):
                yardsticks.append(self.yardstick())
                ones.append(self.uploads(servers[:1]))
                twos.append(self.uploads(servers))
                singles.append(self.uploads(servers[:1], clients=1))
        return _summary(yardsticks, ones, twos, singles)


def _summary(
    yardsticks: list[float], ones: list[Round], twos: list[Round], singles: list[Round]
) -> dict[str, float]:
    def middle(rounds: list[Round], name: str) -> float:
        return statistics.median(each[name] for each in rounds)

    ratios = [one["per_second"] / of for one, of in zip(ones, yardsticks, strict=True)]
    both = [two["per_second"] / one["per_second"] for two, one in zip(twos, ones, strict=True)]
    figures = {
        "publishes_per_second": middle(ones, "per_second"),
        "yardstick_per_second": statistics.median(yardsticks),
        "of_yardstick": statistics.median(ratios),
        "server_cpu_ms": middle(ones, "server_cpu_ms"),
        "database_cpu_ms": middle(ones, "database_cpu_ms"),
        "client_cpu_ms": middle(ones, "client_cpu_ms"),
        "workers_2": statistics.median(both),
        "p50_ms": middle(ones, "p50_ms"),
        "p99_ms": middle(ones, "p99_ms"),
        "max_ms": max(each["max_ms"] for each in ones),
        "one_client_p50_ms": middle(singles, "p50_ms"),
    }
    return {name: round(value, 4) for name, value in figures.items()}


@contextlib.contextmanager
def _benches(folder: Path, seconds: float) -> Iterator[dict[str, _Bench]]:
    run_command("init", "--region", "VN", "--json", home=folder / "home")
    build_client(folder)
    with running_postgresql() as database:
        yield {
            "postgresql": _Bench(folder, seconds, {"database_url": database.url}, database),
            "sqlite": _Bench(folder, seconds, {}, None),
        }


def measure(seconds: float, rounds: int, export_keys: int) -> dict[str, Any]:
    """Return the figures of both databases, and of an export.

    Parameters
    ----------
    seconds
        Length of each measurement.
    rounds
        Number of rounds, in which everything is measured once.
    export_keys
        Number of keys in the exported window.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result: dict[str, Any] = {"machine": machine()}
        with _benches(folder, seconds) as benches:
            for kind, bench in benches.items():
                result[kind] = bench.measure(rounds)
        result["export"] = measure_export(folder / "export", export_keys)
    return result


def _print(result: dict[str, Any], line: Callable[[str], None]) -> None:
    line(f"load {result['machine']['load']}")
    for kind, of in (("postgresql", "pgbench"), ("sqlite", "a bare loop")):
        found = result[kind]
        line(
            f"{kind}: {found['publishes_per_second']:.0f} uploads per second, "
            f"{found['of_yardstick']:.3f} of {of} ({found['yardstick_per_second']:.0f}); two"
            f" processes {found['workers_2']:.2f} of one; {found['p50_ms']:.1f} ms, 99 % within"
            f" {found['p99_ms']:.1f}, at most {found['max_ms']:.1f}; one client"
            f" {found['one_client_p50_ms']:.1f} ms; processor: server {found['server_cpu_ms']:.2f}"
            f" ms, database {found['database_cpu_ms']:.2f}, client {found['client_cpu_ms']:.3f}"
        )
    found = result["export"]
    line(
        f"export of {found['keys']:,} keys: {found['cpu_seconds']:.2f} s of the processor,"
        f" {found['peak_mb']:.0f} MB"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--quick", action="store_true", help="less than a minute")
    parser.add_argument("--seconds", type=float, help="length of each measurement")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    seconds, rounds = (1.0, 2) if given.quick else (3.0, 5)
    result = measure(given.seconds or seconds, given.rounds or rounds, 500_000)
    if given.json:
        print(json.dumps(result))
    else:
        _print(result, print)


if __name__ == "__main__":
    main()
