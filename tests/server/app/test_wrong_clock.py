"""A real server whose system clock is wrong, by libfaketime (attacks.md T4)."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.server.homes import key
from tests.server.running import Device, RunningServer, answer
from tracing_core.export_file import read_export
from tracing_core.http.publish_request import PublishedKey

_DAY_INTERVALS = 144
_FAST = {"worker_interval_seconds": "1", "export_padding_keys": "5", "export_padding_spread": "1"}


@pytest.fixture(scope="module")
def library() -> str:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        pytest.skip("libfaketime is not installed: sudo apt install faketime")
    return str(found[0])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with RunningServer(tmp_path / "home", settings=_FAST) as server:
        server.init()
        yield server


def key_in_use() -> PublishedKey:
    return key(int(time.time() // 600) // _DAY_INTERVALS * _DAY_INTERVALS)


def report(server: RunningServer) -> PublishedKey:
    one = key_in_use()
    with httpx2.Client() as http:
        device = Device(server.url, http, [one])
        assert device.publish(device.certify(server.issue())).status_code == 200
    return one


def wait_for_files(server: RunningServer) -> None:
    """Wait until the worker has written key files up to its own clock."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        lines = httpx2.get(f"{server.url}/exports/VN/index.txt").text.split()
        if len(lines) >= 2:
            return
        time.sleep(0.2)
    pytest.fail(server.log())


def published(server: RunningServer) -> set[bytes]:
    files = (server.home / "exports/VN").glob("*.zip")
    return {each.key_data for path in files for each in read_export(path).keys}


def test_a_server_that_starts_under_a_clock_30_hours_ahead_publishes_no_key_in_use(
    server: RunningServer, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.start()
    one = report(server)
    server.stop()
    monkeypatch.setenv("LD_PRELOAD", library)
    # So far ahead, no file is written at all.
    monkeypatch.setenv("FAKETIME", "+30h")
    server.start()
    health = httpx2.get(f"{server.url}/healthz").json()
    assert health == {"status": "ok", "clock": "ahead"}
    server.stop()
    assert "all key files are held back" in server.log()
    assert published(server) == set()
    # Less far, files are written, and the key is not in them.
    monkeypatch.setenv("FAKETIME", "+23h")
    server.start()
    wait_for_files(server)
    server.stop()
    assert one.key_data not in published(server)
    assert answer("clock", home=server.home)["vouched_for"] is False


def test_a_running_server_whose_clock_leaps_ahead_publishes_no_key_in_use(
    server: RunningServer, library: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    offset = tmp_path / "offset"
    offset.write_text("+0\n")
    for name, value in {
        "LD_PRELOAD": library,
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
    }.items():
        monkeypatch.setenv(name, value)
    server.start()
    one = report(server)
    (tmp_path / "new").write_text("+23h\n")
    os.replace(tmp_path / "new", offset)
    wait_for_files(server)
    server.stop()
    assert one.key_data not in published(server)
    assert "keys in use are held back" in server.log()
