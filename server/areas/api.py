"""Route of areas: the signed list."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import Response

from server.areas.rules import areas_document
from server.context import CurrentServer
from server.errors import Refused

__all__ = ["areas_router"]

_JOSE = "application/jose"
_HEADERS = {"Cache-Control": "public, max-age=60"}

IfNoneMatch = Annotated[
    str, Header(description="ETags the client has; 304 if the current one is among them.")
]


def _areas(server: CurrentServer, region: str, if_none_match: IfNoneMatch = "") -> Response:
    """Return the areas of a region and their levels as a JWS, the same whole list for everybody."""
    if region != server.region:
        raise Refused("not_found", "this server serves another region")
    found = areas_document(server, region, if_none_match)
    if found is None:
        raise Refused("not_found", "this server publishes no areas")
    e_tag, document = found
    headers = _HEADERS | {"ETag": e_tag}
    if not document:
        return Response(status_code=304, headers=headers)
    return Response(document, media_type=_JOSE, headers=headers)


def areas_router() -> APIRouter:
    """Make the route of areas."""
    router = APIRouter(tags=["areas"])
    router.add_api_route(
        "/v1/areas/{region}",
        _areas,
        operation_id="areas",
        response_class=Response,
        responses={
            200: {"description": "The list.", "content": {_JOSE: {}}},
            304: {"description": "The client has it."},
            404: {"description": "No such region, or it publishes no areas."},
        },
    )
    return router
