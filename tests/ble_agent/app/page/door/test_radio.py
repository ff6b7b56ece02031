"""The agent goes on listening while somebody attacks the page beside it."""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path

import pytest

from tests.ble_agent.agents import AgentProcess, air_process, clock_at, side_by_side
from tests.ble_agent.app.page.door.knocking import Served, served_page
from tracing_core.errors import TracingError

pytestmark = pytest.mark.slow

NOW = 1_630_144_800.0
_RATE = 40
_SCANS = 4
_DEADLINE_SECONDS = 120
# An identifier lasts for ten minutes at least, so none is missed with gaps below that.
_LONGEST_GAP_SECONDS = 600


def _attack(served: Served, ended: threading.Event) -> None:
    guess = served.request("/enter", "POST", body=b"token=guess")
    large = served.request("/enter", "POST", [("Content-Length", str(100 << 20))], b"x")
    while not ended.is_set():
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for _ in range(20):
                connection = stack.enter_context(served.connect())
                connection.sendall(b"GET / HTTP/1.1\r\nHost: evil.example\r\n")
            for raw in (guess, large, b"\0" * 65_536):
                served.send(raw, patience=0.1)


def test_no_scan_is_missed_while_the_page_is_attacked(tmp_path: Path) -> None:
    clock = clock_at(NOW, rate=_RATE)
    ended = threading.Event()
    with contextlib.ExitStack() as stack:
        radios, _ = stack.enter_context(air_process(side_by_side("an", "binh"), tmp_path, clock))
        agents = [
            stack.enter_context(AgentProcess(tmp_path / name, clock)) for name in ("an", "binh")
        ]
        for agent in agents:
            agent.start(radios[agent.home.name])
        served = stack.enter_context(served_page(tmp_path / "an"))
        attackers = [threading.Thread(target=_attack, args=(served, ended)) for _ in range(2)]
        for attacker in attackers:
            attacker.start()
        try:
            deadline = time.monotonic() + _DEADLINE_SECONDS
            while len(_scans(agents[0])) < _SCANS:
                assert time.monotonic() < deadline, agents[0].log()
                time.sleep(0.2)
        finally:
            ended.set()
            for attacker in attackers:
                attacker.join()
        gaps = [scan - before for scan, before in _scans(agents[0]).items() if before is not None]
        assert max(gaps) < _LONGEST_GAP_SECONDS
        assert agents[0].stop() == 0


def _scans(agent: AgentProcess) -> dict[int, int | None]:
    """The times of the scans that heard anything, each with that of the scan before it."""
    with contextlib.suppress(OSError, TracingError):
        return {each.seen_at: each.previous_scan_at for each in agent.sightings()}
    return {}
