"""Rules for codes: how they are issued, and exchanged for tokens and certificates."""

from __future__ import annotations

import base64
import hmac
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import Connection

from server.config import Settings
from server.context import Server
from server.errors import Refused
from server.store.database import kept_if
from server.verification.certificate import sign_certificate
from server.verification.store import (
    DECOY,
    DECOY_HASH,
    Subject,
    Voucher,
    claim_code,
    expire_code,
    find_code,
    find_issued_code,
    find_token,
    has_code,
    has_uuid,
    insert_code,
    insert_token,
    is_operator_key,
    replace_operator_keys,
    use_token,
)
from tracing_core.errors import InvalidValue, StoreError
from tracing_core.http.publish_request import decode_base64
from tracing_core.http.verification import CertificateRequest, IssueRequest, VerifyRequest
from tracing_core.http.verification_code import plain_code

__all__ = [
    "Exchanged",
    "IssuedCode",
    "check_operator_key",
    "code_status",
    "exchange_code",
    "exchange_token",
    "issue_code",
    "keyed_hash",
    "replace_operator_key",
    "withdraw_code",
]

_LONG_CODE_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
"""Lower-case letters and digits, except those that look alike."""

# The protocol was published in April 2020.
_EARLIEST_SECONDS = 1_585_699_200
_TRIES_FOR_A_FREE_CODE = 6
_MAC_BYTES = 32
_TOKEN_BYTES = 32
_MAX_TIME_ZONE_MINUTES = 14 * 60
_TEST_TYPES = ("confirmed", "likely", "negative")

_ACCEPTS = {
    "confirmed": {"confirmed"},
    "likely": {"confirmed", "likely"},
    "negative": {"confirmed", "likely", "negative"},
    "user-report": {"confirmed", "user-report"},
}


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A code for one person's report."""

    code: str = field(repr=False)
    uuid: str
    """The operator's handle for the code."""
    expires_at: int
    """When the code expires (UTC Unix seconds)."""


class Exchanged(NamedTuple):
    """What a code was exchanged for."""

    subject: Subject
    token: str
    is_again: bool
    """True if the same answer was given before."""


def keyed_hash(server: Server, kind: str, secret: str) -> bytes:
    """Return the stored hash of a code, token or key, useless without the server's own key."""
    return hmac.digest(server.keys.code_key().secret, f"{kind}:{secret}".encode(), "sha256")


def replace_operator_key(server: Server) -> str:
    """Make a new operator's key, with which codes are issued; the previous key stops working.

    Raises
    ------
    StoreError
        When the key cannot be stored.
    """
    key = secrets.token_urlsafe(32)
    with server.database.begin() as conn:
        replace_operator_keys(conn, keyed_hash(server, "operator", key), int(server.clock.now()))
    return key


def check_operator_key(server: Server, key: str | None) -> None:
    """Check that a request comes from an operator.

    Raises
    ------
    Refused
        When the key is missing or not valid.
    """
    # The keyed hash is looked up, so the time it takes shows nothing about the key.
    with server.database.read() as conn:
        if not is_operator_key(conn, keyed_hash(server, "operator", key or "")):
            raise Refused("unauthorized", "X-API-Key is not a valid operator key")


def _day(name: str, text: str, time_zone_minutes: float, settings: Settings, now: float) -> None:
    try:
        day = date.fromisoformat(text)
        if day.isoformat() != text:
            raise ValueError(text)
    except ValueError as error:
        raise Refused("unparsable_request", "must be YYYY-MM-DD", field=name) from error
    if abs(time_zone_minutes) > _MAX_TIME_ZONE_MINUTES:
        raise Refused("unparsable_request", "must be -840 to 840 minutes", field="tzOffset")
    # Clients disagree about the sign of time zones, so a day ahead is accepted either way.
    present = datetime.fromtimestamp(now, UTC)
    latest = (present + timedelta(minutes=abs(time_zone_minutes))).date()
    earliest = (present - timedelta(seconds=settings.max_test_age_seconds)).date()
    if day > latest:
        raise Refused("invalid_date", f"is in the future: today is {latest}", field=name)
    if day < earliest:
        days = settings.max_test_age_seconds // 86_400
        raise Refused("invalid_date", f"must be within the last {days} days", field=name)


