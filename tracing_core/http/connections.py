"""HTTP connections that no client can hold open for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["ConnectionLimits", "bounded_protocol"]

# As in uvicorn.
_MOST_HEAD_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many clients are connected at once, and how long each may keep the server waiting."""

    most: int
    """Most connections."""
    request_seconds: float
    """For a request's head and body."""
    answer_seconds: float
    """For an answer that the client does not read."""


class _Deadline:
    """A timer that acts unless it is stopped in time; starting it again does not prolong it."""

    def __init__(self, seconds: float, act: Callable[[], None]) -> None:
        self._seconds = seconds
        self._act = act
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._act)

    @property
    def is_running(self) -> bool:
        return self._timer is not None

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def bounded_protocol(limits: ConnectionLimits) -> type[asyncio.Protocol]:
    """Make the protocol of connections that end when their client is too slow.

    On its own, the web server waits for ever for a request's head, for its body, and for a client
    that does not read. Times are measured by the system's clock, whatever the server's own clock.
    When one client too many connects, the one that has kept the server waiting longest is
    disconnected. A client that sends further requests before it has read an answer keeps the
    server waiting, too. Only when every other client is being answered is the new one refused,
    with status 503.
    """

    class BoundedProtocol(_BoundedProtocol):
        pass

    BoundedProtocol.limits = limits
    BoundedProtocol.waiting = {}
    return BoundedProtocol


class _BoundedProtocol(H11Protocol):
    limits: ClassVar[ConnectionLimits]
    # The longest first.
    waiting: ClassVar[dict[_BoundedProtocol, None]]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._request = _Deadline(self.limits.request_seconds, transport.close)
        self._answer = _Deadline(self.limits.answer_seconds, transport.abort)
        # So that writing counts as paused while anything is waiting to be sent. With TLS, a high
        # mark of 0 would pause it when nothing is.
        transport.set_write_buffer_limits(high=1, low=0)
        self._make_room()
        self._request.start()
        self._note()

    def data_received(self, data: bytes) -> None:
        # The limit of a head counts only while the head is incomplete, and as much as four limits
        # may come at once.
        most = self.config.h11_max_incomplete_event_size or _MOST_HEAD_BYTES
        for start in range(0, len(data), most):
            if self.transport.is_closing():
                break
            super().data_received(data[start : start + most])

    def connection_lost(self, exc: Exception | None) -> None:
        self._request.stop()
        self._answer.stop()
        self._note()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        # Also without new data: data that came along with a request is handled later.
        super().handle_events()
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self._request.start()
        else:
            self._request.stop()
        self._note()

    def send_400_response(self, msg: str) -> None:
        # The web server's own leaves what answers the request to answer, too, which is a fault
        # that it logs with a traceback. Any client could fill the log.
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
            if cycle.response_started:
                self.transport.close()
                return
        super().send_400_response(msg)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._answer.start()
        self._note()

    def resume_writing(self) -> None:
        self._answer.stop()
        self._note()
        super().resume_writing()

    def _note(self) -> None:
        has_further_request = bool(self.conn.trailing_data[0])
        if self._request.is_running or self._answer.is_running or has_further_request:
            self.waiting.setdefault(self)
        else:
            self.waiting.pop(self, None)

    def _make_room(self) -> None:
        most = self.limits.most
        while len(self.connections) > most and self.waiting:
            longest = next(iter(self.waiting))
            longest.transport.abort()
            # Immediately, since many may come before the loop reports the loss.
            del self.waiting[longest]
            self.connections.discard(longest)
        if len(self.connections) > most:
            # The web server then refuses this connection's requests. Its own count is not used,
            # since it includes the requests of clients that were just disconnected.
            self.limit_concurrency = 0
