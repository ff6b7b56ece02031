"""Routes of verification, as in Google's server: two of devices, four of operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header
from fastapi.responses import JSONResponse

from server.context import CurrentServer, Server
from server.errors import Refused
from server.http.answers import padded
from server.http.bodies import Body, Chaff, IdempotencyKey, request_of
from server.http.problems import answered, status_of
from server.http.schemas import request_schema, response_schemas
from server.verification.limits import Address, Limits
from server.verification.rules import (
    check_operator_key,
    code_status,
    exchange_code,
    exchange_token,
    issue_code,
    withdraw_code,
)
from tracing_core.errors import InvalidValue
from tracing_core.http.json_body import JSONBody
from tracing_core.http.verification import (
    BatchIssueRequest,
    BatchIssueResponse,
    CertificateRequest,
    CertificateResponse,
    CheckCodeStatusResponse,
    CodeHandle,
    ExpireCodeResponse,
    IssueRequest,
    IssueResponse,
    VerifyRequest,
    VerifyResponse,
)
from tracing_core.http.verification_code import plain_code

__all__ = ["verification_router"]

_MOST_TEST_TYPES = 8
"""Twice as many as there are."""

_WRONG_CODES = ("code_not_found", "code_invalid", "code_expired")


def _answer(server: Server, response: JSONBody) -> JSONResponse:
    return padded(server.settings, response.to_json())


def _verify(
    server: CurrentServer,
    body: Body,
    is_chaff: Chaff,
    limits: Limits,
    address: Address,
    attempt: IdempotencyKey,
) -> JSONResponse:
    """Exchange a code for a token."""
    limits.count_request(address, is_cover=is_chaff)
    request = request_of(
        VerifyRequest,
        body,
        lambda: VerifyRequest(""),
        is_chaff=is_chaff,
        longest_list=_MOST_TEST_TYPES,
    )
    code = plain_code(request.code)
    limits.check_code(address, "" if is_chaff else code)

    def exchange() -> dict[str, Any]:
        try:
            subject, token, is_again = exchange_code(
                server, request, attempt=attempt, is_cover=is_chaff
            )
        except Refused as error:
            if error.code in _WRONG_CODES:
                limits.count_code(address, None if is_chaff else False, code)
            raise
        # An answer given again proves nothing new; else one code would forgive any guesses.
        limits.count_code(address, None if is_chaff or is_again else True)
        return VerifyResponse(
            subject.test_type, subject.symptom_date or "", subject.test_date or "", token
        ).to_json()

    return answered(server.settings, is_chaff, exchange)


def _certificate(
    server: CurrentServer,
    body: Body,
    is_chaff: Chaff,
    limits: Limits,
    address: Address,
    attempt: IdempotencyKey,
) -> JSONResponse:
    """Exchange a token for a certificate for the keys behind a MAC."""
    limits.count_request(address, is_cover=is_chaff)
    request = request_of(
        CertificateRequest, body, lambda: CertificateRequest("", ""), is_chaff=is_chaff
    )

    def exchange() -> dict[str, Any]:
        certificate = exchange_token(server, request, attempt=attempt, is_cover=is_chaff)
        return CertificateResponse(certificate).to_json()

    return answered(server.settings, is_chaff, exchange)


def _operator(
    server: CurrentServer,
    x_api_key: Annotated[str | None, Header(description="The operator's key.")] = None,
) -> None:
    check_operator_key(server, x_api_key)


def _issued(server: Server, request: IssueRequest) -> IssueResponse:
    code = issue_code(server, request)
    expires_at = formatdate(code.expires_at, usegmt=True).replace("GMT", "UTC")
    return IssueResponse(
        uuid=code.uuid,
        code=code.code,
        expires_at=expires_at,
        expires_at_timestamp=code.expires_at,
        long_expires_at=expires_at,
        long_expires_at_timestamp=code.expires_at,
    )


def _issue(server: CurrentServer, body: Body) -> JSONResponse:
    """Issue a code for a test."""
    return _answer(server, _issued(server, IssueRequest.from_bytes(body)))


def _batch_issue(server: CurrentServer, body: Body) -> JSONResponse:
    """Issue a code for each of several tests; the first error sets the answer's status."""
    limit = server.settings.max_batch_issue
    request = BatchIssueRequest.from_bytes(body, longest_list=limit)
    if not 1 <= len(request.codes) <= limit:
        raise InvalidValue(f"codes must be 1 to {limit} requests")
    codes: list[IssueResponse] = []
    problem: Refused | None = None
    for each in request.codes:
        try:
            codes.append(_issued(server, each))
        except Refused as error:
            codes.append(IssueResponse(error=str(error), error_code=error.code))
            problem = problem or error
    answer = BatchIssueResponse(tuple(codes))
    if problem is None:
        return _answer(server, answer)
    failed = replace(answer, error=str(problem), error_code=problem.code)
    return padded(server.settings, failed.to_json(), status_of(problem))


def _check_code_status(server: CurrentServer, body: Body) -> JSONResponse:
    """Return whether a code was used, and when it expires."""
    code = code_status(server, CodeHandle.from_bytes(body).uuid)
    status = CheckCodeStatusResponse(code.is_spent, code.expires_at, code.expires_at)
    # Google's clients expect the field even if it is false.
    return padded(server.settings, {"claimed": code.is_spent, **status.to_json()})


def _expire_code(server: CurrentServer, body: Body) -> JSONResponse:
    """Withdraw a code that was not yet used."""
    moment = withdraw_code(server, CodeHandle.from_bytes(body).uuid)
    return _answer(server, ExpireCodeResponse(moment, moment))


def verification_router() -> APIRouter:
    """Make the routes of verification."""
    router = APIRouter(prefix="/api", tags=["verification"])

    def add(
        name: str,
        route: Callable[..., JSONResponse],
        request: type[JSONBody],
        response: type[JSONBody],
        *statuses: int,
        is_operators: bool = False,
    ) -> None:
        described: dict[str, Any] = request_schema(request)
        router.add_api_route(
            f"/{name}",
            route,
            methods=["POST"],
            operation_id=name,
            openapi_extra=described,
            responses=response_schemas(response, *statuses),
            dependencies=[Depends(_operator)] if is_operators else [],
        )

    add("verify", _verify, VerifyRequest, VerifyResponse, 400, 412, 429)
    add("certificate", _certificate, CertificateRequest, CertificateResponse, 400, 429)
    add("issue", _issue, IssueRequest, IssueResponse, 400, 401, 409, 412, is_operators=True)
    add(
        "batch-issue",
        _batch_issue,
        BatchIssueRequest,
        BatchIssueResponse,
        400,
        401,
        409,
        412,
        is_operators=True,
    )
    for name, route, response in (
        ("checkcodestatus", _check_code_status, CheckCodeStatusResponse),
        ("expirecode", _expire_code, ExpireCodeResponse),
    ):
        add(name, route, CodeHandle, response, 400, 401, 404, is_operators=True)
    return router
