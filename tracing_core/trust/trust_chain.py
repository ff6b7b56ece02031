"""Trust chain: a server's trust documents, from one pinned fingerprint to its newest keys.

The first trust document is signed by the key it names, whose fingerprint the owner typed in or
scanned when joining; each later one is signed by the key that the previous one names. So a server
that lost its keys, or another in its place, is refused until the owner joins again.

The first document that names a last day names it for all later ones; none can move it.
"""

from __future__ import annotations

import base64
import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cryptography import exceptions
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tracing_core.errors import InvalidKey, InvalidValue, TrustError
from tracing_core.json_object import JSONObject
from tracing_core.trust.last_day import read_last_day
from tracing_core.trust.signed_document import LATEST_SECONDS, key_der, open_document, sign_document
from tracing_core.trust.signed_document import fingerprint as fingerprint_of

__all__ = ["ExportVerificationKey", "TrustDocument", "verify_trust_chain"]

_TYPE = "truyvet-trust+jwt"
_LONGEST_KEY_TEXT = 2000
_LONGEST_ID = 100


def _public_key(claims: JSONObject, name: str) -> EllipticCurvePublicKey:
    text = claims.text(name, _LONGEST_KEY_TEXT)
    try:
        key = load_der_public_key(base64.b64decode(text, validate=True))
    except (ValueError, exceptions.UnsupportedAlgorithm) as error:
        raise InvalidKey(f"{name} must be base64 of a public key in DER") from error
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise InvalidKey(f"{name} must be on the curve P-256")
    return key


def _key_text(public_key: EllipticCurvePublicKey) -> str:
    return base64.b64encode(key_der(public_key)).decode()


@dataclass(frozen=True, slots=True)
class ExportVerificationKey:
    """A key that the server's key files are signed with."""

    key_id: str
    key_version: str
    public_key: EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class TrustDocument:
    """The keys that a server signs with from now on."""

    sequence: int
    """1 for a server's first document, then one higher each time."""
    region: str
    issued_at: int
    """When it was signed (UTC Unix seconds)."""
    config_key: EllipticCurvePublicKey
    """Signs the configuration and the next trust document."""
    export_keys: tuple[ExportVerificationKey, ...]
    """Any of these signs key files."""
    last_day: datetime.date | None = None
    """The last day (UTC) on which devices take part; None if the document names none.

    In what `verify_trust_chain` returns, it is the day that the chain has named so far.
    """

    def sign(self, private_config_key: EllipticCurvePrivateKey) -> str:
        """Return the document as a JWS.

        The first document is signed with its own `config_key`, a later one with its predecessor's.

        Raises
        ------
        TrustError
            When no device could use the document.
        """
        claims: dict[str, Any] = {
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
        if self.last_day is not None:
            claims["last_day"] = self.last_day.isoformat()
        self._read(claims)
        return sign_document(claims, _TYPE, private_config_key)

    @classmethod
    def verify(cls, document: str, config_key: EllipticCurvePublicKey) -> TrustDocument:
        """Verify and read a document; unknown fields are ignored.

        Raises
        ------
        TrustError
            When the key did not sign the document, or the document cannot be used.
        """
        return cls._read(open_document(document, _TYPE, config_key))

    @classmethod
    def _read(cls, value: Any) -> TrustDocument:
        try:
            claims = JSONObject(value, "it")
            export_keys = claims["export_keys"]
            if not isinstance(export_keys, list) or not export_keys:
                raise InvalidValue("export_keys must be a list and not empty")
            issued_at = claims.integer("issued_at", 0, LATEST_SECONDS)
            last_day = claims.get("last_day")
            return cls(
                sequence=claims.integer("sequence", 1, 2**31 - 1),
                region=claims.name("region"),
                issued_at=issued_at,
                config_key=_public_key(claims, "config_key"),
                export_keys=tuple(map(_export_key, export_keys)),
                last_day=None if last_day is None else read_last_day(last_day, issued_at),
            )
        except InvalidValue as error:
            raise TrustError(f"a trust document from the server cannot be used: {error}") from error


def _export_key(value: Any) -> ExportVerificationKey:
    fields = JSONObject(value, "a key of export_keys")
    return ExportVerificationKey(
        fields.text("key_id", _LONGEST_ID),
        fields.text("key_version", _LONGEST_ID),
        _public_key(fields, "public_key"),
    )


def verify_trust_chain(
    documents: Sequence[str], *, fingerprint: str | None, last: TrustDocument | None
) -> TrustDocument:
    """Follow a server's trust documents from the pinned key, or from the last accepted document.

    Parameters
    ----------
    documents
        All the server's documents, or those from some number on, oldest first.
    fingerprint
        Fingerprint of the key pinned when joining; ignored if `last` is given.
    last
        The last document accepted; None when joining.

    Returns
    -------
    TrustDocument
        The newest document, with the last day that the chain has named; `last` itself if none is
        newer.

    Raises
    ------
    TrustError
        When a document is not signed by the key that the previous one names, a number is missing,
        the region or the last day changes, or the server has fewer or other documents than this
        device accepted.
    """
    trusted = last
    reached = 0
    for document in documents:
        claimed = TrustDocument._read(open_document(document, _TYPE, None))
        if reached and claimed.sequence != reached + 1:
            raise TrustError(
                "the server's trust documents are not numbered consecutively: report this to its"
                " operator"
            )
        reached = claimed.sequence
        if last is not None and reached <= last.sequence:
            if reached == last.sequence and _with_day_of(last, claimed) != last:
                raise TrustError(
                    "the server replaced a trust document that this device has accepted: report"
                    " this to its operator"
                )
            continue
        trusted = _next(document, claimed, trusted, fingerprint)
    if trusted is None or (last is not None and reached < last.sequence):
        raise TrustError(
            "the server has fewer trust documents than it should: report this to its operator"
        )
    return trusted


def _next(
    document: str, claimed: TrustDocument, trusted: TrustDocument | None, pinned: str | None
) -> TrustDocument:
    if trusted is None:
        if claimed.sequence != 1 or fingerprint_of(claimed.config_key) != pinned:
            raise TrustError(
                "the server is not the one that the join line names: check the fingerprint"
            )
        return TrustDocument.verify(document, claimed.config_key)
    if claimed.sequence != trusted.sequence + 1:
        raise TrustError("the server leaves out trust documents: report this to its operator")
    if claimed.region != trusted.region:
        raise TrustError("the server changed its region: join again")
    if trusted.last_day is not None and claimed.last_day not in (None, trusted.last_day):
        raise TrustError(
            "the server moved its last day, which is fixed: report this to its operator"
        )
    return _with_day_of(trusted, TrustDocument.verify(document, trusted.config_key))


def _with_day_of(trusted: TrustDocument, document: TrustDocument) -> TrustDocument:
    """Return a document with the last day that the chain has named, if it names none itself."""
    if document.last_day is not None:
        return document
    return replace(document, last_day=trusted.last_day)
