"""What a service manager is told by a real agent: that it is ready, alive, and stopping."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ble_agent.radio.mgmt.guardian import Guardian
from tests.ble_agent.agents import COMMAND, air_process, clock_at, environment, side_by_side
from tests.ble_agent.radio.captures import legacy_report, write_btsnoop
from tests.ble_agent.virtual_air.airs import until
from tracing_core.protocol.advertisement import Advertisement

NOW = 1_800_000_000.0
RATE = 300.0


class Manager:
    """What systemd is to a service: a socket that takes its messages."""

    def __init__(self, folder: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "notify"))
        self.socket.settimeout(60)
        self.path = folder / "notify"

    def next(self) -> str:
        return self.socket.recv(4096).decode()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path)
    with made.socket:
        yield made


@contextlib.contextmanager
def agent_service(
    manager: Manager, home: Path, radio: str, rate: float = 1.0
) -> Iterator[subprocess.Popen[bytes]]:
    variables = {"NOTIFY_SOCKET": str(manager.path), "TRUYVET_RADIO": radio}
    process = subprocess.Popen(
        [*COMMAND, "agent", "--home", str(home), "run"],
        env=environment(clock_at(NOW, rate=rate), **variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=30)


def test_a_recording_is_ready_alive_and_over(manager: Manager, tmp_path: Path) -> None:
    event = legacy_report((Advertisement(os.urandom(16), os.urandom(4)).encode(), -60))
    moments = [NOW - 3000 + 300 * scan for scan in range(5)]
    capture = tmp_path / "c.btsnoop"
    write_btsnoop(capture, [(moment, 4, event) for moment in moments])
    with agent_service(manager, tmp_path / "home", f"replay:{capture}") as process:
        assert manager.next() == "READY=1"
        for _ in moments:
            assert manager.next() == "WATCHDOG=1"
        assert process.wait(60) == 0, process.stderr
        said = []
        manager.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                said.append(manager.next())
    assert said[-1] == "STOPPING=1"


def test_the_watchdog_is_fed_while_the_radio_works_and_while_it_is_away(
    manager: Manager, tmp_path: Path
) -> None:
    clock = clock_at(NOW, rate=RATE)
    with air_process(side_by_side("an", "binh"), tmp_path, clock) as (radios, _):
        with agent_service(manager, tmp_path / "home", radios["an"], RATE) as process:
            assert manager.next() == "READY=1"
            # Listening, changing identifiers and waiting all report; that is hours of its time.
            for _ in range(60):
                assert manager.next() == "WATCHDOG=1"
            # A process that hangs reports nothing, which is what the watchdog is for.
            process.send_signal(signal.SIGSTOP)
            manager.socket.settimeout(0.5)
            with contextlib.suppress(TimeoutError):
                for _ in range(10_000):
                    manager.next()
                pytest.fail("a stopped process reports that it is alive")
            process.send_signal(signal.SIGCONT)
            manager.socket.settimeout(60)
            assert manager.next() == "WATCHDOG=1"
            process.terminate()
            assert process.wait(60) == 0
            while (said := manager.next()) == "WATCHDOG=1":
                pass
            assert said == "STOPPING=1"
        # Without an adapter it is never ready, and fails, so that systemd tries again.
        with agent_service(manager, tmp_path / "home", "hci:tcp-client:127.0.0.1:9") as process:
            assert process.wait(60) == 1


def test_a_lost_adapter_is_no_hang(manager: Manager, tmp_path: Path) -> None:
    clock = clock_at(NOW, rate=RATE)
    with air_process(side_by_side("an", "binh"), tmp_path, clock) as (radios, _):
        service = agent_service(manager, tmp_path / "home", radios["an"], RATE)
        process = service.__enter__()
        assert manager.next() == "READY=1"
    try:
        # The air is gone for good; the agent goes on trying and reporting.
        deadline = time.monotonic() + 60
        while not lost(process):
            assert time.monotonic() < deadline, "it never said that it is trying again"
            assert manager.next() == "WATCHDOG=1"
        for _ in range(10):
            assert manager.next() == "WATCHDOG=1"
        assert process.poll() is None
    finally:
        service.__exit__(None, None, None)


def lost(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether the agent has said that it is trying again."""
    assert process.stderr is not None
    os.set_blocking(process.stderr.fileno(), False)
    return b"trying again" in (process.stderr.read() or b"")


def ignores(pid: int, *signals: signal.Signals) -> bool:
    """Tell whether a process ignores all of these signals."""
    lines = dict(line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    ignored = int(lines["SigIgn"], 16)
    return all(ignored >> number - 1 & 1 for number in signals)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="it asks Linux for signals")
async def test_what_silences_a_dead_agents_radio_outlives_the_service_by_a_moment() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        guardian = Guardian(0, 1, lambda: theirs, lambda: None)
        guardian.watch_advertisement(600)
        process = guardian._process
        await until(lambda: ignores(process.pid, signal.SIGTERM, signal.SIGABRT))
        for number in (signal.SIGTERM, signal.SIGABRT):
            process.send_signal(number)
        assert process.stdin is not None
        process.stdin.close()  # as the agent's death does
        ours.settimeout(30)
        remove_advertising = bytes([0x3F, 0])
        assert ours.recv(64) == remove_advertising + bytes([0, 0, 1, 0, 1])
        command_complete = bytes([1, 0])
        ours.send(command_complete + bytes([0, 0, 4, 0]) + remove_advertising + bytes([0, 1]))
        assert process.wait(30) == 0
        await guardian.close()
