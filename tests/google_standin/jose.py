"""JWT with ES256, written out with the standard library and cryptography alone."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256


class BadToken(Exception):
    """A token that must not be believed."""


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Base64 of either alphabet, padded or not, as Google's servers decode it."""
    digits = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except ValueError as error:
        raise BadToken("not base64") from error


def signed(claims: dict[str, Any], kid: str, key: ec.EllipticCurvePrivateKey) -> str:
    header = {"alg": "ES256", "kid": kid, "typ": "JWT"}
    text = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(SHA256())))
    return f"{text}.{encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def verified(token: str, kid: str, key: ec.EllipticCurvePublicKey, now: float) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3:
        raise BadToken("token contains an invalid number of segments")
    header, claims = (json.loads(decoded(part)) for part in parts[:2])
    if header.get("alg") != "ES256" or header.get("kid") != kid:
        raise BadToken("unsupported signing method or unknown key")
    raw = decoded(parts[2])
    signature = encode_dss_signature(
        int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    )
    try:
        key.verify(signature, f"{parts[0]}.{parts[1]}".encode(), ec.ECDSA(SHA256()))
    except InvalidSignature as error:
        raise BadToken("crypto/ecdsa: verification error") from error
    if now >= claims["exp"] or now < claims.get("nbf", 0):
        raise BadToken("token is expired, or not valid yet")
    return dict(claims)
