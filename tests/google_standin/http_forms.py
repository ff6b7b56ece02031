"""Requests and answers in the forms of Google's Go programs."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

MOST_BYTES = 64_000


class Refusal(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, fields: dict[str, Any]) -> None:
        super().__init__(fields)
        self.status = status
        self.fields = fields


def answer(status: int, fields: dict[str, Any], **headers: str) -> Response:
    """JSON without empty fields, in chunks, as Go writes what is longer than its buffer."""
    text = json.dumps({name: value for name, value in fields.items() if value}) + "\n"

    async def parts() -> AsyncIterator[bytes]:
        for at in range(0, len(text), 2048):
            yield text[at : at + 2048].encode()

    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return StreamingResponse(parts(), status, named, media_type="application/json")


def padding() -> str:
    """As both servers pad: 1,024 bytes and up to as many more, in base64."""
    return base64.b64encode(secrets.token_bytes(1024 + secrets.randbelow(1024))).decode()


async def fields_of(request: Request, known: dict[str, type], word: str) -> dict[str, Any]:
    """Read a body as encoding/json does: names without case, unknown ones refused, zeros filled."""
    kind = request.headers.get("Content-Type", "")
    if not kind.startswith("application/json"):
        raise Refusal(415, {"error": "content-type is not application/json", word: "bad_request"})
    body = await request.body()
    if len(body) > MOST_BYTES:
        raise Refusal(413, {"error": "http: request body too large", word: "bad_request"})
    try:
        return go_fields(json.loads(body), known)
    except ValueError as error:
        raise Refusal(400, {"error": str(error), word: "bad_request"}) from error


def go_fields(value: Any, known: dict[str, type]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("json: cannot unmarshal into Go value")
    names = {name.lower(): name for name in known}
    fields: dict[str, Any] = {name: kind() for name, kind in known.items()}
    for name, each in value.items():
        if name.lower() not in names:
            raise ValueError(f'json: unknown field "{name}"')
        own = names[name.lower()]
        if each is None:
            continue
        if type(each) is not known[own]:
            raise ValueError(f"json: cannot unmarshal into Go struct field {own}")
        fields[own] = each
    return fields
