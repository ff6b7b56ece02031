"""Timing of reports, cover traffic and wrong codes: ``python -m tests.server.cover_timing [N]``.

A real server in a process of its own; N of each kind (default 300), in turn. Medians are printed
with their quartiles, by request and as the load of the machine was. Nothing is asserted.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import httpx2

from tests.server.homes import TODAY, days_of_keys
from tests.server.running import Device, RunningServer, clock_at, command

_NOON = TODAY * 600 + 43_200.0
_FEW_DAYS = 2
_WARM_UP = 5


class Stopwatch:
    """Times requests by kind."""

    def __init__(self) -> None:
        self.seconds: dict[tuple[str, str], list[float]] = defaultdict(list)

    def time(self, kind: str, name: str, request: Callable[[], httpx2.Response]) -> httpx2.Response:
        began = time.perf_counter()
        response = request()
        self.seconds[name, kind].append(time.perf_counter() - began)
        return response


def _report(
    kind: str, server: RunningServer, http: httpx2.Client, code: str, watch: Stopwatch
) -> None:
    days = _FEW_DAYS if kind == "few keys" else 14
    device = Device(server.url, http, days_of_keys(days))
    http.headers = httpx2.Headers({"X-Chaff" if kind == "pretence" else "X-Plain": "1"})
    verified = watch.time(kind, "verify", lambda: device.verify(code))
    token = verified.json().get("token", "x" * 43)
    certified = watch.time(kind, "certificate", lambda: device.certificate(token))
    if kind != "wrong":
        certificate = certified.json().get("certificate", "x" * 500)
        watch.time(kind, "publish", lambda: device.publish(certificate))


def main() -> None:
    """Measure and print."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    watch = Stopwatch()
    kinds = ["report", "pretence", "few keys", "wrong"]
    limits = {
        "verify_requests_per_minute": "1000000",
        "max_consecutive_code_failures": "1000000",
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        RunningServer(Path(folder) / "server", clock_at(_NOON), limits) as server,
        httpx2.Client() as http,
    ):
        server.init()
        count = str(2 * (number + _WARM_UP))
        options = ("--long", "--count", count, "--json")
        issued = command("issue", *options, home=server.home, clock=server.clock).stdout
        codes = [json.loads(line)["code"] for line in issued.splitlines()]
        server.start()
        for turn in range(number + _WARM_UP):
            if turn == _WARM_UP:
                watch.seconds.clear()
            random.shuffle(kinds)
            for kind in kinds:
                code = "0" * 16 if kind in ("pretence", "wrong") else codes.pop()
                _report(kind, server, http, code, watch)
    for (name, kind), seconds in sorted(watch.seconds.items()):
        low, median, high = (each * 1000 for each in statistics.quantiles(seconds, n=4))
        line = f"{name:12} {kind:9} {median:6.2f} ms  ({low:.2f} to {high:.2f}, n={len(seconds)})\n"
        sys.stdout.write(line)
    sys.stdout.write(f"load {' '.join(f'{each:.2f}' for each in os.getloadavg())}\n")


if __name__ == "__main__":
    main()
