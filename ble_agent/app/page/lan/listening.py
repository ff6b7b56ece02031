"""The page's address in the home network: TLS only, and few who have not yet shaken hands."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from asyncio import sslproto
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial

from ble_agent.app.page.lan.addresses import choose_address
from ble_agent.app.page.lan.certificate import make_context
from ble_agent.messages.refusals import not_possible
from tracing_core.clock import Clock

__all__ = ["Opening", "answer", "listen", "open_to_network"]

# A handshake costs computing time, and holds a connection until it is done.
_MOST_HANDSHAKES = 4
_HANDSHAKE_SECONDS = 10.0
_FAREWELL_SECONDS = 1.0
# asyncio gives each connection with TLS a buffer of 256 KiB otherwise.
_BUFFER_BYTES = 64 << 10
_SECONDS_WITHOUT_MEMORY = 1


@dataclass(frozen=True, slots=True)
class Opening:
    """Where phones of the home network reach the page."""

    listener: socket.socket
    context: ssl.SSLContext
    fingerprint: str
    """SHA-256 of the certificate, as browsers show it."""

    @property
    def origin(self) -> str:
        """Scheme, address and port."""
        host, port = self.listener.getsockname()[:2]
        return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def listen(address: str) -> socket.socket:
    """Listen at a port that the system chooses."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, 0), family=family)
    # Inherited by each connection: without it, every answer waits 40 ms for the browser.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


@contextlib.contextmanager
def open_to_network(wanted: str, clock: Clock) -> Iterator[Opening]:
    """Listen on one of this machine's addresses in a home network; "" chooses the only one.

    Raises
    ------
    NotPossible
        As `choose_address`, and when this machine does not have the address (``lan_not_ours``).
    """
    address = choose_address(wanted)
    try:
        listener = listen(str(address))
    except OSError as error:
        raise not_possible("lan_not_ours", address=str(address)) from error
    with listener:
        listener.setblocking(False)
        context, fingerprint = make_context(address, clock)
        sslproto.SSLProtocol.max_size = _BUFFER_BYTES
        yield Opening(listener, context, fingerprint)


@contextlib.asynccontextmanager
async def answer(opening: Opening, protocol: Callable[[], asyncio.Protocol]) -> AsyncIterator[None]:
    """Accept connections as long as the context lasts; the protocol begins after the handshake."""
    accepting = asyncio.create_task(_accept(opening, protocol))
    try:
        yield
    finally:
        accepting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await accepting


async def _accept(opening: Opening, protocol: Callable[[], asyncio.Protocol]) -> None:
    loop = asyncio.get_running_loop()
    # The oldest first.
    handshakes: dict[asyncio.Task[None], None] = {}
    while True:
        try:
            connection, _ = await loop.sock_accept(opening.listener)
        except OSError:
            await asyncio.sleep(_SECONDS_WITHOUT_MEMORY)
            continue
        while len(handshakes) >= _MOST_HANDSHAKES:
            oldest = next(iter(handshakes))
            del handshakes[oldest]
            oldest.cancel()
        handshake = asyncio.create_task(_shake_hands(connection, opening.context, protocol))
        handshakes[handshake] = None
        handshake.add_done_callback(partial(_done, handshakes, connection))


async def _shake_hands(
    connection: socket.socket, context: ssl.SSLContext, protocol: Callable[[], asyncio.Protocol]
) -> None:
    with contextlib.suppress(OSError):
        await asyncio.get_running_loop().connect_accepted_socket(
            protocol,
            connection,
            ssl=context,
            ssl_handshake_timeout=_HANDSHAKE_SECONDS,
            ssl_shutdown_timeout=_FAREWELL_SECONDS,
        )


def _done(
    handshakes: dict[asyncio.Task[None], None],
    connection: socket.socket,
    handshake: asyncio.Task[None],
) -> None:
    handshakes.pop(handshake, None)
    if handshake.cancelled():
        # Its task may have been stopped before its first step.
        connection.close()
