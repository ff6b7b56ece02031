"""Benchmark of the owner's page on a full log: ``python -m benchmarks.page.screens``.

For each screen: seconds (median and 95th percentile) and CPU seconds of an answer, and the bytes of
its HTML with the style sheet; at last the peak memory of the page's process. The device has met
three people who reported, so that the log must be searched. ``--without zxingcpp`` hides a library.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.machine import machine
from benchmarks.page.full_log import make_full_home
from ble_agent.air.key_ring import KeyRing
from ble_agent.app.page.screens import SCREENS
from ble_agent.authority.join_file import JoinFile
from ble_agent.exposures.files.key_files import KeyFile
from ble_agent.exposures.matched_keys import write_matches
from ble_agent.store.database import open_store
from ble_agent.store.state import MEMBERSHIP
from tracing_core.clock import Clock
from tracing_core.export_file import ExportFile
from tracing_core.protocol.associated_encrypted_metadata import Metadata, encrypt_aem
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType
from tracing_core.protocol.rolling_proximity_identifier import rpis_of
from tracing_core.protocol.temporary_exposure_key import TemporaryExposureKey, derive_aemk
from tracing_core.store.sighting import Sighting, insert_sightings
from tracing_core.store.sqlite import transaction

__all__ = ["measure"]

_DAY = 86_400
_EXAMPLE = Path(__file__).parents[2] / "docs" / "joining.md"
_TICKS = os.sysconf("SC_CLK_TCK")
# Hides libraries, and says at the end whether numpy was loaded.
_PROGRAM = """
import atexit, sys
hidden = sys.argv.pop(1)
sys.modules.update({name: None for name in hidden.split(",") if name})
from tracing_core.cli import main
atexit.register(lambda: sys.stderr.write("numpy\\n" if "numpy" in sys.modules else ""))
main()
"""


def _make_home(home: Path, now: int, rows: int) -> int:
    made = make_full_home(home, now, rows)
    block = re.search(r"```toml\n(.*?)```", _EXAMPLE.read_text(), re.DOTALL)
    assert block is not None
    file = JoinFile.from_fields(tomllib.loads(block[1]), home)
    with open_store(home) as db:
        with transaction(db):
            MEMBERSHIP.set(db, {"file": file.to_fields()})
        for day in range(13, -1, -1):
            KeyRing(db).next_advertisement(now - day * _DAY, Metadata(0))
        keys = []
        for day in (2, 3, 5):
            tek = TemporaryExposureKey.generate((now // _DAY - day) * 144)
            with transaction(db):
                insert_sightings(db, _meeting(tek))
            first = tek.rolling_start_interval_number
            keys.append(DiagnosisKey(tek.key_data, first, 144, ReportType.CONFIRMED_TEST, 0))
        export = ExportFile(now // 3600 * 3600 - 3600, now // 3600 * 3600, "VN", tuple(keys), ())
        found = {key.key_data for key in keys}
        write_matches(db, KeyFile("made", export), found, Clock())
    return made


def _meeting(tek: TemporaryExposureKey) -> Iterator[Sighting]:
    began = tek.rolling_start_interval_number * 600 + 36_000
    for moment in range(began, began + 1_500, 240):
        rpi = rpis_of(tek)[moment // 600 - tek.rolling_start_interval_number]
        aem = encrypt_aem(derive_aemk(tek.key_data), rpi, Metadata(0))
        yield Sighting(rpi, aem, (-50,) * 9, moment, moment - 240)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _peak_megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


class _Page:
    """A running page, and a client that was let in."""

    def __init__(self, home: Path, without: str) -> None:
        arguments = ["agent", "--home", str(home), "page", "--no-open"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, without, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        link = re.search(r"http://\S+", self.process.stdout.readline())
        assert link is not None
        origin, _, token = link[0].partition("/#")
        self.http = httpx2.Client(base_url=origin, headers={"Origin": origin}, timeout=120)
        entered = self.http.post("/enter", data={"token": token})
        self.session = entered.headers["Location"].rsplit("/", 1)[0]

    def measure(self, path: str, rounds: int) -> dict[str, Any]:
        style = len(self.http.get("/page.css").content)
        seconds, before = [], _cpu_seconds(self.process.pid)
        for _ in range(rounds):
            began = time.perf_counter()
            answer = self.http.get(f"{self.session}/{path}", follow_redirects=True)
            seconds.append(time.perf_counter() - began)
        return {
            "screen": path,
            "status": answer.status_code,
            "median_seconds": statistics.median(seconds),
            "p95_seconds": sorted(seconds)[int(0.95 * (rounds - 1))],
            "first_seconds": seconds[0],
            "cpu_seconds": (_cpu_seconds(self.process.pid) - before) / rounds,
            "bytes": len(answer.content) + style,
        }

    def end(self) -> bool:
        """End the page, and return whether it had loaded numpy."""
        self.http.close()
        self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=60)
        if self.process.returncode != 0:
            raise SystemExit(said)
        return "numpy" in said


def measure(rows: int = 900_000, rounds: int = 40, without: str = "") -> dict[str, Any]:
    """Return the cost of every screen, and the memory of the process after them."""
    paths: Sequence[str] = [each.path for each in SCREENS if each.method == "GET"]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        made = _make_home(home, int(time.time()), rows)
        page = _Page(home, without)
        try:
            start = _peak_megabytes(page.process.pid)
            screens = [page.measure(path, rounds) for path in paths]
            peak = _peak_megabytes(page.process.pid)
            has_numpy = page.end()
        finally:
            with contextlib.suppress(ProcessLookupError):
                page.process.kill()
    return {
        "machine": machine(),
        "rows": made,
        "without": without,
        "screens": screens,
        "start_megabytes": start,
        "peak_megabytes": peak,
        "numpy": has_numpy,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--rows", type=int, default=900_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--without", default="", metavar="MODULE,…")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    result = measure(given.rows, given.rounds, given.without)
    if given.json:
        print(json.dumps(result))
        return
    print(f"load {result['machine']['load']}, {result['rows']:,} sightings")
    for each in result["screens"]:
        print(
            f"{each['screen']:16} {each['status']} median {1e3 * each['median_seconds']:4.0f} ms"
            f" p95 {1e3 * each['p95_seconds']:4.0f} ms first {1e3 * each['first_seconds']:5.0f} ms"
            f" CPU {1e3 * each['cpu_seconds']:4.0f} ms {each['bytes']:6,} bytes"
        )
    print(f"memory {result['start_megabytes']:.0f} MB, later {result['peak_megabytes']:.0f} MB")
    print("numpy was loaded" if result["numpy"] else "numpy was not loaded")


if __name__ == "__main__":
    main()
