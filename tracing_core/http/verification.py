"""Bodies of the verification server under ``/api``.

Names and error words are Google's. Dates are ``YYYY-MM-DD``; the server's rules check them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from tracing_core.http.json_body import JSONBody

__all__ = [
    "BatchIssueRequest",
    "BatchIssueResponse",
    "CertificateRequest",
    "CertificateResponse",
    "CheckCodeStatusResponse",
    "CodeHandle",
    "ExpireCodeResponse",
    "IssueRequest",
    "IssueResponse",
    "VerifyRequest",
    "VerifyResponse",
]


@dataclass(frozen=True, slots=True)
class VerifyRequest(JSONBody):
    """A code that a person was given, to be exchanged for a token."""

    code: Annotated[str, "code"] = field(repr=False)
    accept: Annotated[tuple[str, ...], "accept"] = ()
    """The test types the device can handle; empty means all except self-reported tests."""
    nonce: Annotated[str, "nonce"] = field(default="", repr=False)
    """Base64, for self-reported tests alone; "" if absent."""
    padding: Annotated[str, "padding"] = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class VerifyResponse(JSONBody):
    """A token, or why it is missing."""

    _ignores_unknown_fields: ClassVar[bool] = True

    test_type: Annotated[str, "testtype"] = ""
    """``confirmed``, ``likely``, ``negative`` or ``user-report``."""
    symptom_date: Annotated[str, "symptomDate"] = ""
    """When symptoms began; "" if unknown."""
    test_date: Annotated[str, "testDate"] = ""
    """When the test was taken; "" if unknown."""
    token: Annotated[str, "token"] = field(default="", repr=False)
    padding: Annotated[str, "padding"] = field(default="", repr=False)
    error: Annotated[str, "error"] = ""
    error_code: Annotated[str, "errorCode"] = ""


@dataclass(frozen=True, slots=True)
class CertificateRequest(JSONBody):
    """A token and the MAC of the keys to be uploaded, to be exchanged for a certificate."""

    token: Annotated[str, "token"] = field(repr=False)
    key_hmac: Annotated[str, "ekeyhmac"] = field(repr=False)
    """Base64 of the MAC of `tracing_core.http.publish_request.key_hmac`."""
    padding: Annotated[str, "padding"] = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class CertificateResponse(JSONBody):
    """A certificate, or why it is missing."""

    _ignores_unknown_fields: ClassVar[bool] = True

    certificate: Annotated[str, "certificate"] = field(default="", repr=False)
    """A JWT signed with ES256."""
    padding: Annotated[str, "padding"] = field(default="", repr=False)
    error: Annotated[str, "error"] = ""
    error_code: Annotated[str, "errorCode"] = ""


@dataclass(frozen=True, slots=True)
class IssueRequest(JSONBody):
    """An operator's request for a code.

    This server neither sends messages nor learns whom a code is for, so it refuses a request that
    fills a field about them.
    """

    symptom_date: Annotated[str, "symptomDate"] = ""
    """When symptoms began; "" if unknown."""
    test_date: Annotated[str, "testDate"] = ""
    """When the test was taken; "" if unknown."""
    test_type: Annotated[str, "testType"] = ""
    """``confirmed``, ``likely`` or ``negative``."""
    tz_offset: Annotated[float, "tzOffset"] = 0.0
    """The operator's time zone, minutes east of UTC."""
    uuid: Annotated[str, "uuid"] = ""
    """The operator's handle for the code; "" lets the server choose one."""
    external_issuer_id: Annotated[str, "externalIssuerID"] = field(default="", repr=False)
    """Who at the authority asked; "" if the request does not say."""
    phone: Annotated[str, "phone"] = field(default="", repr=False)
    """Where Google's server sends a message; must be ""."""
    padding: Annotated[str, "padding"] = field(default="", repr=False)
    sms_template_label: Annotated[str, "smsTemplateLabel"] = field(default="", repr=False)
    """Which text Google's server sends; must be ""."""
    only_generate_sms: Annotated[bool, "onlyGenerateSMS"] = False
    """Whether Google's server returns the message instead of sending it; must be False."""


@dataclass(frozen=True, slots=True)
class IssueResponse(JSONBody):
    """A code, or why it is missing."""

    _ignores_unknown_fields: ClassVar[bool] = True

    uuid: Annotated[str, "uuid"] = ""
    code: Annotated[str, "code"] = field(default="", repr=False)
    expires_at: Annotated[str, "expiresAt"] = ""
    """When the code expires, as RFC 1123 writes it (UTC)."""
    expires_at_timestamp: Annotated[int, "expiresAtTimestamp"] = 0
    """When the code expires (UTC Unix seconds); 0 if there is no code."""
    padding: Annotated[str, "padding"] = field(default="", repr=False)
    error: Annotated[str, "error"] = ""
    error_code: Annotated[str, "errorCode"] = ""
    long_expires_at: Annotated[str, "longExpiresAt"] = ""
    """When a long form of the code expires; equal, since a code has one form here."""
    long_expires_at_timestamp: Annotated[int, "longExpiresAtTimestamp"] = 0


@dataclass(frozen=True, slots=True)
class CodeHandle(JSONBody):
    """An operator's question about an issued code, or request to withdraw it."""

    uuid: Annotated[str, "uuid"]
    """The handle in the answer that issued the code."""
    padding: Annotated[str, "padding"] = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class CheckCodeStatusResponse(JSONBody):
    """The state of an issued code."""

    _ignores_unknown_fields: ClassVar[bool] = True

    claimed: Annotated[bool, "claimed"] = False
    """Whether a device has exchanged the code for a token."""
    expires_at_timestamp: Annotated[int, "expiresAtTimestamp"] = 0
    """When the code expires (UTC Unix seconds)."""
    long_expires_at_timestamp: Annotated[int, "longExpiresAtTimestamp"] = 0
    padding: Annotated[str, "padding"] = field(default="", repr=False)
    error: Annotated[str, "error"] = ""
    error_code: Annotated[str, "errorCode"] = ""


@dataclass(frozen=True, slots=True)
class ExpireCodeResponse(JSONBody):
    """The time at which a code was withdrawn."""

    _ignores_unknown_fields: ClassVar[bool] = True

    expires_at_timestamp: Annotated[int, "expiresAtTimestamp"] = 0
    """When the code expired (UTC Unix seconds)."""
    long_expires_at_timestamp: Annotated[int, "longExpiresAtTimestamp"] = 0
    padding: Annotated[str, "padding"] = field(default="", repr=False)
    error: Annotated[str, "error"] = ""
    error_code: Annotated[str, "errorCode"] = ""


@dataclass(frozen=True, slots=True)
class BatchIssueRequest(JSONBody):
    """Several requests at once."""

    codes: Annotated[tuple[IssueRequest, ...], "codes"]
    padding: Annotated[str, "padding"] = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class BatchIssueResponse(JSONBody):
    """The answers, in the order of the requests."""

    _ignores_unknown_fields: ClassVar[bool] = True

    codes: Annotated[tuple[IssueResponse, ...], "codes"] = ()
    padding: Annotated[str, "padding"] = field(default="", repr=False)
    error: Annotated[str, "error"] = ""
    error_code: Annotated[str, "errorCode"] = ""
