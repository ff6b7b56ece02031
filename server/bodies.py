"""Bodies of requests and answers: reading them within bounds, padding them, describing them."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse

from server.config import Settings
from tracing_core.json_body import JSONBody

__all__ = [
    "Body",
    "Chaff",
    "content_tag",
    "json_schema",
    "matches_tag",
    "padded",
    "request_schema",
    "response_schemas",
]

_TYPES: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    float: {"type": "number"},
    bool: {"type": "boolean"},
}

_DESCRIPTIONS = {
    200: "Done.",
    400: "The request breaks a rule; the code says which.",
    401: "Not by the right of this certificate or operator key.",
    409: "The handle was used before.",
    412: "The client cannot handle the type of this test.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    429: "Too many requests, or too many wrong codes.",
    500: "The server failed; nothing was changed.",
}


def padded(
    settings: Settings,
    fields: Mapping[str, Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return an answer, filled up with random letters so that its length tells nothing."""
    # The words of the status line count too, so that refusals are no longer than what is granted.
    short = len(JSONResponse({**fields, "padding": ""}).body)
    short += len(HTTPStatus(status).phrase) - len(HTTPStatus.OK.phrase)
    least = settings.response_padding_min_bytes
    length = least + -(short + least) % settings.response_step_bytes
    letters = base64.urlsafe_b64encode(secrets.token_bytes(length)).decode()[:length]
    return JSONResponse({**fields, "padding": letters}, status, headers)


def content_tag(data: bytes) -> str:
    """Return the ETag of a body, which anybody who has the body can compute."""
    return f'"{hashlib.sha256(data).hexdigest()}"'


def matches_tag(if_none_match: str, e_tag: str) -> bool:
    """Tell whether a client has the version of an ETag (RFC 9110, 13.1.2)."""
    known = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in known or e_tag in known


async def _read(request: Request) -> bytes:
    # Here, because answers to problems are padded by this module.
    from server.problems import Refused

    limit = request.app.state.settings.max_body_bytes
    if not request.headers.get("content-type", "").lower().startswith("application/json"):
        raise Refused("", "the content type must be application/json", status=415)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise Refused("", f"the body must be at most {limit} bytes", status=413)
    return bytes(body)


Body = Annotated[bytes, Depends(_read)]
"""The type of a route's parameter that wants the body, checked for its type and size."""


def _is_chaff(
    x_chaff: Annotated[
        str | None, Header(description="Present in cover traffic, which is answered alike.")
    ] = None,
) -> bool:
    return x_chaff is not None


Chaff = Annotated[bool, Depends(_is_chaff)]
"""The type of a route's parameter that tells whether the request is cover traffic."""


def json_schema(body: type[JSONBody], *, is_request: bool) -> dict[str, Any]:
    """Describe a body as OpenAPI 3.1 does; null and a missing field are the type's zero."""
    hints = get_type_hints(body, include_extras=True)
    properties: dict[str, Any] = {}
    for field in dataclasses.fields(body):  # type: ignore[arg-type]
        kind, name = get_args(hints[field.name])
        properties[name] = _property(kind, is_request=is_request)
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if body.__doc__:
        schema["description"] = body.__doc__.split("\n")[0]
    if is_request:
        schema["additionalProperties"] = False
    return schema


def _property(kind: Any, *, is_request: bool) -> dict[str, Any]:
    if get_origin(kind) is tuple:
        items = _property(get_args(kind)[0], is_request=is_request)
        schema: dict[str, Any] = {"type": "array", "items": items}
    elif kind in _TYPES:
        schema = dict(_TYPES[kind])
    else:
        return json_schema(kind, is_request=is_request)
    if is_request:
        schema["type"] = [schema["type"], "null"]
    return schema


def request_schema(body: type[JSONBody]) -> dict[str, Any]:
    """Return what FastAPI's `openapi_extra` needs to document a request."""
    content = {"application/json": {"schema": json_schema(body, is_request=True)}}
    return {"requestBody": {"required": True, "content": content}}


def response_schemas(body: type[JSONBody], *statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what FastAPI's `responses` needs to document the answers."""
    schema = json_schema(body, is_request=False)
    return {
        status: {
            "description": _DESCRIPTIONS[status],
            "content": {"application/json": {"schema": schema}},
        }
        for status in (200, *statuses, 413, 415, 500)
    }