def _subject(request: IssueRequest, settings: Settings, now: float) -> Subject:
    for name, is_set in (
        ("phone", request.phone),
        ("smsTemplateLabel", request.sms_template_label),
        ("onlyGenerateSMS", request.only_generate_sms),
    ):
        if is_set:
            what = "must be false" if is_set is True else "must be empty"
            raise Refused(
                "unparsable_request", f"{what}: this server writes no messages", field=name
            )
    for name, text in (("symptomDate", request.symptom_date), ("testDate", request.test_date)):
        if text:
            _day(name, text, request.tz_offset, settings, now)
    test_type = request.test_type.lower()
    if test_type == "user-report":
        raise Refused("unsupported_test_type", "this server accepts no reports without a test")
    if test_type not in _TEST_TYPES:
        raise Refused(
            "invalid_test_type", "must be confirmed, likely or negative", field="testType"
        )
    return Subject(test_type, request.symptom_date or None, request.test_date or None)


def _new_code(settings: Settings, *, is_long: bool) -> str:
    letters, length = (
        (_LONG_CODE_LETTERS, settings.long_code_length)
        if is_long
        else (string.digits, settings.code_digits)
    )
    return "".join(secrets.choice(letters) for _ in range(length))


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as error:
        raise Refused("unparsable_request", "must be a UUID", field="uuid") from error


def _handle(conn: Connection, uuid: str) -> str:
    if not uuid:
        return str(uuid4())
    handle = _uuid(uuid)
    if has_uuid(conn, handle):
        raise Refused("uuid_already_exists", "a code with this uuid was already issued")
    return handle


def issue_code(server: Server, request: IssueRequest, *, is_long: bool = False) -> IssuedCode:
    """Make and store a code for a test.

    Raises
    ------
    Refused
        When the request breaks a rule.
    StoreError
        When the code cannot be stored, or the clock shows a year before the protocol existed.
    """
    settings, now = server.settings, server.clock.now()
    if now < _EARLIEST_SECONDS:
        shown = datetime.fromtimestamp(now, UTC)
        raise StoreError(
            f"the clock shows {shown:%Y-%m-%d %H:%M} UTC, so no code is issued: set the clock right"
        )
    subject = _subject(request, settings, now)
    life = settings.long_code_seconds if is_long else settings.code_seconds
    expires_at = int(now) + life
    with server.database.begin() as conn:
        handle = _handle(conn, request.uuid)
        for _ in range(_TRIES_FOR_A_FREE_CODE):
            code = _new_code(settings, is_long=is_long)
            code_hash = keyed_hash(server, "code", code)
            if not has_code(conn, code_hash):
                insert_code(conn, code_hash, handle, subject, expires_at)
                return IssuedCode(code, handle, expires_at)
    raise Refused("internal_server_error", "no code is free: try again")


def code_status(server: Server, uuid: str) -> Voucher:
    """Return the state of an issued code.

    Raises
    ------
    Refused
        When the text is not a UUID, or no code has it.
    """
    handle = _uuid(uuid)
    with server.database.read() as conn:
        return _issued(find_issued_code(conn, handle))


def withdraw_code(server: Server, uuid: str) -> int:
    """Let an issued code expire, and return when it did (UTC Unix seconds).

    Raises
    ------
    Refused
        When the text is not a UUID, no code has it, or a device has already exchanged the code.
    StoreError
        When the change cannot be stored.
    """
    handle, now = _uuid(uuid), int(server.clock.now())
    with server.database.begin() as conn:
        code = _issued(find_issued_code(conn, handle))
        if code.is_spent:
            raise Refused("code_invalid", "this code was already used, so it cannot be withdrawn")
        expires_at = min(code.expires_at, now)
        expire_code(conn, handle, expires_at)
    return expires_at


def _issued(code: Voucher | None) -> Voucher:
    if code is None:
        raise Refused(
            "code_not_found",
            "no code has this uuid: it may have expired and been deleted",
            status=404,
        )
    return code


def _accepted(types: Sequence[str]) -> set[str]:
    if not types:
        return _ACCEPTS["negative"]
    try:
        return set[str]().union(*(_ACCEPTS[each.lower()] for each in types))
    except KeyError as error:
        raise Refused("invalid_test_type", "names an unknown test type", field="accept") from error


def _refusal_of_code(found: Voucher | None, accepted: set[str], now: float) -> Refused | None:
    if found is None:
        return Refused("code_not_found", "unknown code: check its digits")
    if found.is_spent:
        return Refused("code_invalid", "this code was already used: ask for a new one")
    if found.expires_at <= now:
        return Refused("code_expired", "this code has expired: ask for a new one")
    return _refusal_of_type(found, accepted)


def _refusal_of_type(found: Voucher, accepted: set[str]) -> Refused | None:
    if found.subject.test_type not in accepted:
        return Refused("unsupported_test_type", "the client cannot handle this type of test")
    return None


def _refusal_of_token(found: Voucher | None, now: float) -> Refused | None:
    if found is None or found.is_spent:
        return Refused("token_invalid", "this token is unknown or was already used")
    if found.expires_at <= now:
        return Refused("token_expired", "this token has expired: ask for a new code")
    return None


