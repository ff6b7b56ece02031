"""Exports by several processes, and by processes that are killed."""

import json
import multiprocessing
import os
import secrets
import shutil
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from server.config import load_settings
from server.context import Server
from server.export.exporter import run_due
from server.store.diagnosis_keys import NewKey, insert_keys
from tests.server.exporting import export_and_die, export_for_ever, export_once
from tests.server.homes import NOW, TODAY, open_server
from tracing_core.clock import ManualClock, ScaledClock
from tracing_core.export_file import read_export, read_index
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType
from tracing_core.trust.signed_index import SignedIndex

HOUR = 3_600
HOURLY = {"export_period_seconds": HOUR, "export_padding_keys": 100, "export_padding_spread": 10}
KILLS = 50


@pytest.fixture(scope="module")
def processes():
    """Processes that start quickly, forked from one that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.server.exporting"])
    return context


def fill(home, hours: int, per_hour: int) -> dict[bytes, int]:
    """Prepare a home with keys of the coming hours; return when each was created."""
    begin = int(NOW) // HOUR * HOUR
    created = {}
    server = open_server(home, ManualClock(NOW))
    with server.database.begin() as conn:
        for hour in range(hours):
            at = begin + hour * HOUR
            keys = [
                DiagnosisKey(secrets.token_bytes(16), TODAY - 432, 144, ReportType.CONFIRMED_TEST)
                for _ in range(per_hour)
            ]
            insert_keys(conn, "VN", [NewKey(key, at) for key in keys])
            created |= dict.fromkeys((key.key_data for key in keys), at)
    public_key = server.keys.export_keys(NOW)[0].private_key.public_key()
    server.close()
    return created, public_key


def check_listed(home, public_key, seen: dict[str, str]) -> list[str]:
    """Check that every listed file is whole and signed, and unchanged since the last check."""
    index = home / "exports/VN/index.txt"
    names = read_index(index.read_bytes()) if index.exists() else []
    assert names[: len(seen)] == list(seen)
    for name in names:
        data = (home / "exports" / name).read_bytes()
        digest = sha256(data).hexdigest()
        if seen.setdefault(name, digest) != digest:
            raise AssertionError(f"{name} was exported twice")
    check_signed_index(home)
    for name in names[-3:]:
        read_export(home / "exports" / name, public_keys=[public_key])
    return names


def check_signed_index(home) -> None:
    """Check that the signed index, if there is one, names only files that are there and whole."""
    index = home / "exports/VN/index.jws"
    if index.exists():
        for file in SignedIndex.verify(index.read_text(), None).files:
            data = (home / "exports" / file.name).read_bytes()
            assert (len(data), sha256(data).hexdigest()) == (file.size, file.sha256)


def check_complete(home, public_key, created) -> None:
    """Check that windows are contiguous and that every key left once, in its window."""
    names = check_listed(home, public_key, {})
    exports = [read_export(home / "exports" / name, public_keys=[public_key]) for name in names]
    starts = [export.start_timestamp for export in exports]
    begin = int(NOW) // HOUR * HOUR
    assert starts == list(range(begin, begin + HOUR * len(starts), HOUR))
    left = [
        (each.key_data, export.start_timestamp)
        for export in exports
        for each in export.keys
        if each.key_data in created
    ]
    assert sorted(left) == sorted((data, at) for data, at in created.items() if at <= starts[-1])
    folder = home / "exports"
    assert {f"VN/{path.name}" for path in (folder / "VN").iterdir()} == {
        "VN/index.txt",
        "VN/index.jws",
        *names,
    }
    assert list((folder / ".staging").iterdir()) == []


def test_a_killed_export_leaves_nothing_half_and_loses_nothing(tmp_path, processes):
    home = tmp_path / "home"
    created, public_key = fill(home, 24 * 13, 4)
    random = Random(11)
    seen: dict[str, str] = {}
    rate = 24.0 * HOUR
    told = NOW
    for _ in range(KILLS):
        ours, theirs = processes.Pipe(duplex=False)
        process = processes.Process(
            target=export_for_ever, args=(home, told, rate, theirs, HOURLY), daemon=True
        )
        process.start()
        theirs.close()
        told = ours.recv()
        began = time.monotonic()
        time.sleep(random.uniform(0, 0.4))
        process.kill()
        process.join()
        assert process.exitcode == -9
        told += (time.monotonic() - began) * rate
        check_listed(home, public_key, seen)
    assert len(seen) > KILLS / 2
    assert told < NOW + 13 * 86_400
    environment = os.environ | {
        "TRUYVET_CLOCK": str(ScaledClock(shown=told + 3 * HOUR, real=time.time())),
        **{f"TRUYVET_SERVER_{name.upper()}": str(value) for name, value in HOURLY.items()},
    }
    truyvet = Path(sys.executable).with_name("truyvet")
    command = [truyvet, "server", "export", "--home", home, "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert json.loads(done.stdout)["files"]
    check_listed(home, public_key, seen)
    check_complete(home, public_key, created)


def test_an_export_killed_at_any_step_is_finished_by_the_next(tmp_path, processes):
    few = HOURLY | {"export_padding_keys": 3, "export_padding_spread": 1}
    home = tmp_path / "home"
    created, public_key = fill(home, 1, 3)
    clock = str(ScaledClock(shown=NOW + 3 * HOUR, real=time.time()))
    survived = False
    step = 0
    while not survived:
        step += 1
        copy = tmp_path / str(step)
        shutil.copytree(home, copy)
        _, theirs = processes.Pipe(duplex=False)
        process = processes.Process(target=export_and_die, args=(copy, clock, step, theirs, few))
        process.start()
        theirs.close()
        process.join()
        survived = process.exitcode == 0
        assert survived or process.exitcode == -9
        seen: dict[str, str] = {}
        check_listed(copy, public_key, seen)
        server = Server.open(load_settings(copy, **few), ManualClock(NOW + 3 * HOUR))
        run_due(server, "VN")
        server.close()
        check_listed(copy, public_key, seen)
        check_complete(copy, public_key, created)
        shutil.rmtree(copy)
    assert step > 15


def test_exporters_at_the_same_time_export_every_window_once(tmp_path, processes):
    home = tmp_path / "home"
    created, public_key = fill(home, 30, 20)
    clock = str(ScaledClock(shown=NOW + 30 * HOUR, real=time.time()))
    pipes = []
    started = []
    for _ in range(4):
        ours, theirs = processes.Pipe(duplex=False)
        process = processes.Process(target=export_once, args=(home, clock, theirs, HOURLY))
        process.start()
        theirs.close()
        pipes.append(ours)
        started.append(process)
    written = [name for pipe in pipes for name in pipe.recv()[0]]
    for process in started:
        process.join()
        assert process.exitcode == 0
    assert len(written) == len(set(written)) == 28
    assert sorted(written) == check_listed(home, public_key, {})
    check_complete(home, public_key, created)


def test_a_hundred_thousand_keys_in_a_window_take_bounded_memory(tmp_path, processes):
    home = tmp_path / "home"
    created, public_key = fill(home, 1, 100_000)
    clock = str(ScaledClock(shown=NOW + 4 * HOUR, real=time.time()))
    growth = {}
    for limit in (500_000, 10_000):
        copy = tmp_path / str(limit)
        shutil.copytree(home, copy)
        ours, theirs = processes.Pipe(duplex=False)
        changes = HOURLY | {"export_max_keys_per_file": limit}
        process = processes.Process(target=export_once, args=(copy, clock, theirs, changes))
        process.start()
        theirs.close()
        names, growth[limit] = ours.recv()
        process.join()
        first = int(NOW) // HOUR * HOUR
        exports = [
            read_export(copy / "exports" / name, public_keys=[public_key])
            for name in names
            if name.startswith(f"VN/{first}-")
        ]
        data = {each.key_data for export in exports for each in export.keys}
        assert data >= created.keys()
        assert len(exports) == (1 if limit > len(created) else 11)
    assert growth[500_000] < 150 << 20
    # Memory depends on the size of a file, not of a window.
    assert growth[10_000] < 50 << 20
