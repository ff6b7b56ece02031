"""Signed documents: JWS in compact form, with ES256 and no other algorithm."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tracing_core.errors import InvalidKey, TrustError
from tracing_core.json_object import parse_json

__all__ = [
    "LATEST_SECONDS",
    "MAX_DOCUMENT_BYTES",
    "fingerprint",
    "key_der",
    "open_document",
    "sign_document",
]

MAX_DOCUMENT_BYTES = 64 << 10
"""The largest trust document or configuration read; one takes a few thousand bytes."""

LATEST_SECONDS = 2**32 * 600
"""The end of the protocol's last interval (UTC Unix seconds); no time is later."""

_ALGORITHM = "ES256"


def key_der(public_key: EllipticCurvePublicKey) -> bytes:
    """Return a key's SubjectPublicKeyInfo in DER."""
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def fingerprint(public_key: EllipticCurvePublicKey) -> str:
    """Return the SHA-256 of a key's SubjectPublicKeyInfo in DER, as 64 lowercase hex digits."""
    return sha256(key_der(public_key)).hexdigest()


def sign_document(
    claims: Mapping[str, Any],
    typ: str,
    private_key: EllipticCurvePrivateKey,
    *,
    most_bytes: int = MAX_DOCUMENT_BYTES,
) -> str:
    """Sign claims and return them as a JWS of a type.

    Raises
    ------
    InvalidKey
        When the key is not on P-256.
    TrustError
        When the document is too large.
    """
    if not isinstance(private_key.curve, SECP256R1):
        raise InvalidKey("documents are signed with a key on P-256")
    payload = json.dumps(claims, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    document = jwt.PyJWS().encode(payload.encode(), private_key, _ALGORITHM, headers={"typ": typ})
    _check_size(document, most_bytes)
    return document


def _check_size(document: str, most_bytes: int) -> None:
    if len(document) > most_bytes:
        raise TrustError(f"a document from the server is larger than {most_bytes} bytes")


def open_document(
    document: str,
    typ: str,
    public_key: EllipticCurvePublicKey | None,
    *,
    most_bytes: int = MAX_DOCUMENT_BYTES,
) -> Any:
    """Return the claims of a document.

    Parameters
    ----------
    document
        The JWS.
    typ
        The type that the document must state.
    public_key
        The key that must have signed it; with None the claims must not be trusted.
    most_bytes
        The largest size read.

    Raises
    ------
    TrustError
        When the document is too large, damaged, not signed by the key, or of another type.
    """
    _check_size(document, most_bytes)
    try:
        opened = jwt.PyJWS().decode_complete(
            document,
            key=public_key or "",
            algorithms=[_ALGORITHM],
            options={"verify_signature": public_key is not None},
        )
    except jwt.InvalidSignatureError as error:
        raise TrustError(
            "a document from the server is not signed by the key this device trusts: ask the"
            " authority, and join again if the key was replaced"
        ) from error
    except (jwt.PyJWTError, ValueError) as error:
        raise TrustError(
            "a document from the server is damaged, or not signed with ES256"
        ) from error
    if opened["header"].get("typ") != typ:
        raise TrustError(f"a document from the server is not of the type {typ}")
    try:
        return parse_json(opened["payload"])
    except (ValueError, RecursionError) as error:
        raise TrustError("a document from the server is not JSON") from error
