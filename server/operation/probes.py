"""Probes: the route that shows whether the server works."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from server.context import CurrentServer
from server.operation.clock_watch import NOTABLE_SECONDS

__all__ = ["probe_router"]


def _health(server: CurrentServer) -> JSONResponse:
    """Check that the server works and its database answers, and whether its clock is in doubt."""
    with server.database.read() as conn:
        time = server.time.read(conn, server.clock)
    if max(time.doubt_seconds, time.behind_seconds) <= NOTABLE_SECONDS:
        return JSONResponse({"status": "ok"})
    return JSONResponse({"status": "ok", "clock": "ahead" if time.doubt_seconds else "behind"})


def probe_router() -> APIRouter:
    """Make the routes of the probes."""
    router = APIRouter(tags=["operation"])
    router.add_api_route("/healthz", _health, operation_id="healthz", methods=["GET"])
    return router
