"""Probes: the route that shows whether the server works."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from server.context import CurrentServer

__all__ = ["probe_router"]


def _health(server: CurrentServer) -> JSONResponse:
    """Check that the server works and its database answers, and whether its clock is in doubt."""
    with server.database.read() as conn:
        time = server.time.read(conn, server.clock)
    return JSONResponse({"status": "ok"} | ({"clock": time.doubt} if time.doubt else {}))


def probe_router() -> APIRouter:
    """Make the routes of the probes."""
    router = APIRouter(tags=["operation"])
    router.add_api_route("/healthz", _health, operation_id="healthz", methods=["GET"])
    return router
