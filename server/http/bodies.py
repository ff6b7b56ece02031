"""Parameters of routes: the request's body, and the mark of cover traffic."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Request

from server.http.problems import UnreadableBody

__all__ = ["Body", "Chaff"]


async def _read(request: Request) -> bytes:
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
"""Type of a route's parameter that receives the body, after checks of its type and size."""


def _is_chaff(
    x_chaff: Annotated[
        str | None,
        Header(description="Present in cover traffic, which is answered alike."),
    ] = None,
) -> bool:
    return x_chaff is not None


Chaff = Annotated[bool, Depends(_is_chaff)]
"""Type of a route's parameter that is True for cover traffic."""
