"""``POST /v1/publish``, compatible with Google's key server."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from server.context import CurrentServer
from server.http.bodies import Body, Chaff, request_of
from server.http.problems import answered
from server.http.schemas import request_schema, response_schemas
from server.publish.upload import likely_upload, take_upload
from server.verification.certificate import pretend_to_verify, verify_certificate
from server.verification.limits import Address, Limits
from tracing_core.errors import PublishRejected
from tracing_core.http.publish_request import PublishRequest, PublishResponse

__all__ = ["publish_router"]


def _publish(
    server: CurrentServer, body: Body, is_chaff: Chaff, limits: Limits, address: Address
) -> JSONResponse:
    """Publish the keys of a person who tested positive, with a certificate of the test."""
    limits.count_request(address, is_cover=is_chaff)
    settings, now = server.settings, server.clock.now()
    key = server.keys.certificate_key()
    request = request_of(
        PublishRequest,
        body,
        lambda: likely_upload(settings, now),
        is_chaff=is_chaff,
        longest_list=settings.max_keys_on_publish,
    )

    def publish() -> dict[str, Any]:
        if is_chaff:
            claims = pretend_to_verify(request, settings, now)
        elif request.health_authority_id.lower() == settings.health_authority_id.lower():
            claims = verify_certificate(request, key, settings, now)
        else:
            raise PublishRejected(
                "unknown_health_authority_id", "this server serves another authority", status=401
            )
        response = take_upload(server, server.region, request, claims, is_cover=is_chaff)
        # Google's clients expect the count even if it is zero.
        return {"insertedExposures": response.inserted_exposures, **response.to_json()}

    return answered(settings, is_chaff, publish)


def publish_router() -> APIRouter:
    """Make the route of uploads."""
    router = APIRouter(tags=["publish"])
    router.add_api_route(
        "/v1/publish",
        _publish,
        methods=["POST"],
        operation_id="publish",
        openapi_extra=request_schema(PublishRequest),
        responses=response_schemas(PublishResponse, 400, 401, 429),
    )
    return router
