"""Temporary exposure key: a device's key for one day, with its derived keys."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from tracing_core.errors import InvalidKey
from tracing_core.protocol.interval import (
    TEK_ROLLING_PERIOD,
    ENIntervalNumber,
    checked_interval,
    interval_start,
    rolling_start,
)

__all__ = ["KEY_LENGTH", "TemporaryExposureKey", "check_key", "derive_aemk", "derive_rpik"]

KEY_LENGTH = 16
"""Bytes in a Temporary Exposure Key and in every key derived from it."""


def check_key(key_data: bytes, rolling_start_interval_number: int, rolling_period: int) -> None:
    """Check the three values that make a key.

    Raises
    ------
    InvalidKey
        When the key is not 16 bytes, the period not 1 to 144, or the last interval beyond 32 bits.
    """
    if len(key_data) != KEY_LENGTH:
        raise InvalidKey(f"a key must be {KEY_LENGTH} bytes, not {len(key_data)}")
    if not 1 <= rolling_period <= TEK_ROLLING_PERIOD:
        raise InvalidKey(
            f"a rolling period must be 1 to {TEK_ROLLING_PERIOD}, not {rolling_period}"
        )
    if not 0 <= rolling_start_interval_number <= 2**32 - rolling_period:
        raise InvalidKey(
            f"a rolling start interval number must fit 32 bits, not {rolling_start_interval_number}"
        )


def _hkdf(tek: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_LENGTH, salt=None, info=info).derive(tek)


def derive_rpik(tek: bytes) -> bytes:
    """Derive the Rolling Proximity Identifier Key, 16 bytes (GAEN crypto v1.2, "RPIK")."""
    return _hkdf(tek, b"EN-RPIK")


def derive_aemk(tek: bytes) -> bytes:
    """Derive the Associated Encrypted Metadata Key, 16 bytes (GAEN crypto v1.2, "AEMK")."""
    return _hkdf(tek, b"EN-AEMK")


@dataclass(frozen=True, slots=True)
class TemporaryExposureKey:
    """A key and the intervals it is used in (GAEN crypto v1.2, "TEK").

    Raises
    ------
    InvalidKey
        When a value lies outside the protocol.
    """

    key_data: bytes = field(repr=False)
    """16 bytes, secret until their owner publishes them."""
    rolling_start_interval_number: ENIntervalNumber
    """The first interval the key is used in."""
    rolling_period: int = TEK_ROLLING_PERIOD
    """How many intervals it is used for, 1 to 144."""

    def __post_init__(self) -> None:
        check_key(self.key_data, self.rolling_start_interval_number, self.rolling_period)

    @classmethod
    def generate(cls, interval: ENIntervalNumber) -> TemporaryExposureKey:
        """Make a fresh key for the UTC day that an interval lies in."""
        return cls(secrets.token_bytes(KEY_LENGTH), rolling_start(interval))

    @property
    def end_interval_number(self) -> ENIntervalNumber:
        """The first interval the key is no longer used in."""
        return checked_interval(self.rolling_start_interval_number + self.rolling_period)

    @property
    def expires_at(self) -> int:
        """The first second the key is no longer used in (UTC Unix seconds)."""
        return interval_start(self.rolling_start_interval_number + self.rolling_period)

    def covers(self, interval: int) -> bool:
        """Return whether the key is used in an interval."""
        return 0 <= interval - self.rolling_start_interval_number < self.rolling_period
