"""Public keys of key files, in the forms in which authorities and their tools publish them."""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from tracing_core.errors import InvalidKey

__all__ = ["MAX_PUBLIC_KEY_BYTES", "VerificationKey", "read_public_key"]

MAX_PUBLIC_KEY_BYTES = 16 << 10
"""The largest file with a public key that is read."""

_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END \1-----", re.DOTALL)
# "310-v1,MFkw…"; a key of an app also begins with the app's package and a colon.
_NAMED = re.compile(r"(?:[\w.]+:)?([^\s,:|]*?)(?:-([^\s,:|-]*))?,([^,|]*)")
_POINT_BYTES = (33, 65)
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key that verifies key files, and the name under which it was published."""

    public_key: EllipticCurvePublicKey
    key_id: str | None = None
    """`SignatureInfo.key_id` of files signed with it; None if the key came without a name."""
    key_version: str | None = None
    """`SignatureInfo.key_version` of files signed with it; None if the key came without one."""


def read_public_key(data: bytes, name: str) -> VerificationKey:
    """Read the public key of key files, in any form in which authorities publish it.

    The forms are PEM, DER, base64 of either, a certificate (its dates are not checked), the bare
    point, and ``id-version,base64`` as in Google's and microG's lists of keys. A byte order mark,
    white space, quotes and line ends of any system may be around them.

    Parameters
    ----------
    data
        The contents of a file, or a text in UTF-8.
    name
        The name that errors use for it.

    Raises
    ------
    InvalidKey
        When `data` is not one public key on P-256.
    """
    if len(data) > MAX_PUBLIC_KEY_BYTES:
        raise InvalidKey(f"{name} is too large for a public key: give the file of the key alone")
    text = _text(data)
    if text is None:
        return VerificationKey(_from_der(data, name))
    named = _NAMED.fullmatch(text)
    if named is None:
        return VerificationKey(_from_text(text, name))
    key_id, key_version, rest = named.groups()
    if max(len(key_id), len(key_version or "")) > _LONGEST_NAME:
        raise InvalidKey(f"{name} names its key in more than {_LONGEST_NAME} characters")
    return VerificationKey(_from_text(rest, name), key_id, key_version)


def _text(data: bytes) -> str | None:
    """Return data as text, without what editors and shells put around it; None for DER."""
    try:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            text = data.decode("utf-16")  # as PowerShell redirects
        else:
            text = data.removeprefix(codecs.BOM_UTF8).decode("ascii")
    except UnicodeDecodeError:
        return None
    return text.replace("\\r", "").replace("\\n", "\n").strip(" \t\r\n\"'\0")


def _from_text(text: str, name: str) -> EllipticCurvePublicKey:
    blocks = _BLOCK.findall(text)
    # openssl writes the parameters of a curve as a block of their own.
    blocks = [(label, body) for label, body in blocks if label != "EC PARAMETERS"]
    if len(blocks) > 1 or "|" in text:
        raise InvalidKey(f"{name} holds more than one key: give each in a file of its own")
    for label, body in blocks:
        if label.endswith("PRIVATE KEY"):
            raise _is_private(name)
        return _from_der(_base64(body, name), name)
    der = _base64(text, name)
    inner = _text(der)
    if inner is not None and _BLOCK.search(inner):
        return _from_text(inner, name)
    return _from_der(der, name)


def _base64(text: str, name: str) -> bytes:
    """Decode base64 in lines of any length, of either alphabet, padded or not."""
    digits = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _is_none(name) from error


def _from_der(der: bytes, name: str) -> EllipticCurvePublicKey:
    from cryptography.x509 import load_der_x509_certificate

    key: object = None
    for load in (
        load_der_public_key,
        lambda der: load_der_x509_certificate(der).public_key(),
        _from_point,
    ):
        try:
            key = load(der)
        except (ValueError, UnsupportedAlgorithm):
            continue
        break
    else:
        raise _is_private(name) if _is_private_der(der) else _is_none(name)
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise InvalidKey(f"{name} must be a public key on the curve P-256, as key files need")
    return key


def _from_point(data: bytes) -> EllipticCurvePublicKey:
    if len(data) not in _POINT_BYTES:
        raise ValueError("not a point on the curve")
    return EllipticCurvePublicKey.from_encoded_point(SECP256R1(), data)


def _is_private_der(der: bytes) -> bool:
    try:
        load_der_private_key(der, None)
    except TypeError:  # it needs a password
        return True
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def _is_private(name: str) -> InvalidKey:
    return InvalidKey(f"{name} is a private key: keep it secret, and give its public key")


def _is_none(name: str) -> InvalidKey:
    return InvalidKey(
        f"{name} is not a public key: give it as PEM, DER, base64, a certificate or"
        " id-version,base64"
    )
