"""What a client is told when something is wrong: one shape, one stable word, no secrets."""

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
from server.http.answers import padded
from tracing_core.errors import InvalidValue, PublishRejected, StoreError, TracingError

__all__ = ["Refused", "add_handlers", "answered"]

_log = logging.getLogger(__name__)


class Refused(TracingError):
    """A request is answered with an error.

    Parameters
    ----------
    code
        The stable word that goes to the client; "" stands for "this is no request of ours", which
        each of Google's two servers has its own word for.
    message
        What is wrong, for a person; it holds no key.
    status
        The HTTP status.
    retry_after
        Seconds after which to try again; None if trying again is of no use.
    """

    def __init__(
        self, code: str, message: str, *, status: int = 400, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.retry_after = retry_after


def answered(
    settings: Settings, is_chaff: bool, work: Callable[[], Mapping[str, Any]]
) -> JSONResponse:
    """Do the work of a request and answer; cover traffic is told nothing, whatever came of it.

    Raises
    ------
    Refused, PublishRejected
        When the work raises it, and the request is in earnest.
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
    code = error.code or _unreadable(request)
    return _answer(request, error.status, code, str(error), headers)


def _publish_rejected(request: Request, error: PublishRejected) -> JSONResponse:
    return _answer(request, error.status, error.code, str(error))


def _invalid_value(request: Request, error: InvalidValue) -> JSONResponse:
    return _answer(request, 400, _unreadable(request), str(error))


def _store_error(request: Request, error: StoreError) -> JSONResponse:
    # The text names files of ours, which the operator needs and the client does not.
    _log.error("%s", error)
    return _answer(request, 500, _internal(request), "the server cannot store anything: try again")


def _http_exception(request: Request, error: HTTPException) -> JSONResponse:
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return _answer(
        request, error.status_code, code, str(error.detail), dict(error.headers or {}) or None
    )


def _gone(_request: Request, _error: ClientDisconnect) -> Response:
    # Nobody hears this; a device that lost its network is no fault to be logged.
    return Response(status_code=400)


def _unexpected(request: Request, _error: Exception) -> JSONResponse:
    return _answer(request, 500, _internal(request), "an error of the server: try again")


def add_handlers(app: FastAPI) -> None:
    """Answer every error of a route in the shape that Google's servers use."""
    app.add_exception_handler(Refused, _refused)  # type: ignore[arg-type]
    app.add_exception_handler(PublishRejected, _publish_rejected)  # type: ignore[arg-type]
    app.add_exception_handler(InvalidValue, _invalid_value)  # type: ignore[arg-type]
    app.add_exception_handler(StoreError, _store_error)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _http_exception)  # type: ignore[arg-type]
    app.add_exception_handler(ClientDisconnect, _gone)  # type: ignore[arg-type]
    app.add_exception_handler(Exception, _unexpected)
