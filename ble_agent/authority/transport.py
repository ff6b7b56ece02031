"""HTTP transport to a server: one exchange at a time, with an end to every wait."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from ble_agent.authority.ledger_notes import (
    NEVER_LEFT,
    NO_ANSWER,
    Notes,
    request_kind,
)
from ble_agent.messages.catalogue import say
from ble_agent.messages.refusals import refused
from tracing_core.errors import ServerUnreachable, require

if TYPE_CHECKING:
    import httpx2

__all__ = ["HTTPTransport", "Origin", "Timeouts", "Transport", "origin_of", "unreachable"]

Origin = tuple[str, str, int | None]
"""Scheme, host and port of a URL, as the HTTP library normalises them."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a client waits, in seconds."""

    connect_seconds: float = 10.0
    read_seconds: float = 30.0
    """Between two parts of an answer."""
    answer_seconds: float = 120.0
    """For the head of an answer, and for all of a document.

    A server that sends one byte now and then must not keep a device waiting for ever.
    """
    download_seconds: float = 600.0
    """For all of a key file."""
    pace_seconds: tuple[float, float] = (0.3, 0.9)
    """Least and longest time between two uploads, drawn at random.

    A device takes milliseconds between an answer and its next request, and how many depends on
    what it does. A longer random time hides that.
    """


class Transport(Protocol):
    """What `ble_agent.authority.client.ServerClient` sends its requests through."""

    def exchange(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes = b""
    ) -> AbstractContextManager[httpx2.Response]:
        """Send a request; the context manager returns the answer, its body still unread.

        Raises
        ------
        ServerError
            When there is no answer, or one that is not HTTP; also while the body is read.
        """
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def unreachable() -> ServerUnreachable:
    """Return the error for a server that does not answer."""
    return ServerUnreachable(say("error_server_unreachable", "en"))


def origin_of(url: httpx2.URL) -> Origin:
    """Return the origin of a URL."""
    return url.scheme, url.host, url.port


class HTTPTransport:
    """A `Transport` of the HTTP library.

    The library's own timeouts are per byte while the head of an answer arrives. So a timer shuts
    the connection down when the head takes too long.

    Parameters
    ----------
    services
        Addresses of all servers that requests will be sent to.
    timeouts
        How long to wait.
    notes
        Where each request is noted, before it leaves and when it is known what became of it. None
        to note nothing, which only tests do.

    Raises
    ------
    MissingExtra
        When the HTTP library is not installed.
    """

    def __init__(
        self, services: Iterable[str], timeouts: Timeouts, notes: Notes | None = None
    ) -> None:
        self._notes = notes
        self._has_left = False
        self._httpx2 = require("httpx2", extra="agent")
        self._timeouts = timeouts
        self._origin: Origin | None = None
        self._connections: dict[Origin | None, socket.socket] = {}
        self._client: httpx2.Client = self._httpx2.Client(
            timeout=self._httpx2.Timeout(timeouts.read_seconds, connect=timeouts.connect_seconds),
            # A proxy set in the environment is the owner's choice, but not for this machine itself.
            trust_env=all(urlsplit(url).scheme == "https" for url in services),
            # No compression, so that no compression bomb unfolds, and the same headers from every
            # device.
            headers={"Accept-Encoding": "identity", "User-Agent": "truyvet"},
        )

    @contextlib.contextmanager
    def exchange(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes = b""
    ) -> Iterator[httpx2.Response]:
        """Send a request, as `Transport.exchange` describes."""
        try:
            request = self._client.build_request(
                method,
                url,
                headers=headers,
                content=content or None,
                extensions={"trace": self._trace},
            )
        except self._httpx2.InvalidURL as error:
            raise refused("answer") from error
        self._origin = origin_of(request.url)
        with self._noted(request) as answered:
            patience = threading.Timer(self._timeouts.answer_seconds, self._hang_up)
            patience.daemon = True
            patience.start()
            try:
                with contextlib.closing(self._client.send(request, stream=True)) as response:
                    patience.cancel()
                    answered(response.status_code)
                    yield response
            except self._httpx2.TransportError as error:
                if _is_certificate_fault(error):
                    raise refused("certificate") from error
                raise unreachable() from error
            except self._httpx2.HTTPError as error:
                raise refused("answer") from error
            finally:
                patience.cancel()

    @contextlib.contextmanager
    def _noted(self, request: httpx2.Request) -> Iterator[Callable[[int], None]]:
        """Note a request before it leaves, and at the end what became of it."""
        self._has_left = False
        if self._notes is None:
            yield lambda _: None
            return
        notes, url = self._notes, request.url
        what = request_kind(request.method, url.path)
        number = notes.begin(url.netloc.decode("ascii"), what, _size_of(request))
        answers: list[int] = []

        def answered(status: int) -> None:
            answers.append(status)
            notes.end(number, status)

        try:
            yield answered
        finally:
            if not answers:
                notes.end(number, NO_ANSWER if self._has_left else NEVER_LEFT)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
        while self._connections:
            self._connections.popitem()[1].close()

    def _trace(self, event: str, facts: Mapping[str, Any]) -> None:
        if event.endswith(".send_request_headers.started"):
            self._has_left = True
        if event.endswith(".connect_tcp.complete"):
            # A duplicate stays valid when TLS takes the socket over.
            before = self._connections.get(self._origin)
            self._connections[self._origin] = facts["return_value"].get_extra_info("socket").dup()
            if before is not None:
                before.close()

    def _hang_up(self) -> None:
        # One connection per server is kept open; only the one that is waited for is shut down.
        connection = self._connections.get(self._origin)
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _size_of(request: httpx2.Request) -> int:
    """Return the bytes of a request as they are sent: the first line, the headers and the body."""
    head = len(request.method) + len(request.url.raw_path) + len("  HTTP/1.1\r\n\r\n")
    fields = sum(len(name) + len(value) + len(": \r\n") for name, value in request.headers.raw)
    return head + fields + len(request.content)


def _is_certificate_fault(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
