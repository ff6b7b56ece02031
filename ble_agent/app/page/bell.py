"""The bell of the page: a socket of systemd at which root is handed a link.

A service has no terminal, and a log must not hold a link. So the service manager passes a Unix
socket that only root may connect to (packaging/raspberry-pi/truyvet-agent-page.socket). Each
connection is sent a new link and closed. The page itself listens on a port of its own choice.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable

from ble_agent.messages.refusals import not_possible

__all__ = ["answer", "passed_bell"]

_FIRST_PASSED = 3
_SECONDS_TO_READ = 5
_SECONDS_WITHOUT_MEMORY = 1


def passed_bell() -> socket.socket | None:
    """Return the bell that the service manager passed, None if it passed nothing.

    The variables are removed, so no child process takes the socket for its own.

    Raises
    ------
    NotPossible
        What was passed is not one listening Unix socket.
    """
    process, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if process != str(os.getpid()) or count in ("", "0"):
        return None
    try:
        bell = socket.socket(fileno=_FIRST_PASSED)
    except OSError as error:
        raise not_possible("bell") from error
    is_bell = bell.family == socket.AF_UNIX and bell.type == socket.SOCK_STREAM
    listens = bell.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if count != "1" or not is_bell or not listens:
        raise not_possible("bell")
    bell.setblocking(False)
    bell.set_inheritable(False)
    return bell


@contextlib.asynccontextmanager
async def answer(bell: socket.socket, link: Callable[[], str]) -> AsyncIterator[None]:
    """Send every connection the text of a new link, as long as the context lasts.

    The bell itself stays open; its owner is the service manager.
    """
    answering = asyncio.create_task(_answer(bell, link))
    try:
        yield
    finally:
        answering.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await answering


async def _answer(bell: socket.socket, link: Callable[[], str]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            connection, _ = await loop.sock_accept(bell)
        except OSError:
            await asyncio.sleep(_SECONDS_WITHOUT_MEMORY)
            continue
        with connection, contextlib.suppress(OSError):
            async with asyncio.timeout(_SECONDS_TO_READ):
                await loop.sock_sendall(connection, f"{link()}\n".encode())
