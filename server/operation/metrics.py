"""The route of the counters, for Prometheus."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from server.context import CurrentServer
from server.export.schedule import exported_until
from server.verification.rules import check_operator_key

__all__ = ["metrics_router"]


def _metrics(
    server: CurrentServer,
    x_api_key: Annotated[str | None, Header(description="The operator's key.")] = None,
    authorization: Annotated[str | None, Header(description="Bearer, the operator's key.")] = None,
) -> Response:
    """Return the counters as Prometheus reads them.

    Only for operators: the number of real keys would distinguish them from padding.
    """
    bearer = (authorization or "").removeprefix("Bearer ")
    check_operator_key(server, x_api_key or bearer)
    with server.database.read() as conn:
        moment = exported_until(conn, server.region)
        time = server.time.read(conn, server.clock)
    server.counters.clock_doubt_seconds.set(time.doubt_seconds)
    if moment is not None:
        server.counters.export_age_seconds.set(server.clock.now() - moment)
    return Response(generate_latest(server.counters.registry), media_type=CONTENT_TYPE_LATEST)


def metrics_router() -> APIRouter:
    """Make the route of the counters."""
    router = APIRouter(tags=["operation"])
    router.add_api_route(
        "/metrics",
        _metrics,
        operation_id="metrics",
        response_class=Response,
        responses={
            200: {"description": "The counters.", "content": {CONTENT_TYPE_LATEST: {}}},
            401: {"description": "The operator key is missing or not valid."},
        },
    )
    return router
