"""Ledger = truth: what a recording proxy sees leave the device is what the ledger lists."""

from __future__ import annotations

import ast
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ble_agent
from ble_agent.air.key_ring import KeyRing
from ble_agent.app import commands
from ble_agent.authority.client import ServerClient
from ble_agent.authority.cover import CoverTraffic
from ble_agent.authority.ledger_notes import (
    COVER,
    NEVER_LEFT,
    EarlyNotes,
    RequestNotes,
    request_kind,
)
from ble_agent.authority.link import ServerLink
from ble_agent.authority.transport import HTTPTransport, Timeouts
from ble_agent.config import AgentConfig
from ble_agent.exposures.checker import Checker
from ble_agent.owner.ledger import LedgerRequest, read_ledger, read_requests
from ble_agent.store.database import delete_old, make_home, open_store
from tests.ble_agent.agents import AgentProcess, clock_at
from tests.ble_agent.fake_server import FakeServer, fake_server
from tests.ble_agent.recording_proxy import RecordingProxy, recording_proxy
from tracing_core.clock import ManualClock
from tracing_core.errors import ServerError, ServerUnreachable, StoreError, TracingError
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.trust.join_line import JoinLine

DAY = 86_400

Line = tuple[str, int, bool]
"""What, bytes, cover."""


