"""Signed configuration: what an authority wants the devices in its region to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)

from tracing_core.configuration.env2 import ExposureConfiguration
from tracing_core.configuration.isolation import IsolationCause, IsolationRules
from tracing_core.configuration.risk_model import RiskModelConfiguration
from tracing_core.errors import InvalidValue, TrustError
from tracing_core.export_file.bluezone_file import LATEST_SEQUENCE
from tracing_core.json_object import JSONObject, read_name, read_object, read_text
from tracing_core.trust.join_line import checked_address
from tracing_core.trust.signed_document import LATEST_SECONDS, open_document, sign_document

__all__ = ["CHECK_INTERVAL_SECONDS", "MOST_MIRRORS", "Contact", "SignedConfig"]

MOST_MIRRORS = 10
"""How many mirrors a configuration may name."""

CHECK_INTERVAL_SECONDS = (60, 7 * 86400)
"""The shortest and the longest time between two checks that a device obeys."""

_TYPE = "truyvet-config+jwt"
_LONGEST_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Contact:
    """Where an exposed person finds help, in one language; "" stands for a missing text.

    Raises
    ------
    InvalidValue
        When a text contains control characters or is too long, or the address is not https.
    """

    name: str
    phone: str = ""
    url: str = ""
    advice: str = ""
    """What to do, one or more lines."""

    def __post_init__(self) -> None:
        read_name(self.name, "name")
        for name in ("phone", "url", "advice"):
            read_text(getattr(self, name), name, _LONGEST_TEXT)
        if self.url and not re.fullmatch(r"https://[!-~]+", self.url):
            raise InvalidValue("url must begin with https://")

    @classmethod
    def from_json(cls, fields: Any) -> Contact:
        """Read the JSON form.

        Raises
        ------
        InvalidValue
            When the value has another form; the text names the field.
        """
        known = read_object(fields, "a contact")
        return cls(**{name: known.get(name, "") for name in ("name", "phone", "url", "advice")})

    def to_json(self) -> dict[str, str]:
        """Return the JSON form."""
        return {"name": self.name, "phone": self.phone, "url": self.url, "advice": self.advice}


def _mirrors(urls: Any) -> tuple[str, ...]:
    if not isinstance(urls, list) or len(urls) > MOST_MIRRORS:
        raise InvalidValue(f"mirrors must be a list of at most {MOST_MIRRORS} addresses")
    if not all(isinstance(url, str) for url in urls):
        raise InvalidValue("mirrors must be addresses")
    return tuple(map(checked_address, urls))


def _isolation(value: Any) -> IsolationRules | None:
    # Rules of which this version knows none are like no rules.
    known = {cause.value for cause in IsolationCause}
    if value is None or known.isdisjoint(read_object(value, "isolation")):
        return None
    return IsolationRules.from_json(value)


def _bluezone_list(claims: JSONObject) -> int | None:
    if claims.get("bluezone_list") is None:
        return None
    return claims.integer("bluezone_list", 1, LATEST_SEQUENCE)


def _check_risk_model(risk_model: RiskModelConfiguration) -> None:
    try:
        risk_model.check()
    except InvalidValue as error:
        raise TrustError(f"risk_model cannot be used: {error}") from error


@dataclass(frozen=True, slots=True)
class SignedConfig:
    """What an authority asks of the devices in its region: weights, advice and pace."""

    region: str
    sequence: int
    """Rises with every change; a device refuses a lower number than the last it accepted."""
    issued_at: int
    """When it was signed (UTC Unix seconds)."""
    risk: ExposureConfiguration
    health_authority_id: str
    """What uploads are addressed to."""
    contact: Mapping[str, Contact]
    """By language, ``vi`` or ``en``."""
    check_interval_seconds: int = 4 * 3600
    """How often a device looks for new key files, a minute to a week."""
    expires_at: int | None = None
    """When the configuration expires (UTC Unix seconds); None for never."""
    mirrors: tuple[str, ...] = ()
    """Addresses that also serve the index and key files, in the same folders; at most 10."""
    risk_model: RiskModelConfiguration | None = None
    """Another way to weigh exposures; a device that does not know this model uses `risk`.

    `risk` always accompanies it: older devices refuse a document without `risk`, and ignore
    ``risk_model``.
    """
    has_signed_index: bool = False
    """Whether the server publishes a signed index; then its absence is a fault."""
    isolation: IsolationRules | None = None
    """How long people are to isolate; None if the authority gives no rules. Older devices ignore
    it."""
    bluezone_list: int | None = None
    """Number of the list of Bluezone keys that the server publishes beside its key files, or that
    of an earlier one; then its absence is a fault. None if it publishes none."""

    has_risk_by_onset: bool = False
    """Whether a device states the transmission risk of its keys by the onset of symptoms.

    The server's padding must do the same, or real keys would stand out.
    """

    def sign(self, private_config_key: EllipticCurvePrivateKey) -> str:
        """Return the configuration as a JWS.

        Raises
        ------
        TrustError
            When no device could use the configuration.
        """
        claims = {
            "region": self.region,
            "sequence": self.sequence,
            "issued_at": self.issued_at,
            "expires_at": self.expires_at,
            "risk": self.risk.to_json(),
            "health_authority_id": self.health_authority_id,
            "contact": {language: each.to_json() for language, each in self.contact.items()},
            "check_interval_seconds": self.check_interval_seconds,
            "mirrors": list(self.mirrors),
        }
        if self.risk_model is not None:
            _check_risk_model(self.risk_model)
            claims["risk_model"] = self.risk_model.to_json()
        if self.has_signed_index:
            claims["signed_index"] = True
        if self.has_risk_by_onset:
            claims["risk_by_onset"] = True
        if self.isolation is not None:
            claims["isolation"] = self.isolation.to_json()
        if self.bluezone_list is not None:
            claims["bluezone_list"] = self.bluezone_list
        self._read(claims)
        return sign_document(claims, _TYPE, private_config_key)

    @classmethod
    def verify(
        cls, document: str, config_key: EllipticCurvePublicKey, *, now: float | None = None
    ) -> SignedConfig:
        """Verify and read a configuration; unknown fields are ignored.

        Parameters
        ----------
        document
            The JWS.
        config_key
            The configuration key that the newest trust document names.
        now
            The time at which it must not have expired (UTC Unix seconds); None skips this check.

        Raises
        ------
        TrustError
            When the document is not signed by the key, has expired, or cannot be used.
        """
        config = cls._read(open_document(document, _TYPE, config_key))
        if now is not None and config.expires_at is not None and now >= config.expires_at:
            raise TrustError("the server's configuration has expired: report this to its operator")
        return config

    @classmethod
    def _read(cls, value: Any) -> SignedConfig:
        try:
            claims = JSONObject(value, "it")
            contact = read_object(claims["contact"], "contact")
            risk_model = claims.get("risk_model")
            return cls(
                region=claims.name("region"),
                sequence=claims.integer("sequence", 1, 2**31 - 1),
                issued_at=claims.integer("issued_at", 0, LATEST_SECONDS),
                risk=ExposureConfiguration.from_json(claims["risk"]),
                health_authority_id=claims.name("health_authority_id"),
                contact={
                    language: Contact.from_json(each)
                    for language, each in contact.items()
                    if language in ("vi", "en")
                },
                check_interval_seconds=claims.integer(
                    "check_interval_seconds", *CHECK_INTERVAL_SECONDS
                ),
                expires_at=(
                    None
                    if claims.get("expires_at") is None
                    else claims.integer("expires_at", 0, LATEST_SECONDS)
                ),
                mirrors=_mirrors(claims.get("mirrors", [])),
                risk_model=(
                    None if risk_model is None else RiskModelConfiguration.from_json(risk_model)
                ),
                has_signed_index=claims.get("signed_index") is True,
                has_risk_by_onset=claims.get("risk_by_onset") is True,
                isolation=_isolation(claims.get("isolation")),
                bluezone_list=_bluezone_list(claims),
            )
        except InvalidValue as error:
            raise TrustError(f"the server's configuration cannot be used: {error}") from error
