"""Derivation of a key's identifiers: one HKDF and one AES call per key."""

from __future__ import annotations

import functools
import struct

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.protocol.rolling_proximity_identifier import RPI_LENGTH
from tracing_core.protocol.temporary_exposure_key import derive_rpik

__all__ = ["derive_identifiers"]

_PADDED_DATA = struct.Struct("<6s6xI")
_ECB = ECB()  # noqa: S305 - the specification encrypts single blocks


# Nearly all keys of a file share a few dozen days, so each day's plain text is made once.
@functools.lru_cache(maxsize=1024)
def _plain_text(start: int, period: int) -> bytes:
    return b"".join(
        _PADDED_DATA.pack(b"EN-RPI", interval) for interval in range(start, start + period)
    )


@functools.lru_cache(maxsize=256)
def _splitter(period: int) -> struct.Struct:
    return struct.Struct(f"{RPI_LENGTH}s" * period)


def derive_identifiers(key: DiagnosisKey) -> tuple[bytes, ...]:
    """Derive the identifiers of all intervals a key was used in, in their order."""
    plain = _plain_text(key.rolling_start_interval_number, key.rolling_period)
    cipher = Cipher(AES(derive_rpik(key.key_data)), _ECB).encryptor().update(plain)
    return _splitter(key.rolling_period).unpack(cipher)
