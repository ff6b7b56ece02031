"""The answer at the server's address itself, for a person who opens it in a browser."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from server.context import CurrentServer
from tracing_core.export_file import INDEX_NAME

__all__ = ["front_router"]


def _front(server: CurrentServer) -> PlainTextResponse:
    """Say what this server is and where to look."""
    return PlainTextResponse(
        f"truyvet {version('truyvet')}: a key server for the region {server.region}.\n"
        "Devices use it by themselves; there is nothing to do here.\n\n"
        f"Published key files: /exports/{server.region}/{INDEX_NAME}\n"
        "Is it working?       /healthz\n"
        "For programs:        /openapi.json\n"
    )


def front_router() -> APIRouter:
    """Make the route of the address itself."""
    router = APIRouter(tags=["operation"])
    router.add_api_route(
        "/", _front, operation_id="front", response_class=PlainTextResponse, methods=["GET"]
    )
    return router
