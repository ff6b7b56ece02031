"""Benchmark of what earlier apps recorded: ``python -m benchmarks.earlier_apps``.

- Matching: 1,000 published records of 14 days each, against a log of one day and of a fortnight.
- The import of 100,000 rows, which is the most that the app keeps, in a process of its own.
- The take-over of a folder of 5,000 files, of which 2,000 are looked at, with that log among them:
  the search alone, and all of it with preview and press.

Times are CPU seconds, the minimum of some rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from matcher.others.matching import sightings_of_key
from matcher.others.sightings import OtherIndex
from tracing_core.protocol.bluezone import BLUEZONE, BluezoneKey
from tracing_core.protocol.slots import slots
from tracing_core.store.other_sighting import OtherSighting

__all__ = ["measure"]

_DAY = 86_400
_START = 20_000 * _DAY
_DAYS = 14
_KEYS = 1_000
_MET = 50
_SIGHTINGS_PER_DAY = 2_000
_ROWS = 100_000
_ROUNDS = 3
_SCHEMA = (
    "CREATE TABLE trace_info(_id INTEGER PRIMARY KEY AUTOINCREMENT, blid BLOB, blid_contact BLOB,"
    " macid TEXT, rssi INTEGER, tx_power INTEGER, state INTEGER, timestamp LONG)"
)
_PROGRAM = """
import pathlib, sys, time
from ble_agent.store.database import open_store
from ble_agent.store.importers import import_log

home, log, now = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
began = time.process_time()
with open_store(home) as db:
    print(import_log(db, log, now).kept)
print(time.process_time() - began)
print(pathlib.Path("/proc/self/status").read_text())
"""
_TAKE_OVER = """
import pathlib, sys, time
from ble_agent.config import load_config
from ble_agent.owner.take_over.search import Search
from ble_agent.app.take_over import prepared
from tracing_core.clock import ManualClock

home, folder, now = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
clock = ManualClock(now)
began = time.process_time()
search = Search(clock, home)
search.add_folder(folder)
search.look()
print(search.looked_at)
print(time.process_time() - began)
began = time.process_time()
with prepared(load_config(home), clock, [folder], are_named=True) as found:
    print(found.taken(is_shown=False).facts["kept"])
