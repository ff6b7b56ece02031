"""Verification certificates, with which a device publishes: JWTs in the form of Google's server."""

from __future__ import annotations

import base64
import contextlib
import functools
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from server.config import Settings
from server.store.private_keys import NamedKey
from server.verification.store import DECOY, Subject
from tracing_core.errors import InvalidValue, PublishRejected
from tracing_core.http.publish_request import PublishRequest, check_key_hmac, decode_base64
from tracing_core.protocol.diagnosis_key import ReportType
from tracing_core.protocol.interval import interval_number

__all__ = [
    "REPORT_TYPES",
    "Claims",
    "onset_interval",
    "pretend_to_verify",
    "sign_certificate",
    "verify_certificate",
]

_ALGORITHM = "ES256"

REPORT_TYPES = {
    "confirmed": ReportType.CONFIRMED_TEST,
    "likely": ReportType.CONFIRMED_CLINICAL_DIAGNOSIS,
    "user-report": ReportType.SELF_REPORT,
    "negative": ReportType.REVOKED,
}
"""Report types by the certificate's names for them."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Statement of the health authority about the keys of an upload."""

    report_type: ReportType
    symptom_onset_interval: int = field(default=0, repr=False)
    """The interval in which symptoms started; 0 if unknown."""


def onset_interval(subject: Subject) -> int:
    """Return the interval in which symptoms started, else that of the test; 0 if both are unknown.

    Google's verification server states only the onset. If it is unknown, its key server assumes
    four days before the upload, whatever the day of the test (`Subject.SymptomInterval`,
    `TransformPublish`). For a person without symptoms the day of the test is a better estimate.
    """
    day = subject.symptom_date or subject.test_date
    if day is None:
        return 0
    return interval_number(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


def sign_certificate(
    subject: Subject, key_hmac: bytes, key: NamedKey, settings: Settings, now: float
) -> str:
    """Sign what is known about a test, for the keys behind a MAC."""
    return _signed(
        subject,
        key_hmac,
        key,
        iss=settings.issuer,
        aud=settings.audience,
        iat=int(now),
        # For a key server whose clock is a little behind, it must not be "not yet valid".
        nbf=int(now) - settings.certificate_leeway_seconds,
        exp=int(now) + settings.certificate_seconds,
    )


def _signed(subject: Subject, key_hmac: bytes, key: NamedKey, **claims: str | int) -> str:
    claims["tekmac"] = base64.b64encode(key_hmac).decode()
    claims["reportType"] = subject.test_type
    if onset := onset_interval(subject):
        claims["symptomOnsetInterval"] = onset
    return jwt.encode(claims, key.private_key, _ALGORITHM, headers={"kid": key.key_id})


def _refuse(message: str) -> PublishRejected:
    return PublishRejected("health_authority_verification_certificate_invalid", message, status=401)


def _decoded(
    token: str, key_id: str, key: ec.EllipticCurvePublicKey, settings: Settings
) -> dict[str, Any]:
    try:
        if jwt.get_unverified_header(token).get("kid") != key_id:
            raise _refuse("the certificate is signed with a key that this server does not know")
        return jwt.decode(
            token,
            key,
            algorithms=[_ALGORITHM],
            audience=settings.audience,
            issuer=settings.issuer,
            # The times are checked below, against the server's clock.
            options={
                "require": ["iss", "aud", "iat", "exp", "tekmac", "reportType"],
                "verify_iat": False,
                "verify_nbf": False,
                "verify_exp": False,
            },
        )
    except jwt.PyJWTError as error:
        raise _refuse(f"the certificate is not valid: {type(error).__name__}") from error


def verify_certificate(
    upload: PublishRequest, key: NamedKey, settings: Settings, now: float
) -> Claims:
    """Check the certificate of an upload, and that it was issued for exactly these keys.

    Raises
    ------
    PublishRejected
        When the certificate is missing, forged, not yet or no longer valid, or belongs to other
        keys (401).
    """
    if not upload.verification_payload:
        raise _refuse("the upload has no certificate: ask for one at /api/certificate")
    claims = _decoded(
        upload.verification_payload, key.key_id, key.private_key.public_key(), settings
    )
    times = {name: claims.get(name, 0) for name in ("iat", "nbf", "exp")}
    if not all(type(time) is int for time in times.values()):
        raise _refuse("the certificate has a time that is not a number")
    leeway = settings.certificate_leeway_seconds
    if max(times["iat"], times["nbf"]) > now + leeway:
        raise _refuse("the certificate is not valid yet: check the clocks")
    if times["exp"] <= now - leeway:
        raise _refuse("the certificate has expired: ask for a new code")
    report_type = REPORT_TYPES.get(str(claims["reportType"]))
    onset = claims.get("symptomOnsetInterval", 0)
    if report_type is None or type(onset) is not int:
        raise _refuse("the certificate has an unknown report type")
    try:
        mac = decode_base64(str(claims["tekmac"]))
        check_key_hmac(upload.keys, decode_base64(upload.hmac_key), mac)
    except InvalidValue as error:
        raise _refuse(str(error)) from error
    return Claims(report_type, onset)


@functools.cache
def _decoy(issuer: str, audience: str) -> tuple[NamedKey, str]:
    """Return a key that ends with the process, and its certificate, which fits no upload."""
    key = NamedKey("decoy", ec.generate_private_key(ec.SECP256R1()))
    times = {"iat": 0, "nbf": 0, "exp": 2**40}
    return key, _signed(DECOY, bytes(32), key, iss=issuer, aud=audience, **times)


def pretend_to_verify(upload: PublishRequest, settings: Settings, now: float) -> Claims:
    """Do the work of `verify_certificate` for cover traffic."""
    key, certificate = _decoy(settings.issuer, settings.audience)
    with contextlib.suppress(PublishRejected):
        verify_certificate(replace(upload, verification_payload=certificate), key, settings, now)
    return Claims(ReportType.CONFIRMED_TEST)
