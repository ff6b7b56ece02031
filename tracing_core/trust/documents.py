"""What a device believes of a server: signed documents that begin at one pinned fingerprint.

Documents are JWS in compact form, signed with ES256 and no other algorithm. The first trust
document is signed by the key it names, whose fingerprint the owner typed in or scanned when
joining; each later one is signed by the key that the one before names. So a server that lost its
keys, or another in its place, is refused until the owner joins again.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography import exceptions
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from tracing_core.configuration.env2 import ExposureConfiguration
from tracing_core.errors import InvalidJoinLine, InvalidKey, InvalidValue, TrustError

__all__ = [
    "MAX_DOCUMENT_BYTES",
    "MOST_MIRRORS",
    "Contact",
    "ExportVerificationKey",
    "JoinLine",
    "SignedConfig",
    "TrustDocument",
    "checked_address",
    "fingerprint",
    "verify_trust_chain",
]

MAX_DOCUMENT_BYTES = 64 << 10
"""The largest signed document read; a configuration takes a few thousand bytes."""

MOST_MIRRORS = 10
"""How many mirrors a configuration may name."""

_ALGORITHM = "ES256"
_TRUST = "truyvet-trust+jwt"
_CONFIG = "truyvet-config+jwt"
_LONGEST_TEXT = 2000
_LATEST = 2**32 * 600
_CHECK_INTERVAL_SECONDS = (60, 7 * 86400)
# Terminals obey these, and they may turn a text round.
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def _der(public_key: EllipticCurvePublicKey) -> bytes:
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def fingerprint(public_key: EllipticCurvePublicKey) -> str:
    """Return the SHA-256 of a key's SubjectPublicKeyInfo in DER, as 64 lowercase hex digits."""
    return sha256(_der(public_key)).hexdigest()


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked_address(url: str) -> str:
    """Return the address of a server or mirror without a slash at its end.

    Raises
    ------
    InvalidJoinLine
        When it is too long, or not https (plain http is for this machine alone), or holds more than
        host, port and path.
    """
    if not re.fullmatch(rf"[!-~]{{1,{_LONGEST_TEXT}}}", url):
        raise InvalidJoinLine("the server's address must be like https://host/path")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidJoinLine("the server's address must be like https://host/path") from error
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidJoinLine("the server's address must begin with https://")
    if parts.scheme == "http" and not _is_loopback(host):
        raise InvalidJoinLine("plain http reaches only this machine: use the https address")
    if parts.username is not None or parts.query or "?" in url or "#" in url:
        raise InvalidJoinLine("the server's address must have no user, query or fragment")
    return url.rstrip("/")


@dataclass(frozen=True, slots=True)
class JoinLine:
    """What a person gives a device to join a server by: ``URL#FINGERPRINT``.

    Raises
    ------
    InvalidJoinLine
        When `checked_address` refuses the URL, or the fingerprint is not 64 hex digits.
    """

    url: str
    """Without a slash at the end."""
    fingerprint: str
    """Of the key that signs the server's first trust document, 64 lowercase hex digits."""

    def __post_init__(self) -> None:
        checked_address(self.url)
        if not re.fullmatch(r"[0-9a-f]{64}", self.fingerprint):
            raise InvalidJoinLine(
                "the fingerprint behind # must be 64 hex digits: copy all of the line"
            )

    @classmethod
    def parse(cls, text: str) -> JoinLine:
        """Read the line; spaces around it do not matter.

        Raises
        ------
        InvalidJoinLine
            When it is none.
        """
        url, mark, digits = text.strip().partition("#")
        if not mark:
            raise InvalidJoinLine("the line to join by must be URL#FINGERPRINT: copy all of it")
        return cls(url.rstrip("/"), digits.lower())

    def __str__(self) -> str:
        return f"{self.url}#{self.fingerprint}"