print(time.process_time() - began)
print(pathlib.Path("/proc/self/status").read_text())
"""
_FILES = 5_000
_LOOKED_AT = 2_000


def _least(work: Callable[[], int], expected: int) -> float:
    seconds = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        if work() != expected:
            raise SystemExit("the benchmark found a wrong number of sightings")
        seconds.append(time.process_time() - began)
    return min(seconds)


def _log(days: int, keys: list[BluezoneKey], chance: random.Random) -> OtherIndex:
    """Make a log in which some keys were heard once, on a day of its own."""
    log = [
        OtherSighting(
            "bluezone", chance.randbytes(12), -70, None, _START + chance.randrange(days * _DAY)
        )
        for _ in range(days * _SIGHTINGS_PER_DAY)
    ]
    for key in keys[:_MET]:
        every = list(slots(BLUEZONE, key))
        slot = every[chance.randrange(days * key.slots_per_day)]
        log.append(OtherSighting("bluezone", slot.identifier, -70, None, slot.first))
    return OtherIndex(log)


def _count(keys: list[BluezoneKey], log: OtherIndex) -> int:
    return sum(len(sightings_of_key(BLUEZONE, key, log)) for key in keys)


def _matching() -> dict[str, float]:
    chance = random.Random(1)
    keys = [
        BluezoneKey(chance.randbytes(32), _START, _START + _DAYS * _DAY - 1) for _ in range(_KEYS)
    ]
    seconds = {}
    for name, days in (("day", 1), ("fortnight", _DAYS)):
        log = _log(days, keys, chance)
        seconds[f"against_a_{name}_seconds"] = round(_least(partial(_count, keys, log), _MET), 3)
    return seconds


def _write(path: Path, chance: random.Random) -> None:
    connection = sqlite3.connect(path)
    connection.execute(_SCHEMA)
    step_ms = (_DAYS - 1) * _DAY * 1000 // _ROWS
    connection.executemany(
        "INSERT INTO trace_info (blid, blid_contact, rssi, tx_power, timestamp)"
        " VALUES (?, ?, ?, 0, ?)",
        (
            (chance.randbytes(12), chance.randbytes(12), -70, _START * 1000 + number * step_ms)
            for number in range(_ROWS)
        ),
    )
    connection.commit()
    connection.close()


def _importing() -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="truyvet-benchmark-") as name:
        log = Path(name, "app_db_2.db")
        _write(log, random.Random(1))
        seconds, peaks = [], []
        for number in range(_ROUNDS):
            home = Path(name, f"home{number}")
            home.mkdir(mode=0o700)
            now = str(_START + (_DAYS - 1) * _DAY)
            command = [sys.executable, "-c", _PROGRAM, str(home), str(log), now]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            kept, took, status = done.stdout.split("\n", 2)
            if int(kept) != _ROWS:
                raise SystemExit(f"the import kept {kept} rows of {_ROWS}")
            seconds.append(float(took))
            peaks.append(_peak_megabytes(status))
    return {"seconds": round(min(seconds), 2), "peak_megabytes": round(max(peaks))}


def _peak_megabytes(status: str) -> float:
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(peak[1]) / 1024 if peak else float("nan")


def _taking_over() -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="truyvet-benchmark-") as name:
        folder = Path(name, "folder")
        folder.mkdir()
        chance = random.Random(1)
        for number in range(_FILES):
            path = folder / f"file{number}"
            path.write_bytes(chance.randbytes(4096))
            os.utime(path, (number, number))
        _write(folder / "app_db_2.db", chance)
        searches, seconds, peaks = [], [], []
        for number in range(_ROUNDS):
            home = Path(name, f"home{number}")
            home.mkdir(mode=0o700)
            now = str(_START + (_DAYS - 1) * _DAY)
            command = [sys.executable, "-c", _TAKE_OVER, str(home), str(folder), now]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            looked_at, search, kept, took, status = done.stdout.split("\n", 4)
            if (int(looked_at), int(kept)) != (_LOOKED_AT, _ROWS):
                raise SystemExit(f"the take-over looked at {looked_at} files and kept {kept} rows")
            searches.append(float(search))
            seconds.append(float(took))
            peaks.append(_peak_megabytes(status))
    return {
        "search_seconds": round(min(searches), 3),
        "seconds": round(min(seconds), 2),
        "peak_megabytes": round(max(peaks)),
    }


def measure() -> dict[str, Any]:
    """Return the time of matching, and the time and memory of an import and of a take-over."""
    return {
        "machine": machine(),
        "keys": _KEYS,
        "days": _DAYS,
        "matching": _matching(),
        "rows": _ROWS,
        "importing": _importing(),
        "files": _FILES,
        "taking_over": _taking_over(),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--json", action="store_true")
    result = measure()
    if parser.parse_args().json:
        print(json.dumps(result))
        return
    matching, importing = result["matching"], result["importing"]
    print(f"load {result['machine']['load']}")
    print(
        f"{_KEYS:,} Bluezone records of {_DAYS} days: {matching['against_a_day_seconds']} s against"
        f" a day's log, {matching['against_a_fortnight_seconds']} s against a fortnight's"
    )
    print(f"import of {_ROWS:,} rows: {importing['seconds']} s, {importing['peak_megabytes']} MB")
    taking = result["taking_over"]
    print(
        f"take-over of a folder of {_FILES:,} files: search {taking['search_seconds']} s; all of it"
        f" with {_ROWS:,} rows {taking['seconds']} s, {taking['peak_megabytes']} MB"
    )


if __name__ == "__main__":
    main()
