"""Bodies of ``POST /v1/publish``, with Google's names, and the MAC that binds a certificate."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from tracing_core.errors import InvalidKey, InvalidValue
from tracing_core.http.json_body import JSONBody
from tracing_core.protocol.interval import TEK_ROLLING_PERIOD
from tracing_core.protocol.temporary_exposure_key import KEY_LENGTH, TemporaryExposureKey

__all__ = [
    "LeftOut",
    "PublishRequest",
    "PublishResponse",
    "PublishedKey",
    "check_key_hmac",
    "decode_base64",
    "key_hmac",
]

_URL_TO_STANDARD = str.maketrans("-_", "+/")


def decode_base64(text: str) -> bytes:
    """Decode base64 in the standard or the URL alphabet, padded or not, as Google's servers do.

    Raises
    ------
    InvalidValue
        When the text is not in any of these forms.
    """
    digits = text.rstrip("=").translate(_URL_TO_STANDARD)
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except ValueError as error:
        raise InvalidValue("not base64") from error


@dataclass(frozen=True, slots=True)
class PublishedKey(JSONBody):
    """A key as a device uploads it, checked only when it is decoded.

    So a server can drop a wrong key and keep the others.
    """

    # Google's key server takes a missing rollingPeriod for 0, and the MAC would not match.
    _writes_all_fields: ClassVar[bool] = True

    key_text: Annotated[str, "key"] = field(repr=False)
    """Base64 of the key exactly as sent, since the MAC covers these letters."""
    rolling_start_interval_number: Annotated[int, "rollingStartNumber"]
    rolling_period: Annotated[int, "rollingPeriod"] = TEK_ROLLING_PERIOD
    transmission_risk_level: Annotated[int, "transmissionRisk"] = 0
    """0 if unset."""

    @classmethod
    def of(cls, tek: TemporaryExposureKey) -> PublishedKey:
        """Make the upload form of a device's own key."""
        return cls(
            base64.b64encode(tek.key_data).decode(),
            tek.rolling_start_interval_number,
            tek.rolling_period,
        )

    @property
    def key_data(self) -> bytes:
        """The key's 16 bytes.

        Raises
        ------
        InvalidKey
            When the text is not the base64 of 16 bytes.
        """
        try:
            data = decode_base64(self.key_text)
        except InvalidValue as error:
            raise InvalidKey("a key must be base64") from error
        if len(data) != KEY_LENGTH:
            raise InvalidKey(f"a key must be {KEY_LENGTH} bytes, not {len(data)}")
        return data


@dataclass(frozen=True, slots=True)
class PublishRequest(JSONBody):
    """An upload of keys."""

    keys: Annotated[tuple[PublishedKey, ...], "temporaryExposureKeys"]
    health_authority_id: Annotated[str, "healthAuthorityID"]
    verification_payload: Annotated[str, "verificationPayload"] = field(default="", repr=False)
    """The certificate of the verification server, a JWT; "" if absent."""
    hmac_key: Annotated[str, "hmacKey"] = field(default="", repr=False)
    """Base64 of the secret of `key_hmac`; "" if absent."""
    symptom_onset_interval: Annotated[int, "symptomOnsetInterval"] = 0
    """The interval in which symptoms began; 0 if unknown."""
    traveler: Annotated[bool, "traveler"] = False
    """Whether the owner was in other regions."""
    revision_token: Annotated[str, "revisionToken"] = field(default="", repr=False)
    """The token in an earlier response, to upload the same keys again; "" if absent."""
    padding: Annotated[str, "padding"] = field(default="", repr=False)
    """Letters that make all uploads equally long."""


@dataclass(frozen=True, slots=True)
class LeftOut(JSONBody):
    """The keys of an upload that were not taken for one reason."""

    _ignores_unknown_fields: ClassVar[bool] = True

    reason: Annotated[str, "reason"] = ""
    """``invalid``, ``too_old``, ``future``, ``far_from_onset`` or ``overlap``."""
    count: Annotated[int, "count"] = 0


@dataclass(frozen=True, slots=True)
class PublishResponse(JSONBody):
    """The answer to an upload; only a problem fills `error` and `code`."""

    _ignores_unknown_fields: ClassVar[bool] = True

    revision_token: Annotated[str, "revisionToken"] = field(default="", repr=False)
    inserted_exposures: Annotated[int, "insertedExposures"] = 0
    error: Annotated[str, "error"] = ""
    """The problem, in words."""
    code: Annotated[str, "code"] = ""
    """The problem, as one stable word."""
    padding: Annotated[str, "padding"] = field(default="", repr=False)
    warnings: Annotated[tuple[str, ...], "warnings"] = ()
    """One sentence per key that was left out through no fault of the device."""
    accepted_exposures: Annotated[int, "acceptedExposures"] = -1
    """Keys of the upload that the server now has as stated, whether or not it had them before; -1
    if the server does not say. Not a field of Google's, whose clients ignore it."""
    left_out: Annotated[tuple[LeftOut, ...], "leftOut"] = ()
    """The other keys, by reason. Not a field of Google's either."""


def key_hmac(
    keys: Iterable[PublishedKey], secret: bytes, *, with_transmission_risk: bool = True
) -> bytes:
    """Compute the MAC that a device sends the verification server in place of its keys.

    HMAC-SHA256 over ``key.start.period.risk`` of each key, sorted by the key's base64 and joined by
    commas; old devices leave out the risk.
    """
    lines = []
    for key in sorted(keys, key=lambda key: key.key_text):
        parts = [key.key_text, key.rolling_start_interval_number, key.rolling_period]
        if with_transmission_risk:
            parts.append(key.transmission_risk_level)
        lines.append(".".join(map(str, parts)))
    return hmac.digest(secret, ",".join(lines).encode(), "sha256")


def check_key_hmac(keys: Iterable[PublishedKey], secret: bytes, mac: bytes) -> None:
    """Check the MAC of a certificate against the keys of an upload, in constant time.

    Raises
    ------
    InvalidValue
        When the MAC has neither form; the form without risk counts only if every risk is 0.
    """
    keys = tuple(keys)
    matches = hmac.compare_digest(key_hmac(keys, secret), mac)
    if not any(key.transmission_risk_level for key in keys):
        matches |= hmac.compare_digest(key_hmac(keys, secret, with_transmission_risk=False), mac)
    if not matches:
        raise InvalidValue("the certificate's MAC does not match these keys")
