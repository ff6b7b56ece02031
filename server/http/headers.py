"""Headers that all answers share."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tracing_core.clock import Clock

__all__ = ["WithHeaders", "shared_headers"]

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def shared_headers(url: str) -> dict[str, str]:
    """Return the headers of every answer of a server that devices reach at a URL."""
    headers = dict(_HEADERS)
    if url.startswith("https:"):
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers


class WithHeaders:
    """An application that adds shared headers, and the time of a clock, to another's answers.

    It wraps the whole application, so that answers to unforeseen errors have the headers too.
    Devices compare the time with their own, so it must be the clock that keys are judged by.
    """

    def __init__(self, app: ASGIApp, headers: Mapping[str, str], clock: Clock) -> None:
        self._app = app
        self._headers = headers
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, with the headers."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                headers["Date"] = formatdate(self._clock.now(), usegmt=True)
            await send(message)

        await self._app(scope, receive, send_with_headers)
