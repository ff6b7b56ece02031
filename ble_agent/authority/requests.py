"""Requests of a report: three steps, each padded to one size, and what their refusals mean."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from ble_agent.messages.refusals import refused
from tracing_core.errors import ServerError
from tracing_core.http.json_body import JSONBody
from tracing_core.http.publish_request import PublishRequest, PublishResponse
from tracing_core.http.verification import (
    CertificateRequest,
    CertificateResponse,
    VerifyRequest,
    VerifyResponse,
)

__all__ = [
    "CERTIFY",
    "GOOGLE_REFUSALS",
    "PUBLISH",
    "REFUSALS",
    "VERIFY",
    "Step",
    "padded_body",
    "refusal",
]

REFUSALS = {
    "code_expired": "code_expired",
    "code_invalid": "code_used",  # Google's word for a code that was exchanged before
    "code_not_found": "code_unknown",
    "code_user_unauthorized": "code_unknown",
    "ended": "ended",
    "hmac_invalid": "answer",
    "internal_error": "server",
    "internal_server_error": "server",
    "invalid_test_type": "invalid_test_type",
    "maintenance_mode": "maintenance_mode",
    "quota_exceeded": "too_many_requests",
    "token_expired": "token_expired",
    "token_invalid": "token_expired",
    "unparsable_request": "answer",
    "unsupported_test_type": "invalid_test_type",
}
"""Codes of an error's body that a server may send, and our own words for them."""

GOOGLE_REFUSALS = {
    # Google's server does not say which of the two it is.
    "code_invalid": "code_unknown_or_used",
    # Its word for a token that was exchanged before, too: a lost answer ends there.
    "token_expired": "token_used",
    "token_invalid": "token_used",
    "health_authority_missing_region_config": "server",
    "key_already_revised": "keys_revised",
    "missing_revision_token": "keys_known",
    "unable_to_load_health_authority": "server",
    "unknown_health_authority_id": "authority_unknown",
}
"""Words of `REFUSALS` that mean something else, or exist only, at Google's servers."""

_Answer = TypeVar("_Answer", bound=JSONBody)
_Request = TypeVar("_Request", VerifyRequest, CertificateRequest, PublishRequest)


@dataclass(frozen=True, slots=True)
class Step(Generic[_Request, _Answer]):
    """One of the three requests of a report."""

    path: str
    request_bytes: int
    """Every request is padded to this size, or to a multiple."""
    answer: type[_Answer]


VERIFY: Step[VerifyRequest, VerifyResponse] = Step("/api/verify", 2_048, VerifyResponse)
"""Exchanges a code for a token."""

CERTIFY: Step[CertificateRequest, CertificateResponse] = Step(
    "/api/certificate", 2_048, CertificateResponse
)
"""Exchanges a token and the MAC of keys for a certificate."""

PUBLISH: Step[PublishRequest, PublishResponse] = Step("/v1/publish", 16_384, PublishResponse)
"""Uploads keys: 30 keys, a certificate and a revision token fill about half of it."""


def padded_body(request: _Request, size: int) -> bytes:
    """Return the body of a request, padded with random letters to a multiple of a size."""

    def encode(letters: str) -> bytes:
        filled = replace(request, padding=letters)
        return json.dumps(filled.to_json(), separators=(",", ":")).encode()

    short = len(encode("x")) - 1
    missing = -short % size or size
    return encode(base64.urlsafe_b64encode(secrets.token_bytes(missing)).decode()[:missing])


def refusal(status: int, body: bytes, *, is_own_kind: bool = True) -> ServerError:
    """Return the error that an HTTP status other than 200 and its body mean.

    Parameters
    ----------
    status
        The status.
    body
        The body, which may hold a code word.
    is_own_kind
        Whether the server is one of ours; Google's servers use some words otherwise.
    """
    code = _code_of(body)
    words = REFUSALS if is_own_kind else REFUSALS | GOOGLE_REFUSALS
    word = words.get(code)
    if word is not None:
        return refused(word)
    if status == 401 and not code and not is_own_kind:
        return refused("api_key")
    if status == 429:
        return refused("too_many_requests")
    if status == 404:
        return refused("not_found")
    if status >= 500:
        return refused("maintenance_mode" if status == 503 else "server")
    return refused("keys_refused" if code else "answer")


def _code_of(body: bytes) -> str:
    try:
        fields: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    code = (fields.get("errorCode") or fields.get("code")) if isinstance(fields, dict) else None
    return code if isinstance(code, str) else ""