def requests_of(sent: bytes) -> Iterator[Line]:
    """Split what a connection sent into requests."""
    while sent:
        head, _, rest = sent.partition(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        fields = head.lower().split(b"\r\n")
        length = next(
            (int(f.split(b":")[1]) for f in fields if f.startswith(b"content-length:")), 0
        )
        cover = any(field.startswith(b"x-chaff:") for field in fields)
        yield request_kind(method, target), len(head) + 4 + length, cover
        sent = rest[length:]


def on_the_wire(proxy: RecordingProxy) -> list[Line]:
    return [line for each in proxy.connections for line in requests_of(bytes(each.sent))]


def in_the_ledger(home: Path) -> list[LedgerRequest]:
    with open_store(home) as db:
        return list(read_requests(db))


def lines(home: Path) -> list[Line]:
    return [(each.what, each.size, each.is_cover) for each in in_the_ledger(home)]


@pytest.fixture
def device(
    tmp_path: Path, server: FakeServer
) -> Iterator[tuple[AgentConfig, RecordingProxy, FakeServer]]:
    with recording_proxy(server.url) as proxy:
        config = AgentConfig(tmp_path / "home", "en", server=proxy.url)
        make_home(config.home)
        # The server is joined under the proxy's address: the ledger names what was asked.
        commands.join(
            config, server.clock, JoinLine.parse(server.line.replace(server.url, proxy.url))
        )
        yield config, proxy, server


def test_a_day_of_life_is_listed_line_by_line(
    device: tuple[AgentConfig, RecordingProxy, FakeServer],
) -> None:
    config, proxy, server = device
    clock = server.clock
    assert isinstance(clock, ManualClock)
    with open_store(config.home) as db:
        KeyRing(db).next_advertisement(clock.now(), Metadata(0))
    link = ServerLink(config.home, clock, config.server)
    checker = Checker(link, None)  # type: ignore[arg-type]
    cover = CoverTraffic(link, None)  # type: ignore[arg-type]
    for hour in range(24):
        if hour % 4 == 0:
            server.add_file(f"{hour:02}.zip")
            checker.check()
        if hour in (5, 17):
            cover.send()
        if hour == 9:
            with pytest.raises(ServerError):
                # The server knows no codes, so the report ends at its first request.
                commands.report(config, clock, "12345678")
        if hour == 11:
            # A redirect, a file that moved, and one that is gone.
            server.special["/v1/trust"] = lambda: (302, {"Location": "/moved/v1/trust"}, b"")
            checker.check()
            del server.special["/v1/trust"]
        if hour == 13:
            commands.check(config, clock)
        clock.advance(3600)
    proxy.close()
    seen = on_the_wire(proxy)
    assert lines(config.home) == seen
    purposes = {what for what, _, _ in seen}
    assert {"trust", "config", "index", "key_file", "code"} <= purposes
    assert sum(is_cover for _, _, is_cover in seen) >= 2
    assert all(each.outcome == "answered" for each in in_the_ledger(config.home))
    assert {f"http://{each.host}" for each in in_the_ledger(config.home)} == {proxy.url}
    ats = [each.at for each in in_the_ledger(config.home)]
    assert ats == sorted(ats)
    assert 22 * 3600 > ats[-1] - ats[0] >= 20 * 3600


def test_a_command_of_its_own_process_is_listed_too(
    device: tuple[AgentConfig, RecordingProxy, FakeServer],
) -> None:
    config, proxy, _ = device
    before = len(lines(config.home))
    for command in (["check"], ["status"]):
        subprocess.run(
            [sys.executable, "-m", "truyvet", "agent", *command, "--home", str(config.home)],
            check=False,
            capture_output=True,
            env={**os.environ, "TRUYVET_SERVER": proxy.url},
        )
    proxy.close()
    assert lines(config.home) == on_the_wire(proxy)
    assert len(lines(config.home)) > before


def test_what_is_asked_before_there_is_a_home_is_listed_by_joining(
    tmp_path: Path, server: FakeServer
) -> None:
    with recording_proxy(server.url) as proxy:
        line = server.line.replace(server.url, proxy.url)
        agent = AgentProcess(tmp_path / "home", clock_at(server.clock.now()))
        declined, _ = agent.in_terminal("join", line, typed="n\n")
        assert declined == 1
        assert not agent.home.exists()
        assert [what for what, _, _ in on_the_wire(proxy)] == ["trust"]
        before = len(on_the_wire(proxy))
        joined, shown = agent.in_terminal("join", line, typed="y\n")
        assert joined == 0, shown
        proxy.close()
        assert lines(agent.home) == on_the_wire(proxy)[before:]
        assert [what for what, _, _ in lines(agent.home)][:2] == ["trust", "trust"]
        assert all(each.outcome == "answered" for each in in_the_ledger(agent.home))


def test_early_notes_are_kept_until_they_are_written(tmp_path: Path) -> None:
    make_home(tmp_path)
    early = EarlyNotes(ManualClock(1_800_000_000))
    early.end(early.begin("example.org", "trust", 100), 200)
    early.end(early.begin("example.org", "trust", 100), NEVER_LEFT)
    with open_store(tmp_path) as db:
        db.conn.execute(
            "CREATE TEMP TRIGGER full BEFORE INSERT ON request"
            " BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
        with pytest.raises(StoreError):
            early.write(db)
        db.conn.execute("DROP TRIGGER full")
        early.write(db)
        early.write(db)
        noted = [(each.at, each.size, each.outcome) for each in read_requests(db)]
    assert noted == [(1_800_000_000, 100, "answered"), (1_800_000_000, 0, "never_left")]


def test_what_never_connected_is_marked_and_no_upload_is_claimed(
    device: tuple[AgentConfig, RecordingProxy, FakeServer],
) -> None:
    config, proxy, server = device
    proxy.close()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        gone = f"http://127.0.0.1:{closed.getsockname()[1]}"
    CoverTraffic(ServerLink(config.home, server.clock, gone), None).send()  # type: ignore[arg-type]
    last = in_the_ledger(config.home)[-1]
    assert (last.what, last.size, last.outcome) == ("code", 0, "never_left")
    assert f"http://{last.host}" == gone
    with open_store(config.home) as db:
        (today, *_) = read_ledger(db)
        assert COVER not in [entry["kind"] for entry in today.entries]
        assert last in today.requests


def test_a_certificate_that_fails_lets_nothing_leave(tmp_path: Path) -> None:
    make_home(tmp_path)
    with open_store(tmp_path) as db, socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                connection.recv(1000)
                connection.sendall(b"this is not TLS")
                connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        notes = RequestNotes(db, ManualClock(1_800_000_000))
        transport = HTTPTransport([url], Timeouts(), notes)
        with pytest.raises(TracingError), transport.exchange("GET", f"{url}/v1/trust", headers={}):
            pass
        transport.close()
        thread.join()
        (noted,) = read_requests(db)
        assert (noted.what, noted.size, noted.outcome) == ("trust", 0, "never_left")


def test_a_lost_answer_is_listed_as_sent(tmp_path: Path) -> None:
    make_home(tmp_path)
    with open_store(tmp_path) as db, socket.create_server(("127.0.0.1", 0)) as listener:
        received = bytearray()

        def answer() -> None:
            connection, _ = listener.accept()
            while not received.endswith(b"\r\n\r\n"):
                received.extend(connection.recv(1000))
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        notes = RequestNotes(db, ManualClock(1_800_000_000))
        with (
            ServerClient(url, ManualClock(0), notes=notes) as client,
            pytest.raises(ServerUnreachable),
        ):
            client.trust_documents()
        thread.join()
        (noted,) = read_requests(db)
        assert (noted.what, noted.size, noted.outcome) == ("trust", len(received), "unanswered")


_KILLED = """
import os, signal, sys
from pathlib import Path
from ble_agent.authority.client import ServerClient
from ble_agent.authority.ledger_notes import RequestNotes
from ble_agent.store.database import open_store
from tracing_core.clock import Clock

with open_store(Path(sys.argv[1])) as db:
    with ServerClient(sys.argv[2], Clock(), notes=RequestNotes(db, Clock())) as client:
        client.trust_documents()
"""


def test_a_request_killed_midway_is_listed_as_not_known(tmp_path: Path) -> None:
    make_home(tmp_path)
    with open_store(tmp_path):
        pass
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        process = subprocess.Popen([sys.executable, "-c", _KILLED, str(tmp_path), url])
        connection, _ = listener.accept()
        received = connection.recv(1000)
        process.send_signal(signal.SIGKILL)
        process.wait()
        connection.close()
    (noted,) = in_the_ledger(tmp_path)
    assert (noted.what, noted.size, noted.outcome) == ("trust", len(received), "stopped")


def test_what_cannot_be_noted_is_not_sent(tmp_path: Path, server: FakeServer) -> None:
    make_home(tmp_path)
    with open_store(tmp_path) as db:
        db.conn.execute(
            "CREATE TRIGGER full BEFORE INSERT ON request BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
        notes = RequestNotes(db, server.clock)
        with (
            ServerClient(server.url, server.clock, notes=notes) as client,
            pytest.raises(StoreError),
        ):
            client.trust_documents()
    assert server.asked == []


def test_a_mirror_that_is_asked_is_listed_with_its_own_name(
    tmp_path: Path, server: FakeServer
) -> None:
    make_home(tmp_path)
    with fake_server() as mirror, open_store(tmp_path) as db:
        server.special["/exports/VN/index.txt"] = lambda: (503, {}, b"")
        notes = RequestNotes(db, server.clock)
        with ServerClient(server.url, server.clock, notes=notes) as client:
            client.index("VN", [mirror.url])
        noted = list(read_requests(db))
        hosts = [f"http://{each.host}" for each in noted]
        assert hosts[0] == server.url
        assert mirror.url in hosts[1:]
        assert noted[0].answer == 503
        assert len(noted) == len(server.asked) + len(mirror.asked)


def test_a_request_is_kept_for_fourteen_days(tmp_path: Path) -> None:
    make_home(tmp_path)
    now = 1_800_000_000
    with open_store(tmp_path) as db:
        notes = RequestNotes(db, ManualClock(now))
        notes.end(notes.begin("example.org", "trust", 100), 200)
        delete_old(db, now + 14 * DAY)
        assert len(list(read_requests(db))) == 1
        delete_old(db, now + 14 * DAY + 1)
        assert list(read_requests(db)) == []


_SENDERS = {"urllib.request", "http.client", "requests", "aiohttp", "httpx", "urllib3", "ftplib"}


def _calls(tree: ast.Module, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            called = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if called == name:
                yield node


def _modules(node: Any) -> list[str]:
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


def test_no_code_path_sends_without_a_note() -> None:
    root = Path(ble_agent.__file__).parent
    makers = []
    for path in sorted(root.rglob("*.py")):
        tree = ast.parse(path.read_text())
        name = path.relative_to(root).as_posix()
        imported = {module for node in ast.walk(tree) for module in _modules(node)}
        # The one that sends is the transport; the client only takes addresses apart.
        assert not imported & _SENDERS, name
        if list(_calls(tree, "Client")) or list(_calls(tree, "AsyncClient")):
            assert name == "authority/transport.py"
        for call in _calls(tree, "HTTPTransport"):
            assert name == "authority/client.py"
            assert len(call.args) == 3
        for call in _calls(tree, "ServerClient"):
            makers.append(name)
            assert "notes" in [keyword.arg for keyword in call.keywords], name
        for call in _calls(tree, "create_connection"):
            raise AssertionError(f"{name}:{call.lineno} connects by itself")
    assert sorted(set(makers)) == ["app/joining.py", "authority/link.py", "owner/end.py"]
