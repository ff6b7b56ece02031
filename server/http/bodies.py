"""Parameters of routes: the request's body, and the mark of cover traffic."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request

from server.http.problems import UnreadableBody
from tracing_core.errors import InvalidValue
from tracing_core.http.json_body import JSONBody

__all__ = ["Body", "Chaff", "IdempotencyKey", "request_of"]

_LEAST_KEY_LENGTH = 22  # 128 bits in base64
_GREATEST_KEY_LENGTH = 128

_Kind = TypeVar("_Kind", bound=JSONBody)


def _is_chaff(
    x_chaff: Annotated[
        str | None,
        Header(description="Present and not empty in cover traffic, which is answered alike."),
    ] = None,
) -> bool:
    # As in Google's servers. An empty header is absent: the keys beside it are real.
    return bool(x_chaff and x_chaff.strip())


Chaff = Annotated[bool, Depends(_is_chaff)]
"""Type of a route's parameter that is True for cover traffic."""


async def _read(request: Request, is_chaff: Chaff) -> bytes:
    try:
        return await _checked(request)
    except UnreadableBody:
        if is_chaff:
            return b""
        raise


async def _checked(request: Request) -> bytes:
    limit = request.app.state.settings.max_body_bytes
    if not request.headers.get("content-type", "").lower().startswith("application/json"):
        raise UnreadableBody("the content type must be application/json", status=415)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise UnreadableBody(f"the body must be at most {limit} bytes", status=413)
    return bytes(body)


Body = Annotated[bytes, Depends(_read)]
"""Type of a route's parameter that receives the body, after checks of its type and size.

Of cover traffic, a body that fails them is empty.
"""


def request_of(
    kind: type[_Kind],
    body: bytes,
    decoy: Callable[[], _Kind],
    *,
    is_chaff: bool,
    longest_list: int = sys.maxsize,
) -> _Kind:
    """Return the request in a body; cover traffic with any other body becomes the decoy.

    Parameters
    ----------
    kind
        The type of the request.
    body
        The body.
    decoy
        Makes a request like those of devices, so that all cover traffic costs the same.
    is_chaff
        Whether this is cover traffic.
    longest_list
        Most items in a list of the request.

    Raises
    ------
    InvalidValue
        When the body is not such a request, and this is not cover traffic.
    """
    try:
        return kind.from_bytes(body, longest_list=longest_list)
    except InvalidValue:
        if is_chaff:
            return decoy()
        raise


def _idempotency_key(
    is_chaff: Chaff,
    idempotency_key: Annotated[
        str | None,
        Header(
            description="A secret of the device, 22 to 128 letters. The same request with the same"
            " secret gets the same answer again."
        ),
    ] = None,
) -> str:
    # The draft of the standard writes it in quotes (draft-ietf-httpapi-idempotency-key-header).
    key = (idempotency_key or "").strip('"')
    if key and not _LEAST_KEY_LENGTH <= len(key) <= _GREATEST_KEY_LENGTH:
        if is_chaff:
            return ""
        raise InvalidValue(
            f"Idempotency-Key must have {_LEAST_KEY_LENGTH} to {_GREATEST_KEY_LENGTH} letters"
        )
    return key


IdempotencyKey = Annotated[str, Depends(_idempotency_key)]
"""Type of a route's parameter that receives the device's secret for one request; "" if none."""
