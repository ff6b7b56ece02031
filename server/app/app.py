"""The web application: routes of every domain, the background worker, what all answers share."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from email.utils import formatdate
from importlib.metadata import version
from typing import Any

import anyio.to_thread
from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from sqlalchemy import text
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.config import Settings
from server.context import CurrentServer, Server
from server.export.api import export_router
from server.export.worker import run_due
from server.http.problems import add_handlers
from server.operation import retention as cleanup
from server.operation.clock_watch import ClockWatch
from server.operation.metrics import metrics_router
from server.publish.api import publish_router
from server.trust.api import trust_router
from server.verification.api import verification_router
from server.verification.limits import ClientLimits
from tracing_core.clock import Clock
from tracing_core.errors import TracingError

__all__ = ["create_app", "openapi_document"]

_log = logging.getLogger(__name__)

_SHORTEST_PAUSE_SECONDS = 0.2

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class _Headers:
    """Adds to every answer the headers it does not set itself, and the time of our clock.

    Devices compare that time with their own, so it must be the one that keys are judged by.
    """

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                now = scope["app"].state.server.clock.now()
                headers["Date"] = formatdate(now, usegmt=True)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _run_due_work(server: Server, watch: ClockWatch) -> None:
    if leap := watch.leap_seconds():
        _log.error(
            "the clock leapt ahead by %d days: nothing is exported or deleted until it is set back,"
            " or for a day; if it is right now, start the server again",
            leap // 86_400,
        )
        return
    for name, work in (("export", run_due), ("cleanup", cleanup.run)):
        try:
            work(server)
        except TracingError as error:
            _log.error("%s: %s", name, error)
        except Exception:
            # The next minute may go better, and uploads must be taken meanwhile.
            _log.exception("%s failed", name)


async def _pause(server: Server) -> None:
    # A clock that runs a thousand times as fast must not keep the worker busy all the time.
    await asyncio.sleep(_SHORTEST_PAUSE_SECONDS)
    await server.clock.sleep(server.settings.worker_interval_seconds)


async def _work(server: Server, stopping: asyncio.Event) -> None:
    watch = ClockWatch(server.clock)
    while not stopping.is_set():
        await asyncio.to_thread(_run_due_work, server, watch)
        waits = {
            asyncio.create_task(stopping.wait()),
            asyncio.create_task(_pause(server)),
        }
        _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    server: Server = app.state.server
    limiter = anyio.to_thread.current_default_thread_limiter()
    limiter.total_tokens = server.settings.max_requests_at_once
    stopping = asyncio.Event()
    worker = asyncio.create_task(_work(server, stopping))
    try:
        yield
    finally:
        stopping.set()
        await worker
        server.close()


def _health(server: CurrentServer) -> JSONResponse:
    """Tell whether the server works and its database answers."""
    with server.database.read() as conn:
        conn.execute(text("SELECT 1"))
    return JSONResponse({"status": "ok"})


def _health_router() -> APIRouter:
    router = APIRouter(tags=["operation"])
    router.add_api_route("/healthz", _health, operation_id="healthz", methods=["GET"])
    return router


def _build(settings: Settings) -> FastAPI:
    app = FastAPI(
        title="truyvet key server",
        version=version("truyvet"),
        description="Codes, certificates, uploads and signed key files, "
        "wire-compatible with Google's Exposure Notification servers.",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        docs_url=None,
        redoc_url=None,
        # It would be to the scheme and host of this request, which behind a proxy is plain http.
        redirect_slashes=False,
        lifespan=_lifespan,
    )
    app.state.settings = settings
    for router in (
        verification_router(),
        publish_router(),
        export_router(),
        trust_router(),
        metrics_router(),
        _health_router(),
    ):
        app.include_router(router)
    add_handlers(app)
    headers = dict(_HEADERS)
    if settings.url.startswith("https:"):
        headers["Strict-Transport-Security"] = "max-age=31536000"
    build = app.build_middleware_stack
    # Around all else, so that answers to errors nobody foresaw have them too.
    app.build_middleware_stack = lambda: _Headers(build(), headers)  # type: ignore[method-assign]

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                license_info=app.license_info,
                routes=app.routes,
            )
            # Every parameter is text, so the framework's own check never fails.
            for path in document["paths"].values():
                for operation in path.values():
                    operation["responses"].pop("422", None)
                    operation["summary"] = operation.pop("description").split("\n")[0]
            document.pop("components", None)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
    return app


def openapi_document(settings: Settings) -> dict[str, Any]:
    """Describe the HTTP interface as OpenAPI 3.1; the home folder is not touched."""
    return _build(settings).openapi()


def create_app(settings: Settings, clock: Clock) -> FastAPI:
    """Make the application of an initialised home folder, its database open and up to date.

    Raises
    ------
    StoreError
        When the home was never initialised, or cannot be used.
    """
    app = _build(settings)
    app.state.server = Server.open(settings, clock)
    app.state.limits = ClientLimits(settings, clock)
    return app
