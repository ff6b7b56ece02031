"""Four bytes that travel with an identifier (GAEN Bluetooth v1.2, "Encrypted Metadata").

They are encrypted but not authenticated: a relay may flip their bits, so
only the estimate of distance may rely on them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from tracing_core.errors import InvalidValue

__all__ = ["AEM_LENGTH", "CalibrationConfidence", "Metadata", "decrypt_aem", "encrypt_aem"]

AEM_LENGTH = 4
"""Bytes in the metadata, encrypted or not."""


class CalibrationConfidence(enum.IntEnum):
    """How well the sender's transmit power is known, by its own account."""

    LOWEST = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a sender states about itself.

    Raises
    ------
    InvalidValue
        When a field does not fit its bits.
    """

    transmit_power_dbm: int
    """Calibrated transmit power, −128 to 127 dBm."""
    major_version: int = 1
    """0 to 3; the protocol's is 1."""
    minor_version: int = 0
    """0 to 3; 0 on the phones of 2020 (first byte 0x40), 1 with calibration confidence (0x50)."""
    calibration_confidence: CalibrationConfidence = CalibrationConfidence.LOWEST
    """Bits 3:2 of the first byte; version 1.0 leaves them 0."""
    reserved: bytes = b"\0\0"
    """Bytes 2 and 3, kept as received; a sender leaves them 0."""

    def __post_init__(self) -> None:
        if not -128 <= self.transmit_power_dbm <= 127:
            raise InvalidValue(
                f"transmit power must fit a signed byte, not {self.transmit_power_dbm}"
            )
        if not (0 <= self.major_version <= 3 and 0 <= self.minor_version <= 3):
            raise InvalidValue("major and minor metadata versions must be 0 to 3")
        if len(self.reserved) != 2:
            raise InvalidValue("metadata has two reserved bytes")

    def encode(self) -> bytes:
        """Return the four bytes."""
        first = self.major_version << 6 | self.minor_version << 4 | self.calibration_confidence << 2
        return bytes([first, self.transmit_power_dbm & 0xFF]) + self.reserved

    @classmethod
    def decode(cls, plain: bytes) -> Metadata:
        """Read four bytes. Every value is valid; bits 1:0 of the first byte are ignored.

        Raises
        ------
        InvalidValue
            When `plain` is not four bytes long.
        """
        if len(plain) != AEM_LENGTH:
            raise InvalidValue(f"metadata must be {AEM_LENGTH} bytes, not {len(plain)}")
        return cls(
            transmit_power_dbm=int.from_bytes(plain[1:2], signed=True),
            major_version=plain[0] >> 6,
            minor_version=plain[0] >> 4 & 3,
            calibration_confidence=CalibrationConfidence(plain[0] >> 2 & 3),
            reserved=plain[2:],
        )


def _crypt(aemk: bytes, rpi: bytes, data: bytes) -> bytes:
    if len(data) != AEM_LENGTH:
        raise InvalidValue(f"metadata must be {AEM_LENGTH} bytes, not {len(data)}")
    return Cipher(AES(aemk), CTR(rpi)).encryptor().update(data)


def encrypt_aem(aemk: bytes, rpi: bytes, metadata: Metadata) -> bytes:
    """Encrypt metadata for one identifier: AES-CTR with the identifier as initial counter."""
    return _crypt(aemk, rpi, metadata.encode())


def decrypt_aem(aemk: bytes, rpi: bytes, aem: bytes) -> Metadata:
    """Decrypt the metadata received with an identifier.

    >>> aem = encrypt_aem(bytes(16), bytes(16), Metadata(transmit_power_dbm=-8))
    >>> decrypt_aem(bytes(16), bytes(16), aem).transmit_power_dbm
    -8

    Raises
    ------
    InvalidValue
        When `aem` is not four bytes long.
    """
    return Metadata.decode(_crypt(aemk, rpi, aem))
