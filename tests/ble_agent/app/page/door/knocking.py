"""A real process of the page, and raw sockets that knock at its door."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.ble_agent.agents import COMMAND, environment
from tracing_core.clock import ScaledClock

__all__ = ["MOST_MEBIBYTES", "Answer", "Served", "Visitor", "served_page"]

MOST_MEBIBYTES = 64
"""Memory that the page's process may have at most."""

_WAIT_SECONDS = 30
# In every screen, and in nothing that is answered without a session.
_MARK_OF_A_SCREEN = b'id="main"'


@dataclass(frozen=True)
class Answer:
    """One answer, as it came over the wire."""

    raw: bytes

    @property
    def status(self) -> int:
        """The status; 0 if the connection was closed without an answer."""
        return int(self.raw.split(b" ", 2)[1]) if self.raw else 0

    @property
    def head(self) -> str:
        return self.raw.partition(b"\r\n\r\n")[0].decode("latin-1")

    @property
    def body(self) -> str:
        return self.raw.partition(b"\r\n\r\n")[2].decode()

    def header(self, name: str) -> str:
        found = re.search(rf"(?im)^{name}: *(.*?)\r?$", self.head)
        return found[1] if found else ""

    @property
    def shows_a_screen(self) -> bool:
        return _MARK_OF_A_SCREEN in self.raw


@dataclass
class Served:
    """A page that is being served."""

    process: subprocess.Popen[str]
    printed: str
    """What the command had printed up to the link."""

    @property
    def link(self) -> str:
        return re.findall(r"http://\S+", self.printed)[0]

    @property
    def scheme(self) -> str:
        return "http"

    @property
    def token(self) -> str:
        return self.link.partition("#")[2]

    @property
    def port(self) -> int:
        return int(self.host.partition(":")[2])

    @property
    def host(self) -> str:
        return urllib.parse.urlsplit(self.link).netloc

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), _WAIT_SECONDS)

    def send(self, raw: bytes, *, patience: float = _WAIT_SECONDS) -> Answer:
        """Send bytes, and return all that comes back until nothing did for a while."""
        with self.connect() as connection:
            with contextlib.suppress(OSError):
                connection.sendall(raw)
            connection.settimeout(patience)
            return Answer(read_all(connection))

    def ask(
        self,
        target: str = "/",
        method: str = "GET",
        headers: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
    ) -> Answer:
        """Send a request as a browser does, but for the headers given, which replace its own."""
        return self.send(self.request(target, method, headers, body))

    def request(
        self,
        target: str = "/",
        method: str = "GET",
        headers: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
    ) -> bytes:
        names = {name.lower() for name, _ in headers}
        usual = [("Host", self.host), ("Connection", "close")]
        if method == "POST":
            usual += [
                ("Origin", f"{self.scheme}://{self.host}"),
                ("Content-Type", "application/x-www-form-urlencoded"),
                ("Content-Length", str(len(body or b""))),
            ]
        # A header of the value "-" is left out.
        sent = [*(each for each in usual if each[0].lower() not in names), *headers]
        lines = [f"{name}: {value}" for name, value in sent if value != "-"]
        head = "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""])
        return head.encode("latin-1") + (body or b"")

    def enter(self, token: str) -> Answer:
        return self.ask("/enter", "POST", body=form(token=token))

    def visit(self) -> Visitor:
        """Come in by the link, as the owner."""
        return Visitor.of(self, self.enter(self.token))

    def peak_mebibytes(self) -> float:
        """The memory that the process has had at most, on Linux."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@dataclass
class Visitor:
    """A browser that came in."""

    served: Served
    path: str
    """Path of the session, without slashes."""
    cookie: str
    """Name and value."""
    key: str = ""
    """The form key."""

    @classmethod
    def of(cls, served: Served, answer: Answer) -> Visitor:
        assert answer.status == 303, answer.raw
        path = answer.header("location").split("/")[1]
        visitor = cls(served, path, answer.header("set-cookie").partition(";")[0])
        found = re.search(r'name="key" value="([^"]+)"', visitor.ask("join").body)
        assert found
        visitor.key = found[1]
        return visitor

    def ask(self, screen: str, *headers: tuple[str, str]) -> Answer:
        return self.served.ask(
            f"/{self.path}/{screen}", headers=[("Cookie", self.cookie), *headers]
        )

    def post(self, screen: str, fields: Mapping[str, str], *headers: tuple[str, str]) -> Answer:
        body = form(**{"key": self.key, **fields})
        return self.served.ask(
            f"/{self.path}/{screen}", "POST", [("Cookie", self.cookie), *headers], body
        )

    @property
    def is_in(self) -> bool:
        answer = self.ask("join")
        return answer.status == 200 and answer.shows_a_screen


def form(**fields: str) -> bytes:
    return urllib.parse.urlencode(fields).encode()


def read_all(connection: socket.socket) -> bytes:
    """Return what comes until the other side closes, or says nothing for long."""
    received = b""
    with contextlib.suppress(ConnectionError, TimeoutError):
        while piece := connection.recv(1 << 16):
            received += piece
    return received


@contextlib.contextmanager
def served_page(
    home: Path,
    *arguments: str,
    clock: ScaledClock | None = None,
    language: str = "en",
    prefix: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    opens: bool = False,
    last_line: str = "http://",
) -> Iterator[Served]:
    """Serve the page of a home as long as the block runs; it must end well and log nothing."""
    log = home.with_suffix(".page.log")
    with log.open("w") as errors:
        process = subprocess.Popen(
            [
                *(*prefix, *COMMAND, "agent", "--home", str(home), "--lang", language),
                *("page", *(() if opens else ("--no-open",)), *arguments),
            ],
            env=environment(clock, **(variables or {})),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            # Not a pipe, which would be full one day if the page wrote what it must not.
            stderr=errors,
            text=True,
        )
    try:
        assert process.stdout is not None
        printed = ""
        while last_line not in printed:
            line = process.stdout.readline()
            assert line, log.read_text()
            printed += line
        yield Served(process, printed)
        if process.poll() is not None:
            # The test has killed it.
            return
        process.terminate()
        process.communicate(timeout=30)
        assert (process.returncode, log.read_text()[-2000:]) == (0, "")
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