def _sign(claims: Mapping[str, Any], typ: str, private_key: EllipticCurvePrivateKey) -> str:
    if not isinstance(private_key.curve, SECP256R1):
        raise InvalidKey("documents are signed with a key on P-256")
    payload = json.dumps(claims, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    document = jwt.PyJWS().encode(payload.encode(), private_key, _ALGORITHM, headers={"typ": typ})
    _check_size(document)
    return document


def _check_size(document: str) -> None:
    if len(document) > MAX_DOCUMENT_BYTES:
        raise TrustError(f"a document of the server is larger than {MAX_DOCUMENT_BYTES} bytes")


def _open(document: str, typ: str, public_key: EllipticCurvePublicKey | None) -> Any:
    """Return the claims; with no key they are not to be believed."""
    _check_size(document)
    try:
        opened = jwt.PyJWS().decode_complete(
            document,
            key=public_key or "",
            algorithms=[_ALGORITHM],
            options={"verify_signature": public_key is not None},
        )
    except jwt.InvalidSignatureError as error:
        raise TrustError(
            "a document of the server is not signed by the key this device trusts: ask the"
            " authority, and join again if the key was replaced"
        ) from error
    except (jwt.PyJWTError, ValueError) as error:
        raise TrustError("a document of the server is damaged, or not signed with ES256") from error
    if opened["header"].get("typ") != typ:
        raise TrustError(f"a document of the server is not of the type {typ}")
    try:
        return json.loads(opened["payload"])
    except (ValueError, RecursionError) as error:
        raise TrustError("a document of the server is not JSON") from error


def _field(claims: Any, name: str) -> Any:
    if not isinstance(claims, dict) or name not in claims:
        raise InvalidValue(f"{name} is missing")
    return claims[name]


def _integer(claims: Any, name: str, least: int, most: int) -> int:
    value = _field(claims, name)
    if type(value) is not int or not least <= value <= most:
        raise InvalidValue(f"{name} must be an integer from {least} to {most}")
    return value


def _text(claims: Any, name: str, *, longest: int = _LONGEST_TEXT) -> str:
    value = _field(claims, name)
    if not isinstance(value, str) or len(value) > longest or _CONTROL.search(value):
        raise InvalidValue(f"{name} must be plain text of at most {longest} letters")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise InvalidValue(f"{name} must be Unicode")
    return value


def _name(claims: Any, name: str) -> str:
    value = _text(claims, name, longest=100)
    if not value or "\n" in value:
        raise InvalidValue(f"{name} must be one line and not empty")
    return value


def _public_key(claims: Any, name: str) -> EllipticCurvePublicKey:
    text = _text(claims, name)
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (ValueError, exceptions.UnsupportedAlgorithm) as error:
        raise InvalidKey(f"{name} must be base64 of a public key in DER") from error
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise InvalidKey(f"{name} must be on the curve P-256")
    return key


def _key_text(public_key: EllipticCurvePublicKey) -> str:
    return base64.b64encode(_der(public_key)).decode()


@dataclass(frozen=True, slots=True)
class ExportVerificationKey:
    """A key that the server's key files are signed with."""

    key_id: str
    key_version: str
    public_key: EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class TrustDocument:
    """Which keys a server signs with, from now on."""

    sequence: int
    """1 for the first document of a server, then one more each."""
    region: str
    issued_at: int
    """When it was signed (UTC Unix seconds)."""
    config_key: EllipticCurvePublicKey
    """Signs the configuration and the next trust document."""
    export_keys: tuple[ExportVerificationKey, ...]
    """Any of these signs key files."""

    def sign(self, private_config_key: EllipticCurvePrivateKey) -> str:
        """Return the document as a JWS.

        The first is signed with its own `config_key`, a later one with that of the one before.

        Raises
        ------
        TrustError
            When no device could use it.
        """
        claims = {
            "sequence": self.sequence,
            "region": self.region,
            "issued_at": self.issued_at,
            "config_key": _key_text(self.config_key),
            "export_keys": [
                {
                    "key_id": key.key_id,
                    "key_version": key.key_version,
                    "public_key": _key_text(key.public_key),
                }
                for key in self.export_keys
            ],
        }
        self._read(claims)
        return _sign(claims, _TRUST, private_config_key)

    @classmethod
    def verify(cls, document: str, config_key: EllipticCurvePublicKey) -> TrustDocument:
        """Read a document that a key must have signed; unknown fields are ignored.

        Raises
        ------
        TrustError
            When it has not, or the document cannot be used.
        """
        return cls._read(_open(document, _TRUST, config_key))

    @classmethod
    def _read(cls, claims: Any) -> TrustDocument:
        try:
            export_keys = _field(claims, "export_keys")
            if not isinstance(export_keys, list) or not export_keys:
                raise InvalidValue("export_keys must be a list and not empty")
            return cls(
                sequence=_integer(claims, "sequence", 1, 2**31 - 1),
                region=_name(claims, "region"),
                issued_at=_integer(claims, "issued_at", 0, _LATEST),
                config_key=_public_key(claims, "config_key"),
                export_keys=tuple(
                    ExportVerificationKey(
                        _text(key, "key_id", longest=100),
                        _text(key, "key_version", longest=100),
                        _public_key(key, "public_key"),
                    )
                    for key in export_keys
                ),
            )
        except InvalidValue as error:
            raise TrustError(f"a trust document of the server cannot be used: {error}") from error


def verify_trust_chain(
    documents: Sequence[str], *, fingerprint: str | None, last: TrustDocument | None
) -> TrustDocument:
    """Follow a server's trust documents from the pinned key, or from the last accepted document.

    Parameters
    ----------
    documents
        All the server's documents, or those from some number on, oldest first.
    fingerprint
        Of the key pinned when joining; not looked at if `last` is given.
    last
        The document accepted last; None when joining.

    Returns
    -------
    TrustDocument
        The newest; `last` itself if there is none newer.

    Raises
    ------
    TrustError
        When a document is not signed by the key before it, a number is missing, the region changes,
        or the server has fewer documents than this device accepted, or others.
    """
    trusted = last
    reached = 0
    for document in documents:
        claimed = TrustDocument._read(_open(document, _TRUST, None))
        if reached and claimed.sequence != reached + 1:
            raise TrustError("the server's trust documents are not numbered one by one")
        reached = claimed.sequence
        if last is not None and reached <= last.sequence:
            if reached == last.sequence and claimed != last:
                raise TrustError("the server replaced a trust document this device has accepted")
            continue
        trusted = _next(document, claimed, trusted, fingerprint)
    if trusted is None or (last is not None and reached < last.sequence):
        raise TrustError("the server has fewer trust documents than it must: tell its operator")
    return trusted


def _next(
    document: str, claimed: TrustDocument, trusted: TrustDocument | None, pinned: str | None
) -> TrustDocument:
    if trusted is None:
        if claimed.sequence != 1 or fingerprint(claimed.config_key) != pinned:
            raise TrustError(
                "the server is not the one of the line to join by: check the fingerprint"
            )
        return TrustDocument.verify(document, claimed.config_key)
    if claimed.sequence != trusted.sequence + 1:
        raise TrustError("the server leaves out trust documents: tell its operator")
    if claimed.region != trusted.region:
        raise TrustError("the server changed its region: join again")
    return TrustDocument.verify(document, trusted.config_key)


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom an exposed person turns to, in one language; "" is what the authority left out.

    Raises
    ------
    InvalidValue
        When a text holds control characters or is too long, or the address is not https.
    """

    name: str
    phone: str = ""
    url: str = ""
    advice: str = ""
    """What to do, one or more lines."""

    def __post_init__(self) -> None:
        _name(self.to_json(), "name")
        for name in ("phone", "url", "advice"):
            _text(self.to_json(), name)
        if self.url and not re.fullmatch(r"https://[!-~]+", self.url):
            raise InvalidValue("url must begin with https://")

    @classmethod
    def from_json(cls, fields: Any) -> Contact:
        """Read the JSON form.

        Raises
        ------
        InvalidValue
            When it is another; the text names the field.
        """
        if not isinstance(fields, dict):
            raise InvalidValue("a contact must be a JSON object")
        return cls(**{name: fields.get(name, "") for name in ("name", "phone", "url", "advice")})

    def to_json(self) -> dict[str, str]:
        """Return the JSON form."""
        return {"name": self.name, "phone": self.phone, "url": self.url, "advice": self.advice}


def _mirrors(urls: Any) -> tuple[str, ...]:
    if not isinstance(urls, list) or len(urls) > MOST_MIRRORS:
        raise InvalidValue(f"mirrors must be a list of at most {MOST_MIRRORS} addresses")
    if not all(isinstance(url, str) for url in urls):
        raise InvalidValue("mirrors must be addresses")
    return tuple(map(checked_address, urls))


@dataclass(frozen=True, slots=True)
class SignedConfig:
    """What an authority wants devices of its region to do; it can only weigh, advise and pace."""

    region: str
    sequence: int
    """Rises with every change; a device refuses a lower one than it has accepted."""
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
    """From when on it does not count (UTC Unix seconds); None is never."""
    mirrors: tuple[str, ...] = ()
    """Addresses that have the index and key files too, in the same folders; at most 10."""

    def sign(self, private_config_key: EllipticCurvePrivateKey) -> str:
        """Return the configuration as a JWS.

        Raises
        ------
        TrustError
            When no device could use it.
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
        self._read(claims)
        return _sign(claims, _CONFIG, private_config_key)

    @classmethod
    def verify(
        cls, document: str, config_key: EllipticCurvePublicKey, *, now: float | None = None
    ) -> SignedConfig:
        """Read a configuration that a key must have signed; unknown fields are ignored.

        Parameters
        ----------
        document
            The JWS.
        config_key
            Of the newest trust document.
        now
            The time, to refuse what is expired (UTC Unix seconds); None does not look.

        Raises
        ------
        TrustError
            When it is not signed so, is expired, or cannot be used.
        """
        config = cls._read(_open(document, _CONFIG, config_key))
        if now is not None and config.expires_at is not None and now >= config.expires_at:
            raise TrustError("the server's configuration has expired: tell its operator")
        return config

    @classmethod
    def _read(cls, claims: Any) -> SignedConfig:
        try:
            contact = _field(claims, "contact")
            if not isinstance(contact, dict):
                raise InvalidValue("contact must be a JSON object")
            expires = claims.get("expires_at") is not None
            return cls(
                region=_name(claims, "region"),
                sequence=_integer(claims, "sequence", 1, 2**31 - 1),
                issued_at=_integer(claims, "issued_at", 0, _LATEST),
                risk=ExposureConfiguration.from_json(_field(claims, "risk")),
                health_authority_id=_name(claims, "health_authority_id"),
                contact={
                    language: Contact.from_json(each)
                    for language, each in contact.items()
                    if language in ("vi", "en")
                },
                check_interval_seconds=_integer(
                    claims, "check_interval_seconds", *_CHECK_INTERVAL_SECONDS
                ),
                expires_at=_integer(claims, "expires_at", 0, _LATEST) if expires else None,
                mirrors=_mirrors(claims.get("mirrors", [])),
            )
        except InvalidValue as error:
            raise TrustError(f"the server's configuration cannot be used: {error}") from error
