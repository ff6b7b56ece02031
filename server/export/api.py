"""``GET /exports/…``: the indexes and the key files."""

from __future__ import annotations

import re
from email.utils import format_datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response, StreamingResponse

from server.context import CurrentServer
from server.errors import Refused
from server.export.exporter import publish_index
from server.export.store import is_published
from server.http.answers import content_tag, matches_tag
from server.store.storage import StoredFile
from tracing_core.export_file import (
    BLUEZONE_LIST_NAME,
    BLUEZONE_SIGNATURES_NAME,
    INDEX_NAME,
    SIGNED_INDEX_NAME,
)

__all__ = ["export_router"]

_ZIP = "application/zip"
_TEXT = "text/plain; charset=us-ascii"
_JOSE = "application/jose"
_JSON = "application/json"
_BYTES = "application/octet-stream"
_PART: dict[int | str, dict[str, Any]] = {
    206: {"description": "The rest of the file.", "content": {_ZIP: {}}},
    416: {"description": "The client has the whole file."},
}
_INDEX_SECONDS = 60
_FILE_SECONDS = 14 * 86_400

IfNoneMatch = Annotated[
    str | None,
    Header(description="ETags the client has; 304 if the current one is among them."),
]


Range = Annotated[
    str | None, Header(alias="Range", description="bytes=N- resumes a file at byte N.")
]


def _headers(file: StoredFile, e_tag: str, max_age: int) -> dict[str, str]:
    return {
        "ETag": e_tag,
        "Last-Modified": format_datetime(file.modified_at, usegmt=True),
        "Cache-Control": f"public, max-age={max_age}",
        "Accept-Ranges": "bytes",
    }


def _absent() -> Refused:
    return Refused("not_found", "no such file: read the index again")


def _index(
    server: CurrentServer, request: Request, region: str, if_none_match: IfNoneMatch = None
) -> Response:
    """List the key files of a region, oldest first: paths below ``/exports/``, one per line."""
    is_ours = region == server.region
    file = server.storage.read(f"{region}/{INDEX_NAME}") if is_ours else None
    if is_ours and file is None:
        # An empty list, not an error: nothing has been exported yet.
        return Response(media_type=_TEXT, headers={"Cache-Control": "no-cache"})
    return _document(file, _TEXT, request.method, if_none_match)


def _signed_index(
    server: CurrentServer, request: Request, region: str, if_none_match: IfNoneMatch = None
) -> Response:
    """Return the key files of a region with their hashes, dated and numbered, as a JWS."""
    path = f"{region}/{SIGNED_INDEX_NAME}"
    file = server.storage.read(path) if region == server.region else None
    if region == server.region and file is None:
        # The worker has not come to it yet, and a device would take its absence for a fault.
        publish_index(server, region)
        file = server.storage.read(path)
    return _document(file, _JOSE, request.method, if_none_match)


def _bluezone_list(
    server: CurrentServer, request: Request, region: str, if_none_match: IfNoneMatch = None
) -> Response:
    """Return the list of Bluezone keys of a region, if the authority publishes one."""
    file = _published(server, region, BLUEZONE_LIST_NAME)
    return _document(file, _JSON, request.method, if_none_match)


def _bluezone_signatures(
    server: CurrentServer, request: Request, region: str, if_none_match: IfNoneMatch = None
) -> Response:
    """Return the signatures of that list, as in a key file's ``export.sig``."""
    file = _published(server, region, BLUEZONE_SIGNATURES_NAME)
    return _document(file, _BYTES, request.method, if_none_match)


def _published(server: CurrentServer, region: str, name: str) -> StoredFile | None:
    record = server.keys.manifest().bluezone
    is_ours = region == server.region and record is not None and record.sha256 != ""
    return server.storage.read(f"{region}/{name}") if is_ours else None


def _document(
    file: StoredFile | None, media_type: str, method: str, if_none_match: str | None
) -> Response:
    if file is None:
        raise _absent()
    data = b"".join(file.chunks)
    # A hash of the contents: any other tag that a device sends back could identify it.
    e_tag = content_tag(data)
    headers = _headers(file, e_tag, _INDEX_SECONDS)
    if if_none_match is not None and matches_tag(if_none_match, e_tag):
        return Response(status_code=304, headers=headers)
    if method == "HEAD":
        return Response(media_type=media_type, headers=headers | {"Content-Length": str(len(data))})
    return Response(data, media_type=media_type, headers=headers)


def _file(
    server: CurrentServer,
    request: Request,
    region: str,
    name: str,
    if_none_match: IfNoneMatch = None,
    range_: Range = None,
) -> Response:
    """Return a key file: a zip of ``export.bin`` and ``export.sig``."""
    path = f"{region}/{name}"
    # Only names that the database knows are read, so no path leads elsewhere. PostgreSQL refuses
    # text with NUL.
    with server.database.read() as conn:
        is_known = "\0" not in path and is_published(conn, path)
    file = server.storage.read(path) if is_known else None
    if file is None:
        raise _absent()
    headers = _headers(file, file.e_tag, _FILE_SECONDS)
    if if_none_match is not None and matches_tag(if_none_match, file.e_tag):
        return Response(status_code=304, headers=headers)
    start = _first_byte(range_)
    if start is not None and start >= file.size:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{file.size}"})
    headers["Content-Length"] = str(file.size - (start or 0))
    if start is not None:
        headers["Content-Range"] = f"bytes {start}-{file.size - 1}/{file.size}"
        file = server.storage.read(path, start=start) or file
    status = 200 if start is None else 206
    if request.method == "HEAD":
        return Response(status_code=status, media_type=_ZIP, headers=headers)
    return StreamingResponse(file.chunks, status, media_type=_ZIP, headers=headers)


def _first_byte(text: str | None) -> int | None:
    """Return the first byte of a range to the end; None for any other range, which is ignored."""
    match = re.fullmatch(r"bytes=(\d{1,12})-", text or "")
    return int(match[1]) if match else None


def export_router() -> APIRouter:
    """Make the routes of the key files."""
    router = APIRouter(tags=["exports"])
    for path, route, name, media_type in (
        (f"/exports/{{region}}/{INDEX_NAME}", _index, "index", _TEXT),
        (f"/exports/{{region}}/{SIGNED_INDEX_NAME}", _signed_index, "signed_index", _JOSE),
        (f"/exports/{{region}}/{BLUEZONE_LIST_NAME}", _bluezone_list, "bluezone_list", _JSON),
        (
            f"/exports/{{region}}/{BLUEZONE_SIGNATURES_NAME}",
            _bluezone_signatures,
            "bluezone_signatures",
            _BYTES,
        ),
        ("/exports/{region}/{name}", _file, "export", _ZIP),
    ):
        for method in ("GET", "HEAD"):
            router.add_api_route(
                path,
                route,
                methods=[method],
                operation_id=f"{method.lower()}_{name}",
                response_class=Response,
                responses={
                    200: {"description": "The file.", "content": {media_type: {}}},
                    304: {"description": "The client has it."},
                    **(_PART if name == "export" else {}),
                    404: {"description": "No such region or file."},
                },
            )
    return router