def _token(server: Server, code: str, attempt: str) -> str:
    """Return a random token, or the one that belongs to a code and a device's secret."""
    if not attempt:
        return secrets.token_urlsafe(_TOKEN_BYTES)
    # It can be made again, so an answer that was lost can be repeated though no token is stored.
    digest = keyed_hash(server, "token of", f"{code}:{attempt}")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def exchange_code(
    server: Server, request: VerifyRequest, *, attempt: str = "", is_cover: bool = False
) -> Exchanged:
    """Exchange a code for a token, once.

    Dashes, blanks, widths and the case of letters in a code do not matter. A request that is
    refused, and cover traffic, do the same work, and nothing of it is kept. With the secret with
    which the code was exchanged, the same token is returned again while it is valid, since the
    answer may have been lost.

    Parameters
    ----------
    server
        The server.
    request
        The code.
    attempt
        The device's secret for this request; "" if it has none.
    is_cover
        Whether this is cover traffic.

    Raises
    ------
    Refused
        When the code is unknown, used or expired, or the client cannot handle its type of test.
    StoreError
        When the token cannot be stored.
    """
    accepted = _accepted(() if is_cover else request.accept)
    now = server.clock.now()
    code = plain_code(request.code)
    code_hash = keyed_hash(server, "code", code)
    token = _token(server, code, attempt)
    token_hash = keyed_hash(server, "token", token)
    expires_at = int(now) + server.settings.token_seconds
    with server.database.begin() as conn:
        # A code in cover traffic is never looked up, so it cannot be used to guess codes.
        found = find_code(conn, DECOY_HASH if is_cover else code_hash)
        granted = find_token(conn, DECOY_HASH if is_cover else token_hash)
        is_again = granted is not None and granted.expires_at > now and not is_cover
        if is_again and granted is not None:
            found, refusal = granted, _refusal_of_type(granted, accepted)
        else:
            refusal = _refusal_of_code(found, accepted, now)
        is_new = refusal is None and not is_again and not is_cover
        subject = found.subject if found else DECOY
        with kept_if(conn, is_new):
            claim_code(conn, code_hash if is_new else DECOY_HASH)
            kept_hash = token_hash if is_new else secrets.token_bytes(len(token_hash))
            insert_token(conn, kept_hash, subject, expires_at)
    if refusal is not None:
        raise refusal
    return Exchanged(subject, token, is_again)


def exchange_token(
    server: Server, request: CertificateRequest, *, attempt: str = "", is_cover: bool = False
) -> str:
    """Exchange a token for a certificate for the keys behind a MAC, once.

    A request that is refused, and cover traffic, do the same work; the certificate signed for them
    is never sent. With the secret and the MAC with which the token was used, a certificate is
    signed again while the token is valid.

    Parameters
    ----------
    server
        The server.
    request
        The token and the MAC.
    attempt
        The device's secret for this request; "" if it has none.
    is_cover
        Whether this is cover traffic.

    Raises
    ------
    Refused
        When the MAC is not 32 bytes, or the token is unknown, used or expired.
    StoreError
        When the database cannot note that the token was used.
    """
    now = server.clock.now()
    mac = bytes(_MAC_BYTES) if is_cover else _mac(request)
    token_hash = keyed_hash(server, "token", request.token)
    use_hash = keyed_hash(server, "use", f"{attempt}:{mac.hex()}")
    with server.database.begin() as conn:
        found = find_token(conn, DECOY_HASH if is_cover else token_hash)
        is_again = bool(attempt) and found is not None and found.use_hash == use_hash
        if is_again and found is not None:
            found = replace(found, is_spent=False)
        refusal = _refusal_of_token(found, now)
        is_granted = refusal is None and not is_cover
        is_new = is_granted and not is_again
        with kept_if(conn, is_new):
            use_token(conn, token_hash if is_new else DECOY_HASH, use_hash if attempt else None)
        # Signed before the commit, so that a failure leaves the token as it was.
        certificate = sign_certificate(
            found.subject if found else DECOY,
            mac if is_granted else bytes(_MAC_BYTES),
            server.keys.certificate_key(),
            server.settings,
            now,
        )
    if refusal is not None:
        raise refusal
    return certificate


def _mac(request: CertificateRequest) -> bytes:
    try:
        mac = decode_base64(request.key_hmac)
    except InvalidValue as error:
        raise Refused("hmac_invalid", "must be base64", field="ekeyhmac") from error
    if len(mac) != _MAC_BYTES:
        raise Refused("hmac_invalid", f"must be {_MAC_BYTES} bytes", field="ekeyhmac")
    return mac
