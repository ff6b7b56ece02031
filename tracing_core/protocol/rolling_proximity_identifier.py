"""Rolling proximity identifiers: what a device sends (GAEN crypto v1.2, "RPI")."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from tracing_core.errors import InvalidInterval
from tracing_core.protocol.interval import checked_interval
from tracing_core.protocol.temporary_exposure_key import TemporaryExposureKey, derive_rpik

__all__ = ["RPI_LENGTH", "derive_rpi", "derive_rpis", "rpis_of"]

RPI_LENGTH = 16
"""Bytes in a Rolling Proximity Identifier."""

_PADDED_DATA = struct.Struct("<6s6xI")


def derive_rpis(rpik: bytes, first_interval: int, count: int) -> list[bytes]:
    """Derive the identifiers of consecutive intervals with one call of AES.

    >>> [rpi.hex()[:8] for rpi in derive_rpis(bytes(16), first_interval=2650032, count=2)]
    ['0d155b63', 'c7ab0485']

    Parameters
    ----------
    rpik
        The Rolling Proximity Identifier Key, 16 bytes.
    first_interval
        The interval of the first identifier.
    count
        How many identifiers, 0 or more.

    Returns
    -------
    list of bytes
        `count` identifiers of 16 bytes.

    Raises
    ------
    InvalidInterval
        When an interval does not fit in 32 bits.
    """
    if count <= 0:
        return []
    checked_interval(first_interval)
    checked_interval(first_interval + count - 1)
    plain = b"".join(
        _PADDED_DATA.pack(b"EN-RPI", interval)
        for interval in range(first_interval, first_interval + count)
    )
    # The specification encrypts single blocks, each of them different, so ECB reveals nothing.
    encryptor = Cipher(AES(rpik), ECB()).encryptor()  # noqa: S305
    cipher = encryptor.update(plain)
    return [cipher[start : start + RPI_LENGTH] for start in range(0, len(cipher), RPI_LENGTH)]


def derive_rpi(tek: TemporaryExposureKey, interval: int) -> bytes:
    """Derive the identifier that a key gives for an interval.

    Raises
    ------
    InvalidInterval
        When the key is not used in that interval.
    """
    if not tek.covers(interval):
        raise InvalidInterval(f"the key is not used in interval {interval}")
    return derive_rpis(derive_rpik(tek.key_data), interval, 1)[0]


def rpis_of(tek: TemporaryExposureKey) -> Sequence[bytes]:
    """Derive all identifiers of a key, in the order of its intervals."""
    return derive_rpis(
        derive_rpik(tek.key_data), tek.rolling_start_interval_number, tek.rolling_period
    )
