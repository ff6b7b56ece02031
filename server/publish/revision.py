"""Revision tokens, with which a device may later change the report type of its published keys.

A token is encrypted, so its holder learns nothing from it. Its length is the same for most uploads:
 base64 of ``length of key id ‖ key id ‖ nonce ‖ AES-GCM(entries)``. An entry has key data,
start and period of one key; zeros are padding. Only this server can read it.
"""

from __future__ import annotations

import base64
import secrets
import struct
from collections.abc import Iterable
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.config import Settings
from server.store.private_keys import SecretKey
from tracing_core.errors import InvalidValue
from tracing_core.http.publish_request import decode_base64
from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.protocol.interval import interval_number

__all__ = ["RevisableKey", "open_token", "seal_token"]

_ENTRY = struct.Struct("<16sIB")
_NONCE_BYTES = 12


class RevisableKey(NamedTuple):
    """A key that the holder of a token may revise."""

    key_data: bytes
    rolling_start_interval_number: int
    rolling_period: int

    @classmethod
    def of(cls, key: DiagnosisKey) -> RevisableKey:
        """Return the entry for a key."""
        return cls(key.key_data, key.rolling_start_interval_number, key.rolling_period)

    def __repr__(self) -> str:
        return "RevisableKey(…)"


def _associated(region: str) -> bytes:
    return f"truyvet revision token {region}".encode()


def seal_token(
    keys: Iterable[RevisableKey], secret: SecretKey, region: str, settings: Settings, now: float
) -> str:
    """Make a token for the keys that are young enough to be published again."""
    oldest = interval_number(now - settings.max_key_age_seconds)
    young = sorted(
        {key for key in keys if key.rolling_start_interval_number + key.rolling_period >= oldest}
    )
    entries = [_ENTRY.pack(*key) for key in young]
    missing = (
        -len(entries) % settings.revision_token_keys if entries else (settings.revision_token_keys)
    )
    plain = b"".join(entries) + bytes(_ENTRY.size * missing)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sealed = AESGCM(secret.secret).encrypt(nonce, plain, _associated(region))
    name = secret.key_id.encode()
    return base64.b64encode(bytes([len(name)]) + name + nonce + sealed).decode()


def open_token(text: str, secret: SecretKey, region: str) -> frozenset[RevisableKey]:
    """Return the keys in a token.

    Raises
    ------
    InvalidValue
        When another server made the token, or it was sealed with a key that no longer exists.
    """
    data = decode_base64(text)
    name = secret.key_id.encode()
    head = bytes([len(name)]) + name
    if not data.startswith(head):
        raise InvalidValue("the revision token is from another server or too old")
    body = data[len(head) :]
    try:
        plain = AESGCM(secret.secret).decrypt(
            body[:_NONCE_BYTES], body[_NONCE_BYTES:], _associated(region)
        )
        entries = [RevisableKey(*entry) for entry in _ENTRY.iter_unpack(plain)]
    except (InvalidTag, ValueError, struct.error) as error:
        raise InvalidValue("the revision token is damaged") from error
    return frozenset(entry for entry in entries if entry.rolling_period)
