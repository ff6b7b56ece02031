"""The page's process: its socket, its link, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import sys
import webbrowser
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import click
import uvicorn
from starlette.types import ASGIApp

from ble_agent.app.page import bell
from ble_agent.app.page.application import create_application
from ble_agent.app.page.door import Door
from ble_agent.app.page.lan.listening import Opening, answer, listen, open_to_network
from ble_agent.app.page.lan.qr import qr_text
from ble_agent.app.page.visit import Page
from ble_agent.messages.catalogue import say
from ble_agent.store.database import make_home
from ble_agent.store.home import OPENER_NAME, finish_ending
from tracing_core.clock import Clock
from tracing_core.http.connections import ConnectionLimits, bounded_protocol
from tracing_core.process.output import takes_unicode
from tracing_core.store.files import destroy, file_errors

__all__ = ["serve"]

_IDLE_SECONDS = 15 * 60.0
_LAN_IDLE_SECONDS = 30 * 60.0
_LOOK_SECONDS = 1.0
_LAST_SCREEN_SECONDS = 4.0
_LIMITS = ConnectionLimits(most=32, request_seconds=120, answer_seconds=60)
# Each connection with TLS takes a quarter of a mebibyte.
_LAN_LIMITS = replace(_LIMITS, most=16)
_GRACE_SECONDS = 5
_MOST_HEAD_BYTES = 16 << 10
_HOSTS = ("127.0.0.1", "localhost", "truyvet.localhost")


def serve(
    home: Path,
    clock: Clock,
    *,
    language: str,
    named_home: str = "",
    should_open: bool = True,
    lan: str | None = None,
) -> None:
    """Serve the page until it was idle, or until SIGTERM or SIGINT.

    Parameters
    ----------
    home
        The agent's home folder; it is made if it does not exist.
    clock
        The agent's clock.
    language
        Language in which the page begins.
    named_home
        The home folder to name in commands that the owner is to type; "" for the usual one.
    should_open
        Whether to open the page in a browser, if there is one.
    lan
        The address in the home network at which phones may open it, too; "" for the only one,
        None to serve this machine alone.

    Raises
    ------
    NotPossible
        When the home network cannot be served, as `open_to_network`.
    StoreError
        When the home folder cannot be made.
    """
    passed = bell.passed_bell()
    _prepare_process()
    _prepare_home(home)
    idle_seconds = _IDLE_SECONDS if lan is None else _LAN_IDLE_SECONDS
    page = Page(home, clock, Door(clock, language=language, idle_seconds=idle_seconds))
    page.named_home = named_home
    with contextlib.ExitStack() as stack:
        stack.callback(page.door.close)
        listener = stack.enter_context(listen("127.0.0.1"))
        opening = None if lan is None else stack.enter_context(open_to_network(lan, clock))
        origins = _origins(listener, opening)
        own_link = page.make_link = partial(_link, page.door, origins[0])
        if opening is not None:
            page.make_link = partial(_link, page.door, opening.origin)
            page.fingerprint = opening.fingerprint

        def text() -> str:
            return say("page_link", language, link=own_link())

        if passed is None:
            _print_links(page, text())
            if should_open and _has_browser():
                stack.enter_context(_opened(home, own_link()))
        limits = _LIMITS if opening is None else _LAN_LIMITS
        server = _web_server(create_application(page, origins=origins), limits)
        asyncio.run(_serve(server, listener, page, passed, text, opening))


def _prepare_home(home: Path) -> None:
    make_home(home)
    finish_ending(home)


def _prepare_process() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    # Its warnings are about requests, and anybody could fill the log with them.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)


def _origins(listener: socket.socket, opening: Opening | None) -> list[str]:
    """Return where the page is: on this machine first, in the home network last."""
    port = listener.getsockname()[1]
    origins = [f"http://{host}:{port}" for host in _HOSTS]
    return origins if opening is None else [*origins, opening.origin]


def _link(door: Door, origin: str) -> str:
    return f"{origin}/#{door.new_link()}"


def _print_links(page: Page, text: str) -> None:
    """Print the link for this device, and for a phone if one can open it."""
    click.echo(text)
    if page.is_lan and page.make_link is not None:
        link, minutes = page.make_link(), page.door.idle_minutes
        values = {"link": link, "fingerprint": page.fingerprint, "minutes": minutes}
        click.echo(say("page_link_phone", page.door.language, **values))
        if takes_unicode(sys.stdout):
            click.echo(qr_text(link))
    sys.stdout.flush()


def _web_server(application: ASGIApp, limits: ConnectionLimits) -> uvicorn.Server:
    config = uvicorn.Config(
        application,
        loop="asyncio",
        http=bounded_protocol(limits),
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=_MOST_HEAD_BYTES,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return uvicorn.Server(config)


async def _serve(
    server: uvicorn.Server,
    listener: socket.socket,
    page: Page,
    passed: socket.socket | None,
    text: Callable[[], str],
    opening: Opening | None,
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        watch = asyncio.create_task(_end(server, page))
        stack.callback(watch.cancel)
        if passed is not None:
            await stack.enter_async_context(bell.answer(passed, text))
        if opening is not None:
            await stack.enter_async_context(answer(opening, partial(_connection, server)))
        await server.serve(sockets=[listener])


def _connection(server: uvicorn.Server) -> asyncio.Protocol:
    """Return what answers a connection that the web server has not accepted itself."""
    protocol: Any = server.config.http_protocol_class
    made = protocol(config=server.config, server_state=server.server_state, app_state={})
    assert isinstance(made, asyncio.Protocol)
    return made


async def _end(server: uvicorn.Server, page: Page) -> None:
    while not (page.is_ending or page.door.is_idle):
        await asyncio.sleep(_LOOK_SECONDS)
        # Overwriting a large file takes a moment.
        await asyncio.to_thread(page.door.end_idle)
    if page.is_ending:
        # A slow browser still asks for the style of the last screen.
        await asyncio.sleep(_LAST_SCREEN_SECONDS)
    server.should_exit = True


def _has_browser() -> bool:
    """Return whether a browser would open a window of its own, not take over the terminal."""
    return sys.platform == "darwin" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


@contextlib.contextmanager
def _opened(home: Path, link: str) -> Iterator[None]:
    """Open a link in the browser.

    Arguments of a process are visible to all users, so the browser is given a private file, which
    leads to the link.
    """
    path = home / f"{OPENER_NAME}{secrets.token_hex(8)}.html"
    text = (
        '<!doctype html><meta charset="utf-8"><title>truyvet</title>'
        f'<meta http-equiv="refresh" content="0;url={link}">'
    )
    try:
        with file_errors(path):
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(opened, "w", encoding="utf-8") as file:
                file.write(text)
        with contextlib.suppress(webbrowser.Error):
            webbrowser.open(path.as_uri())
        yield
    finally:
        destroy(path)


def _stop(*_: object) -> NoReturn:
    # The web server raises the signal again once it has stopped cleanly.
    sys.exit(0)
