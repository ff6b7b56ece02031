"""Real processes, and something on the way that lies: what it hides is named, and found later."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.ble_agent.agents import AgentProcess, clock_at
from tests.ble_agent.authority.test_report_and_check import DAY, NOON, hear, restart, send
from tests.fixtures.wire import Exchange, answering, ask
from tests.server.running import RunningServer
from tests.server.running import command as server_command
from tracing_core.clock import ScaledClock

HOUR = 3_600


class Liar:
    """A proxy at the server's own address that may change what it passes on."""

    def __init__(self, server: RunningServer) -> None:
        self._server = server
        self.change: Callable[[Exchange], Exchange | None] | None = None
        self.oldest = b""

    def __call__(self, request: Exchange) -> Exchange | None:
        passed = ask(self._server.url, request)
        return self.change(passed) if self.change is not None else passed

    def swap(self, passed: Exchange) -> Exchange:
        """Give the oldest file under every name, with the headers of the true one."""
        if passed.path.endswith(".zip"):
            passed.answer = self.oldest
        return passed

    def empty(self, passed: Exchange) -> Exchange:
        """Give no file at all, and no signed index."""
        if passed.path.endswith("index.jws"):
            passed.status, passed.answer = 404, b""
        if passed.path.endswith("index.txt"):
            passed.answer = b""
        return passed


@pytest.fixture
def clock() -> ScaledClock:
    return clock_at(NOON)


@pytest.fixture
def server(tmp_path: Path, clock: ScaledClock) -> Iterator[RunningServer]:
    with RunningServer(tmp_path / "server", clock) as running:
        running.init()
        running.start()
        yield running


def test_what_a_liar_hides_is_named_and_found_once_it_is_honest(
    server: RunningServer, clock: ScaledClock, tmp_path: Path
) -> None:
    liar = Liar(server)
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(answering(liar))
        line = f"{url}#{server.join.partition('#')[2]}"
        an, binh = (AgentProcess(tmp_path / name, clock) for name in ("an", "binh"))
        an.answer("join", server.join, "--yes")
        binh.answer("join", line, "--yes")
        hear(binh, send(an, NOON - DAY), NOON - DAY)
        restart(server, NOON + 8 * HOUR, an, binh)
        names = ask(server.url, Exchange("GET", "/exports/VN/index.txt", {}, b"")).answer.split()
        liar.oldest = ask(
            server.url, Exchange("GET", f"/exports/{names[0].decode()}", {}, b"")
        ).answer
        assert an.answer("report", server.issue(), "--yes") == {"reported_keys": 1}
        restart(server, NOON + DAY, an, binh)

        liar.change = liar.swap
        told = binh.command("check")
        assert told.returncode == 1
        assert "is not the one that the list names" in told.stderr + told.stdout
        liar.change = liar.empty
        told = binh.command("check")
        assert told.returncode == 1
        assert "gave no signed list of key files" in told.stderr + told.stdout
        liar.change = None
        assert '"level": "high"' in binh.command("check", "--json").stdout


def test_a_server_whose_exporter_is_dead_is_named(
    server: RunningServer, clock: ScaledClock, tmp_path: Path
) -> None:
    binh = AgentProcess(tmp_path / "binh", clock)
    binh.answer("join", server.join, "--yes")
    server.stop()
    # A folder that is served as it is, while nothing writes to it any more.
    later = clock_at(NOON + DAY)
    server_command("export", home=server.home, clock=later)
    folder = server.home / "exports"
    documents = {}
    server.clock = later
    server.start()
    for path in ("/v1/trust", "/v1/config/VN"):
        documents[path] = ask(server.url, Exchange("GET", path, {}, b"")).answer
    server.stop()

    def static(request: Exchange) -> Exchange:
        request.status = 200
        if request.path in documents:
            request.answer = documents[request.path]
        elif re.fullmatch(r"/exports/VN/[\w.-]+", request.path):
            request.answer = (folder / request.path.removeprefix("/exports/")).read_bytes()
        else:
            request.status = 404
        return request

    with answering(static, port=server.port):
        binh.clock = later
        fresh = binh.command("check")
        assert (fresh.returncode, fresh.stderr) == (0, "")
        binh.clock = clock_at(NOON + 3 * DAY)
        told = binh.command("check")
        assert told.returncode == 1
        assert "for more than a day" in told.stderr + told.stdout
        assert "has expired" in told.stderr + told.stdout
        status = binh.command("status")
        assert status.returncode == 1
        assert "for more than a day" in status.stdout
