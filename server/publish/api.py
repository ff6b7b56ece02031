"""``POST /v1/publish``, compatible with Google's key server."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from server.bodies import Body, Chaff, padded, request_schema, response_schemas
from server.context import CurrentServer
from server.publish.cover import pretend_upload
from server.publish.upload import take_upload
from server.verification.certificate import verify_certificate
from tracing_core.errors import PublishRejected
from tracing_core.publish_request import PublishRequest, PublishResponse

__all__ = ["publish_router"]


def _publish(server: CurrentServer, body: Body, is_chaff: Chaff) -> JSONResponse:
    """Publish the keys of a person who tested positive, with the certificate that says so."""
    settings = server.settings
    request = PublishRequest.from_bytes(body)
    if is_chaff:
        pretend_upload(server, request)
        return padded(settings, {})
    if request.health_authority_id != settings.health_authority_id:
        raise PublishRejected(
            "unknown_health_authority_id", "this server serves another authority", status=401
        )
    claims = verify_certificate(
        request, server.keys.certificate_key(), settings, server.clock.now()
    )
    response = take_upload(server, request, claims)
    # Google's clients read the count even where it is zero.
    answer = {"insertedExposures": response.inserted_exposures, **response.to_json()}
    return padded(settings, answer)


def publish_router() -> APIRouter:
    """Make the routes of this domain."""
    router = APIRouter(tags=["publish"])
    router.add_api_route(
        "/v1/publish",
        _publish,
        methods=["POST"],
        operation_id="publish",
        response_class=JSONResponse,
        response_model=None,
        openapi_extra=request_schema(PublishRequest),
        responses=response_schemas(PublishResponse, 400, 401),
    )
    return router
