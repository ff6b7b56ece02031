"""The guard in front of every route: which requests are heard at all.

Any web page in the owner's browser can send requests to this port, and so can any program of this
machine. Another name may resolve to this machine (DNS rebinding), so `Host` must be one of ours.
Cookies and `SameSite` ignore ports, so a form on another port's page would be accepted, but its
`Origin` differs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["MAX_FORM_BYTES", "MAX_UPLOAD_BYTES", "Guard"]

MAX_FORM_BYTES = 64 << 10
"""Largest body of a form without a file."""

MAX_UPLOAD_BYTES = (64 << 20) + MAX_FORM_BYTES
"""Largest body of a form with a file."""

_METHODS = ("GET", "HEAD", "POST")
_SINGLE = (b"host", b"origin", b"cookie", b"content-length", b"content-type", b"sec-fetch-site")
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # With no-referrer, Chromium sends `Origin: null` with our own forms.
    (b"referrer-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), geolocation=(), microphone=()"),
)


class Guard:
    """Middleware that refuses a request which the page's own screens do not send.

    Parameters
    ----------
    app
        What answers the other requests.
    origins
        Scheme, host and port of each address at which the page is ours, in lower case.
    uploads
        Last parts of the paths whose forms have a file.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str], uploads: Collection[str]) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._uploads = frozenset(uploads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it with a status and one word."""
        if scope["type"] != "http":
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(send, *refusal)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
            await send(message)

        await self._app(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        counts = Counter(name for name, _ in scope["headers"])
        if any(counts[name] > 1 for name in _SINGLE):
            return 400, "repeated"
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        origin = f"{scope['scheme']}://{headers.get(b'host', '').lower()}"
        if origin not in self._origins:
            return 421, "host"
        if scope["method"] not in _METHODS:
            return 405, "method"
        length = headers.get(b"content-length")
        if scope["method"] != "POST":
            if length not in (None, "0") or b"transfer-encoding" in headers:
                return 400, "body"
            return None if _is_asked_by_owner(scope["path"], headers) else (403, "site")
        # Browsers send it with every form; no other page can forge it.
        if headers.get(b"origin", "").lower() != origin:
            return 403, "origin"
        if headers.get(b"sec-fetch-site", "same-origin") != "same-origin":
            return 403, "site"
        if length is None or b"transfer-encoding" in headers:
            return 411, "length"
        is_upload = scope["path"].rsplit("/", 1)[-1] in self._uploads
        most = MAX_UPLOAD_BYTES if is_upload else MAX_FORM_BYTES
        if not (length.isascii() and length.isdigit() and len(length) < 20):
            return 400, "length"
        return None if int(length) <= most else (413, "size")


def _is_asked_by_owner(path: str, headers: Mapping[bytes, str]) -> bool:
    """Return whether no other page asks: for a screen, or to see whether a file is there.

    Only the door itself may be opened from elsewhere, such as from a mail with the link.
    """
    if headers.get(b"sec-fetch-site", "none") in ("none", "same-origin"):
        return True
    return path == "/" and headers.get(b"sec-fetch-dest", "document") == "document"


async def _refuse(send: Send, status: int, word: str) -> None:
    body = f"{word}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=us-ascii"),
        (b"content-length", str(len(body)).encode()),
        # What else it would send is not read.
        (b"connection", b"close"),
        *_HEADERS,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
