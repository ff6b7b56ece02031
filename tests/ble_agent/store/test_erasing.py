"""Erasing a home while a process is at work in it: real processes, asked to stop."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ble_agent.messages.explanation import explain
from ble_agent.store.damage import DATABASE_NAME
from ble_agent.store.home import LOCK_NAME, erase_home, exclusive_use, is_running
from tests.ble_agent.agents import AgentProcess, air_process, clock_at, side_by_side
from tests.ble_agent.virtual_air.air_trace import read_trace, sent
from tracing_core.errors import NotPossible

# An agent of an earlier version locks the file and leaves it empty.
EARLIER = """
    import fcntl
    lock = open(home / "agent.lock", "a")
    fcntl.flock(lock, fcntl.LOCK_EX)
    print("locked", flush=True)
    time.sleep(600)
"""
PRESENT = """
    from ble_agent.store.home import exclusive_use
    with exclusive_use(home, until_stopped=True):
        print("locked", flush=True)
        time.sleep(600)
"""
DEAF = "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
COMMAND = """
    from ble_agent.store.home import exclusive_use
    with exclusive_use(home):
        print("locked", flush=True)
        sys.stdin.read()
"""


def program(code: str) -> str:
    head = "    import pathlib, signal, sys, time\n    home = pathlib.Path(sys.argv[1])\n"
    return textwrap.dedent(head + code)


@contextlib.contextmanager
def process(home: Path, code: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run code that locks a home, from the moment on that it is locked."""
    with subprocess.Popen(
        [sys.executable, "-c", program(code), str(home), *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "locked\n"
        try:
            yield running
        finally:
            running.kill()


def make_home(home: Path) -> Path:
    home.mkdir()
    (home / DATABASE_NAME).write_bytes(b"secret" * 1000)
    return home


def test_a_running_agent_is_stopped_falls_silent_and_leaves_nothing(tmp_path: Path) -> None:
    clock = clock_at(1_800_000_000.0, rate=60.0)
    with (
        air_process(side_by_side("owner", "other"), tmp_path, clock) as (radios, trace),
        AgentProcess(tmp_path / "owner", clock) as agent,
        AgentProcess(tmp_path / "other", clock) as other,
    ):
        agent.start(radios["owner"])
        other.start(radios["other"])
        # The database is there before the radio is used.
        while "using" not in other.log() or not other.sightings():
            assert agent.process is not None
            assert agent.process.poll() is None, agent.log()
            time.sleep(0.05)
        code, asked = agent.in_terminal("erase", lang="vi", typed="c\n")
        erased_at = clock.now()
        assert code == 0, asked
        assert "Chương trình đang chạy và sẽ được dừng trước khi xóa." in asked
        assert "Đã xóa toàn bộ." in asked
        assert "Chương trình đã được dừng." in asked
        assert not agent.home.exists()
        # A clean end: systemd's Restart=on-failure does not start it again.
        assert agent.process is not None
        assert agent.process.wait(30) == 0
        agent.process = None
        heard = len(other.sightings())
        assert other.stop() == 0
    assert heard
    runs = sent(read_trace(trace), "owner")
    assert runs
    assert all(run["last"] <= erased_at for run in runs)


def test_an_agent_of_an_earlier_version_is_stopped_too(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    # What a killed agent left in the file names another process.
    (home / LOCK_NAME).write_text("lasting 1 1\n")
    stops: list[bool] = []
    with process(home, EARLIER, "agent", "run") as agent:
        assert erase_home(home, on_stop=lambda: stops.append(True)) == []
        assert agent.wait(30) == -signal.SIGTERM
    assert stops == [True]
    assert not home.exists()


def test_another_program_that_holds_the_lock_is_left_alone(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    with process(home, EARLIER) as other:
        with pytest.raises(NotPossible) as caught:
            erase_home(home)
        assert caught.value.code == "running"
        assert other.poll() is None
    assert (home / DATABASE_NAME).read_bytes() == b"secret" * 1000


def test_a_suspended_agent_is_stopped(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    with process(home, PRESENT) as agent:
        agent.send_signal(signal.SIGSTOP)
        assert is_running(home)
        assert erase_home(home) == []
        assert agent.wait(30) == -signal.SIGTERM
    assert not home.exists()


@pytest.mark.parametrize("language", ["en", "vi"])
def test_a_hung_agent_is_named_and_nothing_is_deleted(tmp_path: Path, language: str) -> None:
    home = make_home(tmp_path / "home")
    with process(home, DEAF + PRESENT) as agent:
        with pytest.raises(NotPossible) as caught:
            erase_home(home, stop_seconds=0.2)
        assert caught.value.code == "running_hung"
        said = explain(caught.value, language)
        assert said.count(str(agent.pid)) == 2
        assert "sudo systemctl stop truyvet-agent" in said
        assert "\n" not in said
        assert agent.poll() is None
    assert (home / DATABASE_NAME).read_bytes() == b"secret" * 1000
    assert erase_home(home) == [], "what a killed agent left in the lock file names nobody"


def test_a_command_at_work_is_left_to_finish(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    stops: list[bool] = []
    with process(home, COMMAND) as command:
        assert command.stdin is not None
        done = threading.Timer(1.0, command.stdin.close)
        done.start()
        assert erase_home(home, on_stop=lambda: stops.append(True)) == []
        done.join()
        assert command.wait(30) == 0
    assert stops == []
    assert not home.exists()


def test_an_agent_that_is_started_again_finds_nothing_of_the_old(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    manager = "import subprocess, sys\nwhile True:\n    subprocess.run(sys.argv[1:])"
    agent = [sys.executable, "-c", program("    home.mkdir(exist_ok=True)\n" + PRESENT), str(home)]
    with subprocess.Popen(
        [sys.executable, "-c", manager, *agent],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as manager_process:
        assert manager_process.stdout is not None
        assert manager_process.stdout.readline() == "locked\n"
        assert erase_home(home) == []
        assert manager_process.stdout.readline() == "locked\n"
        assert [path.name for path in home.iterdir()] == [LOCK_NAME]
        os.killpg(manager_process.pid, signal.SIGKILL)


def test_a_lock_file_that_was_erased_meanwhile_locks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, lock = tmp_path / LOCK_NAME, fcntl.flock

    def erased_first(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        path.unlink()
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", erased_first)
    with exclusive_use(tmp_path):
        assert is_running(tmp_path)
        assert path.exists()
    assert path.read_bytes() == b""
