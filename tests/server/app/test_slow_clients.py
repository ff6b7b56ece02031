"""Clients that are slow on purpose, on real sockets of a real server."""

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.server.homes import NOW
from tests.server.running import RunningServer, clock_at

LIMIT_SECONDS = 1
PATIENCE_SECONDS = 30
GET_DESCRIPTION = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
HEAD = b"POST /api/verify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    home = tmp_path_factory.mktemp("slow") / "server"
    limit = str(LIMIT_SECONDS)
    # The server's own clock hardly moves: no timeout may depend on it.
    clock = clock_at(NOW, rate=0.001)
    with RunningServer(home, clock, {"request_seconds": limit, "answer_seconds": limit}) as running:
        running.init()
        running.start()
        yield running


@contextlib.contextmanager
def connected(server: RunningServer, first: bytes = b"") -> Iterator[socket.socket]:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(PATIENCE_SECONDS)
        client.connect(("127.0.0.1", server.port))
        client.sendall(first)
        yield client


def trickle(client: socket.socket, data: bytes) -> bytes:
    """Send a byte now and then until the server closes the connection; return its answer."""
    said = b""
    client.settimeout(0.1)
    until = time.monotonic() + PATIENCE_SECONDS
    with contextlib.suppress(ConnectionError):
        for number in range(10**6):
            assert time.monotonic() < until, "the server waits for ever"
            client.sendall(data[number % len(data) :][:1])
            with contextlib.suppress(TimeoutError):
                part = client.recv(65_536)
                if not part:
                    break
                said += part
    return said


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        (b"", b""),
        (HEAD, b""),
        (HEAD + b"X: ", b"x"),
        (HEAD + b"Content-Length: 60000\r\n\r\n{", b" "),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n", b" "),
    ],
    ids=["nothing", "half a head", "a head", "a body", "chunks", "a body nobody reads"],
)
def test_a_request_that_trickles_in_is_given_up(
    server: RunningServer, first: bytes, rest: bytes
) -> None:
    before = server.log()
    with connected(server, first) as client:
        said = trickle(client, rest) if rest else client.recv(65_536)
    assert said == b"" or first.startswith(b"GET")
    assert server.log() == before


def test_it_holds_for_the_second_request_of_a_connection_too(server: RunningServer) -> None:
    with connected(server, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") as client:
        answer = b""
        while not answer.endswith(b"}"):
            answer += client.recv(65_536)
        client.sendall(HEAD)
        assert trickle(client, b"X") == b""


@pytest.mark.parametrize("rest", [HEAD, HEAD + b"Content-Length: 60000\r\n\r\n{"])
def test_nor_does_a_request_sent_along_with_another_wait_for_ever(
    server: RunningServer, rest: bytes
) -> None:
    with connected(server, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + rest) as client:
        while client.recv(65_536):
            pass


def test_a_client_that_does_not_read_is_given_up(server: RunningServer) -> None:
    with connected(server) as client, pytest.raises(ConnectionError):
        client.sendall(GET_DESCRIPTION * 1_000_000)


def test_others_are_served_meanwhile_and_a_pause_is_no_fault(tmp_path: Path) -> None:
    with RunningServer(tmp_path / "server") as server, contextlib.ExitStack() as stack:
        server.init()
        server.start()
        for _ in range(100):
            stack.enter_context(connected(server, HEAD))
        body = b'{"code": "1"}'
        head = HEAD + f"Content-Length: {len(body)}\r\n\r\n".encode()
        patient = stack.enter_context(connected(server, head + body[:5]))
        for _ in range(20):
            assert httpx2.get(f"{server.url}/healthz").status_code == 200
        patient.sendall(body[5:])
        assert patient.recv(65_536).startswith(b"HTTP/1.1 400 Bad Request")


@pytest.mark.parametrize(
    "first",
    [b"", HEAD + b"Content-Length: 60000\r\n\r\n{", GET_DESCRIPTION * 1_000],
    ids=["nothing", "a body", "an answer nobody reads"],
)
def test_who_keeps_the_server_waiting_keeps_nobody_out(tmp_path: Path, first: bytes) -> None:
    settings = {"max_connections": "5"}
    with RunningServer(tmp_path / "server", settings=settings) as server:
        server.init()
        server.start()
        with contextlib.ExitStack() as stack:
            for _ in range(8):
                client = stack.enter_context(connected(server))
                client.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    client.send(first)
            for _ in range(3):
                assert httpx2.get(f"{server.url}/healthz").status_code == 200


def test_a_burst_of_unfinished_requests_shuts_nobody_out(tmp_path: Path) -> None:
    """A burst of 1,500 unfinished requests used to answer others with 503 for seconds."""
    settings = {"max_connections": "200"}
    unfinished = HEAD + b"Content-Length: 60000\r\n\r\n{"
    health = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with RunningServer(tmp_path / "server", settings=settings) as server:
        server.init()
        server.start()
        with contextlib.ExitStack() as stack:
            answers = []
            for number in range(600):
                stack.enter_context(connected(server, unfinished))
                if number % 20 == 19:
                    with connected(server, health) as client:
                        answers.append(client.recv(65_536).partition(b"\r\n")[0])
        assert answers == [b"HTTP/1.1 200 OK"] * 30
