"""The protocol of Bluezone 2, the Vietnamese app that became PC-Covid.

A phone's key of a day is the SHA-256 of its key of the day before, so a published key also reveals
the days after it. Each day is divided into up to 288 slots, whose identifiers form a second chain.
The app counts an identifier from the first to the last moment of its slot, without tolerance for
clocks, and has no rule against replay.
Source: BluezoneGlobal/react-native-bluetooth-scan, ``BluezoneIdTrace`` and ``BluezoneIdGenerator``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from tracing_core.errors import InvalidKey
from tracing_core.protocol.slots import HeardBetween, Run, always

__all__ = [
    "BLUEZONE",
    "BLUEZONE_IDENTIFIER_LENGTH",
    "BLUEZONE_KEY_LENGTH",
    "MAX_DAYS",
    "MAX_SLOTS_PER_DAY",
    "USUAL_SLOTS_PER_DAY",
    "Bluezone",
    "BluezoneKey",
    "bluezone_identifiers",
]

BLUEZONE_KEY_LENGTH = 32
"""Bytes in a key of a day."""

BLUEZONE_IDENTIFIER_LENGTH = 12
"""Bytes in an identifier."""

USUAL_SLOTS_PER_DAY = 96
"""Slots per day unless a key states another number: a quarter of an hour each."""

MAX_SLOTS_PER_DAY = 288
"""The most slots per day that are taken: five minutes each."""

MAX_DAYS = 30
"""The most days that one published key may span."""

_DAY_MS = 86_400_000
_LATEST = 100_000_000_000
# As the app spells it.
_SALT = b"bluzonesubkey"


@dataclass(frozen=True, slots=True)
class BluezoneKey:
    """A published key of a day, and the time for which its owner may have been infectious.

    Raises
    ------
    InvalidKey
        When a value lies outside the bounds.
    """

    key_data: bytes = field(repr=False)
    """32 bytes: the key of the day that begins at `time_start`."""
    time_start: int
    """The first second of the first slot (UTC Unix seconds)."""
    time_end: int
    """No slot begins after this second (UTC Unix seconds)."""
    slots_per_day: int = USUAL_SLOTS_PER_DAY
    """Slots per day, 1 to 288."""

    def __post_init__(self) -> None:
        if len(self.key_data) != BLUEZONE_KEY_LENGTH:
            raise InvalidKey(f"a key must be {BLUEZONE_KEY_LENGTH} bytes, not {len(self.key_data)}")
        if not 1 <= self.slots_per_day <= MAX_SLOTS_PER_DAY:
            raise InvalidKey(f"there must be 1 to {MAX_SLOTS_PER_DAY} slots per day")
        if not 0 <= self.time_start <= self.time_end < _LATEST:
            raise InvalidKey("a key's times must be UTC Unix seconds, the end after the start")
        if self.time_end - self.time_start > MAX_DAYS * 86_400:
            raise InvalidKey(f"a key must span at most {MAX_DAYS} days")


def bluezone_identifiers(day_key: bytes, count: int) -> list[bytes]:
    """Derive the first identifiers of a day, 12 bytes each."""
    identifiers = []
    link = day_key + _SALT
    for _ in range(count):
        link = hashlib.sha256(link).digest()
        # Every fourth byte of the first half, every second of the other.
        identifiers.append(link[:16:4] + link[16::2])
    return identifiers


class Bluezone:
    """The protocol; its advertisements state no transmit power."""

    name = "bluezone"
    identifier_length = BLUEZONE_IDENTIFIER_LENGTH
    max_seconds_heard = None
    states_power = False

    def runs(self, key: BluezoneKey, heard_between: HeardBetween = always) -> Iterator[Run]:
        """Derive the slots of a key, a run per day; a day without anything heard costs one hash.

        The next day begins after the last slot of a day. The app does not wait for midnight, which
        matters only if a day cannot be divided evenly.
        """
        step = _DAY_MS // key.slots_per_day
        day_key, begins, ends = key.key_data, key.time_start * 1000, key.time_end * 1000
        while begins <= ends:
            count = min(key.slots_per_day, (ends - begins) // step + 1)
            if heard_between(begins // 1000, (begins + count * step) // 1000):
                yield Run(bluezone_identifiers(day_key, count), begins, step, step)
            begins += key.slots_per_day * step
            day_key = hashlib.sha256(day_key).digest()


BLUEZONE = Bluezone()
"""The one instance."""
