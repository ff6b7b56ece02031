"""The low-cost design of DP-3T, "decentralised privacy-preserving proximity tracing".

A phone's key of a day is the SHA-256 of its key of the day before. It gives 96 identifiers, which
are sent in a secret random order. So hearing one counts on the whole day, with two hours of
tolerance for clocks.
Source: the white paper of 25 May 2020, and DP-3T/reference_implementation, ``LowCostDP3T.py``.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from tracing_core.errors import InvalidKey
from tracing_core.protocol.slots import HeardBetween, Run, always

__all__ = ["DP3T", "DP3T_IDENTIFIER_LENGTH", "DP3T_KEY_LENGTH", "Dp3t", "Dp3tKey"]

DP3T_KEY_LENGTH = 32
"""Bytes in a key of a day."""

DP3T_IDENTIFIER_LENGTH = 16
"""Bytes in an identifier ("EphID")."""

_IDENTIFIERS_PER_DAY = 96
_BROADCAST_KEY = b"broadcast key"
_DAY_SECONDS = 86_400
_TOLERANCE_SECONDS = 7_200
_MAX_DAYS = 30
_LATEST_DAY = 1_000_000


@dataclass(frozen=True, slots=True)
class Dp3tKey:
    """A published key, and the days for which its identifiers are looked for.

    Raises
    ------
    InvalidKey
        When a value lies outside the bounds.
    """

    key_data: bytes = field(repr=False)
    """32 bytes: the key of the first day ("SK")."""
    first_day: int
    """The first UTC day, in days since the Unix epoch."""
    days: int
    """Number of days, 1 to 30; the keys of the later ones follow from the first."""

    def __post_init__(self) -> None:
        if len(self.key_data) != DP3T_KEY_LENGTH:
            raise InvalidKey(f"a key must be {DP3T_KEY_LENGTH} bytes, not {len(self.key_data)}")
        if not 1 <= self.days <= _MAX_DAYS:
            raise InvalidKey(f"a key must span 1 to {_MAX_DAYS} days, not {self.days}")
        if not 0 <= self.first_day < _LATEST_DAY:
            raise InvalidKey("a key's first day must be counted in days since 1970")


def _identifiers(day_key: bytes) -> list[bytes]:
    seed = hmac.digest(day_key, _BROADCAST_KEY, "sha256")
    # The stream of AES-256 in counter mode, from 0.
    stream = Cipher(AES(seed), CTR(bytes(16))).encryptor()
    sent = stream.update(bytes(_IDENTIFIERS_PER_DAY * DP3T_IDENTIFIER_LENGTH))
    return [
        sent[at : at + DP3T_IDENTIFIER_LENGTH] for at in range(0, len(sent), DP3T_IDENTIFIER_LENGTH)
    ]


class Dp3t:
    """The protocol; its identifiers come without a transmit power."""

    name = "dp3t"
    identifier_length = DP3T_IDENTIFIER_LENGTH
    max_seconds_heard = None
    states_power = False

    def runs(self, key: Dp3tKey, heard_between: HeardBetween = always) -> Iterator[Run]:
        """Derive the slots of a key, a run per day; all slots of a day last equally long."""
        day_key = key.key_data
        for day in range(key.first_day, key.first_day + key.days):
            first = day * _DAY_SECONDS - _TOLERANCE_SECONDS
            last = (day + 1) * _DAY_SECONDS - 1 + _TOLERANCE_SECONDS
            if heard_between(first, last):
                yield Run(_identifiers(day_key), first * 1000, 0, (last - first) * 1000)
            day_key = hashlib.sha256(day_key).digest()


DP3T = Dp3t()
"""The one instance."""
