"""Answers after the last day: 410 ``ended`` to everything, and a line for those who look."""

from __future__ import annotations

import contextlib
import datetime
import math
import time
from collections.abc import Callable

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from server.config import Settings
from server.context import Server
from server.http.answers import padded
from server.operation.end_of_use import is_emptied, is_over, known_last_day
from tracing_core.errors import StoreError

__all__ = ["AfterTheEnd", "UntilTheEnd"]

# Every request asks, and reading the documents takes as long as a small request.
_SECONDS_BETWEEN_LOOKS = 5.0
_STOPS = {"lifespan.startup", "lifespan.shutdown"}


def _answer(settings: Settings, path: str, last_day: datetime.date) -> Response:
    if path == "/healthz":
        emptied = is_emptied(settings.home)
        return JSONResponse({"status": "ended", "last_day": str(last_day), "emptied": emptied})
    if path == "/":
        return PlainTextResponse(
            f"The key server for the region {settings.region} has ended: its last day was"
            f" {last_day}.\n"
        )
    # Google's verification server says "errorCode" where its key server says "code".
    field = "errorCode" if path.startswith("/api/") else "code"
    error = f"this service has ended: its last day was {last_day}"
    # As long as any other answer, so cover traffic looks the same to the end and after it.
    return padded(settings, {"error": error, field: "ended"}, 410)


class UntilTheEnd:
    """An application that answers only until the last day is over by the server's clock."""

    def __init__(
        self, app: ASGIApp, server: Server, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._server = server
        self._monotonic = monotonic
        self._looked_at = -math.inf
        self._last_day: datetime.date | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does, or that it is over."""
        if scope["type"] == "http":
            last_day = self._known_last_day()
            if last_day is not None and is_over(last_day, self._server.clock.now()):
                answer = _answer(self._server.settings, scope["path"], last_day)
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _known_last_day(self) -> datetime.date | None:
        now = self._monotonic()
        if now - self._looked_at >= _SECONDS_BETWEEN_LOOKS:
            self._looked_at = now
            # What cannot be read now stays as it was.
            with contextlib.suppress(StoreError):
                self._last_day = known_last_day(self._server)
        return self._last_day


class AfterTheEnd:
    """The application of a server whose home is empty."""

    def __init__(self, settings: Settings, last_day: datetime.date) -> None:
        self._settings = settings
        self._last_day = last_day

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer that it is over, or start and stop with the web server."""
        if scope["type"] == "lifespan":
            for _ in _STOPS:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
            return
        await _answer(self._settings, scope["path"], self._last_day)(scope, receive, send)
