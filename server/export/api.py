"""``GET /exports/…``: the index and the key files."""

from __future__ import annotations

from email.utils import format_datetime
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.responses import Response, StreamingResponse

from server.context import CurrentServer
from server.export.store import is_published
from server.export.worker import INDEX_NAME
from server.problems import Refused
from server.storage import StoredFile

__all__ = ["export_router"]

_TEXT = "text/plain; charset=us-ascii"
_INDEX_SECONDS = 60
_FILE_SECONDS = 14 * 86_400

IfNoneMatch = Annotated[
    str | None, Header(description="ETags of versions the client has: 304 if it is one of them.")
]


def _matches(if_none_match: str, e_tag: str) -> bool:
    known = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in known or e_tag in known


def _answer(
    request: Request,
    file: StoredFile | None,
    media_type: str,
    max_age: int,
    if_none_match: str | None,
) -> Response:
    if file is None:
        raise Refused("not_found", "there is no such file: read the index again", status=404)
    headers = {
        "ETag": file.e_tag,
        "Last-Modified": format_datetime(file.modified_at, usegmt=True),
        "Cache-Control": f"public, max-age={max_age}",
    }
    if if_none_match is not None and _matches(if_none_match, file.e_tag):
        return Response(status_code=304, headers=headers)
    headers["Content-Length"] = str(file.size)
    if request.method == "HEAD":
        return Response(media_type=media_type, headers=headers)
    return StreamingResponse(file.chunks, media_type=media_type, headers=headers)


def _index(
    server: CurrentServer, request: Request, region: str, if_none_match: IfNoneMatch = None
) -> Response:
    """List the key files of a region, oldest first: paths below ``/exports/``, one a line."""
    is_ours = region == server.settings.region
    file = server.storage.read(f"{region}/{INDEX_NAME}") if is_ours else None
    if is_ours and file is None:
        # Before the first export there is nothing to list, which is no error.
        return Response(media_type=_TEXT, headers={"Cache-Control": "no-cache"})
    return _answer(request, file, _TEXT, _INDEX_SECONDS, if_none_match)


def _file(
    server: CurrentServer,
    request: Request,
    region: str,
    name: str,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Return a key file: a zip of ``export.bin`` and ``export.sig``."""
    path = f"{region}/{name}"
    # Only what the database knows is looked for in the folder, so no path leads elsewhere.
    with server.database.read() as conn:
        is_known = is_published(conn, path)
    file = server.storage.read(path) if is_known else None
    return _answer(request, file, "application/zip", _FILE_SECONDS, if_none_match)


def export_router() -> APIRouter:
    """Make the routes of this domain."""
    router = APIRouter(tags=["exports"])
    for path, route, name, media_type in (
        ("/exports/{region}/index.txt", _index, "index", _TEXT),
        ("/exports/{region}/{name}", _file, "export", "application/zip"),
    ):
        for method in ("GET", "HEAD"):
            router.add_api_route(
                path,
                route,
                methods=[method],
                operation_id=f"{method.lower()}_{name}",
                response_class=Response,
                response_model=None,
                responses={
                    200: {"description": "The file.", "content": {media_type: {}}},
                    304: {"description": "The client has it."},
                    404: {"description": "There is no such region or file."},
                },
            )
    return router
