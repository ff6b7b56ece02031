"""The web application: the routes of every domain, with the background worker alongside."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Any

import anyio.to_thread
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from server.areas.api import areas_router
from server.config import Settings
from server.context import Server
from server.export.api import export_router
from server.http.headers import WithHeaders, shared_headers
from server.http.openapi import add_openapi_route, openapi_of
from server.http.problems import add_handlers
from server.operation.end_of_use import empty
from server.operation.front import front_router
from server.operation.gone import AfterTheEnd, UntilTheEnd
from server.operation.metrics import metrics_router
from server.operation.probes import probe_router
from server.operation.worker import SHORTEST_PAUSE_SECONDS, work_until
from server.publish.api import publish_router
from server.store.ended import Ended
from server.trust.api import trust_router
from server.verification.api import verification_router
from server.verification.limits import ClientLimits
from tracing_core.clock import Clock

__all__ = ["Application", "create_app", "create_ended_app", "openapi_document"]


class Application:
    """The ASGI application of one server."""

    def __init__(self, routes: FastAPI, server: Server, limits: ClientLimits) -> None:
        self.server = server
        """The parts of the server; closed when the application ends."""
        self.limits = limits
        """The counts of each client's requests and wrong codes."""
        self.routes = routes
        """The application before the headers that all answers share are added."""
        routes.state.server = server
        routes.state.limits = limits
        headers = shared_headers(server.settings.url)
        self._app = WithHeaders(UntilTheEnd(routes, server), headers, server.clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or start and stop with the web server."""
        await self._app(scope, receive, send)


def _routes(settings: Settings, shortest_pause_seconds: float) -> FastAPI:
    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        server: Server = app.state.server
        limiter = anyio.to_thread.current_default_thread_limiter()
        limiter.total_tokens = server.settings.max_requests_at_once
        stopping = asyncio.Event()
        worker = asyncio.create_task(
            work_until(stopping, server, shortest_pause_seconds=shortest_pause_seconds)
        )
        try:
            yield
        finally:
            stopping.set()
            await worker
            server.close()

    app = FastAPI(
        title="truyvet key server",
        version=version("truyvet"),
        description="Codes, certificates, uploads and signed key files, "
        "wire-compatible with Google's Exposure Notification servers.",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        # A redirect would use the scheme and host of this request, plain http behind a proxy.
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.settings = settings
    for router in (
        verification_router(),
        publish_router(),
        export_router(),
        trust_router(),
        areas_router(),
        metrics_router(),
        probe_router(),
        front_router(),
    ):
        app.include_router(router)
    add_openapi_route(app)
    add_handlers(app)
    return app


def openapi_document(settings: Settings) -> dict[str, Any]:
    """Describe the HTTP interface as OpenAPI 3.1; the home folder is not touched."""
    return openapi_of(_routes(settings, SHORTEST_PAUSE_SECONDS))


def create_app(
    settings: Settings, clock: Clock, *, shortest_pause_seconds: float = SHORTEST_PAUSE_SECONDS
) -> Application:
    """Make the application for an initialised home folder, its database open and up to date.

    Parameters
    ----------
    settings
        The settings of the home folder.
    clock
        The server's clock.
    shortest_pause_seconds
        Least time between two rounds of the background worker, whatever the clock.

    Raises
    ------
    StoreError
        When the home folder was never initialised, or cannot be used.
    """
    routes = _routes(settings, shortest_pause_seconds)
    server = Server.open(settings, clock)
    return Application(routes, server, ClientLimits(settings, clock, server.counters))


def create_ended_app(settings: Settings, ended: Ended, clock: Clock) -> ASGIApp:
    """Finish deleting what is left of an ended deployment, and make the application that says so.

    Raises
    ------
    StoreError
        When something cannot be deleted.
    """
    empty(settings, ended.last_day)
    app = AfterTheEnd(settings, ended.last_day)
    return WithHeaders(app, shared_headers(settings.url), clock)
