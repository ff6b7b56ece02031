"""Schemas of requests and answers for OpenAPI, derived from the bodies' fields."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args, get_origin, get_type_hints

from tracing_core.http.json_body import JSONBody

__all__ = ["json_schema", "request_schema", "response_schemas"]

_TYPES: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    float: {"type": "number"},
    bool: {"type": "boolean"},
}

_DESCRIPTIONS = {
    200: "Done.",
    400: "The request breaks a rule; the code names it.",
    401: "The certificate or operator key is missing or not valid.",
    404: "No code has this handle.",
    409: "The handle was used before.",
    412: "The client cannot handle the type of this test.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    429: "Too many requests, or too many wrong codes.",
    500: "The server failed; nothing was changed.",
}


def json_schema(body: type[JSONBody], *, is_request: bool) -> dict[str, Any]:
    """Return the schema of a body in OpenAPI 3.1; null and a missing field are the type's zero."""
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
