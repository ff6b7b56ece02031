"""Routes of trust: trust documents, configuration and signing keys."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi.responses import JSONResponse, Response

from server.context import CurrentServer
from server.errors import Refused
from server.http.answers import content_tag, matches_tag
from server.trust.config_document import current_config

__all__ = ["trust_router"]

_JOSE = "application/jose"
_HEADERS = {"Cache-Control": "public, max-age=60"}


IfNoneMatch = Annotated[
    str | None,
    Header(description="ETags the client has; 304 if the current one is among them."),
]


def _tagged(response: Response, if_none_match: str | None) -> Response:
    e_tag = content_tag(bytes(response.body))
    if if_none_match is not None and matches_tag(if_none_match, e_tag):
        return Response(status_code=304, headers=_HEADERS | {"ETag": e_tag})
    response.headers["ETag"] = e_tag
    return response


def _trust(server: CurrentServer, if_none_match: IfNoneMatch = None) -> Response:
    """Return every trust document, oldest first; each is signed with its predecessor's key."""
    documents = list(server.keys.manifest().documents)
    return _tagged(JSONResponse({"documents": documents}, headers=_HEADERS), if_none_match)


def _config(server: CurrentServer, region: str, if_none_match: IfNoneMatch = None) -> Response:
    """Return the configuration for a region's devices as a JWS: risk, contact and pace."""
    if region != server.region:
        raise Refused("not_found", "this server serves another region")
    document = current_config(server.keys, region, server.settings, server.clock.now())
    return _tagged(Response(document, media_type=_JOSE, headers=_HEADERS), if_none_match)


def _certificate_keys(server: CurrentServer) -> list[dict[str, Any]]:
    from jwt.algorithms import ECAlgorithm

    key = server.keys.certificate_key()
    jwk = ECAlgorithm.to_jwk(key.private_key.public_key(), as_dict=True)
    jwk |= {"kid": key.key_id, "alg": "ES256", "use": "sig"}
    return [jwk]


def _jwks(server: CurrentServer) -> JSONResponse:
    """Return the keys that sign verification certificates (RFC 7517)."""
    return JSONResponse({"keys": _certificate_keys(server)}, headers=_HEADERS)


def _jwks_array(server: CurrentServer) -> JSONResponse:
    """Return the same keys as a bare array, which Google's key server reads."""
    return JSONResponse(_certificate_keys(server), headers=_HEADERS)


def trust_router() -> APIRouter:
    """Make the routes of trust."""
    router = APIRouter(tags=["trust"])
    router.add_api_route(
        "/v1/trust",
        _trust,
        operation_id="trust",
        responses={304: {"description": "The client has them."}},
    )
    router.add_api_route(
        "/v1/config/{region}",
        _config,
        operation_id="config",
        response_class=Response,
        responses={
            200: {"description": "The configuration.", "content": {_JOSE: {}}},
            304: {"description": "The client has it."},
            404: {"description": "No such region."},
        },
    )
    router.add_api_route("/.well-known/jwks.json", _jwks, operation_id="jwks")
    router.add_api_route("/jwks", _jwks_array, operation_id="jwks_array")
    return router
