"""Error answers: one shape, one stable word, no secrets."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from server.config import Settings
from server.errors import Refused
from server.http.answers import padded
from tracing_core.errors import InvalidValue, PublishRejected, StoreError, TracingError

__all__ = ["UnreadableBody", "add_handlers", "answered", "status_of"]

_log = logging.getLogger(__name__)


_STATUS = {
    "unauthorized": 401,
    "not_found": 404,
    "uuid_already_exists": 409,
    "unsupported_test_type": 412,
    "quota_exceeded": 429,
    "internal_server_error": 500,
}
"""HTTP status for the code of a refusal; 400 for every other code."""


class UnreadableBody(TracingError):
    """A request has a body that the server refuses to read.

    Parameters
    ----------
    message
        What is wrong, for a person.
    status
        The HTTP status.
    """

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


def status_of(refusal: Refused) -> int:
    """Return the HTTP status that answers a refusal."""
    return refusal.status or _STATUS.get(refusal.code, 400)


def answered(
    settings: Settings, is_chaff: bool, work: Callable[[], Mapping[str, Any]]
) -> JSONResponse:
    """Do a request's work and answer; the answer to cover traffic is always empty.

    Raises
    ------
    Refused, PublishRejected
        When the work raises the error, and the request is not cover traffic.
    """
    try:
        fields = work()
    except (Refused, PublishRejected):
        if not is_chaff:
            raise
        fields = {}
    return padded(settings, {} if is_chaff else fields)


def _answer(
    request: Request,
    status: int,
    code: str,
    message: str,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    # Google's verification server says "errorCode" where its key server says "code".
    field = "errorCode" if request.url.path.startswith("/api/") else "code"
    return padded(request.app.state.settings, {"error": message, field: code}, status, headers)


def _unreadable(request: Request) -> str:
    return "unparsable_request" if request.url.path.startswith("/api/") else "bad_request"


def _internal(request: Request) -> str:
    return "internal_server_error" if request.url.path.startswith("/api/") else "internal_error"


def _refused(request: Request, error: Refused) -> JSONResponse:
    headers = None if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    return _answer(request, status_of(error), error.code, str(error), headers)


def _unreadable_body(request: Request, error: UnreadableBody) -> JSONResponse:
    return _answer(request, error.status, _unreadable(request), str(error))


def _publish_rejected(request: Request, error: PublishRejected) -> JSONResponse:
    return _answer(request, error.status, error.code, str(error))


def _invalid_value(request: Request, error: InvalidValue) -> JSONResponse:
    return _answer(request, 400, _unreadable(request), str(error))


def _store_error(request: Request, error: StoreError) -> JSONResponse:
    # The text names files, which the operator needs and the client does not.
    _log.error("%s", error)
    return _answer(request, 500, _internal(request), "the server cannot store anything: try again")


def _http_exception(request: Request, error: HTTPException) -> JSONResponse:
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return _answer(
        request, error.status_code, code, str(error.detail), dict(error.headers or {}) or None
    )


def _gone(_request: Request, _error: ClientDisconnect) -> Response:
    # The client is gone. A device that lost its network is not an error to log.
    return Response(status_code=400)


def _unexpected(request: Request, _error: Exception) -> JSONResponse:
    return _answer(request, 500, _internal(request), "the server failed: try again")


def add_handlers(app: FastAPI) -> None:
    """Answer every error of a route in the shape that Google's servers use."""
    app.add_exception_handler(Refused, _refused)  # type: ignore[arg-type]
    app.add_exception_handler(UnreadableBody, _unreadable_body)  # type: ignore[arg-type]
    app.add_exception_handler(PublishRejected, _publish_rejected)  # type: ignore[arg-type]
    app.add_exception_handler(InvalidValue, _invalid_value)  # type: ignore[arg-type]
    app.add_exception_handler(StoreError, _store_error)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _http_exception)  # type: ignore[arg-type]
    app.add_exception_handler(ClientDisconnect, _gone)  # type: ignore[arg-type]
    app.add_exception_handler(Exception, _unexpected)
