"""SHA-256 in plain Python, for the constants of the kernels (FIPS 180-4).

HKDF with an empty salt and a fixed `info` hashes six blocks per key. Two start from states that are
the same for every key. One block is the same for every key, and so is its message schedule.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from math import isqrt

__all__ = [
    "EXTRACT_INNER",
    "EXTRACT_OUTER",
    "INITIAL",
    "ROUND_CONSTANTS",
    "RPIK_INFO",
    "compress",
    "info_schedule",
    "rotate_right",
    "schedule",
]

RPIK_INFO = b"EN-RPIK"
"""HKDF's `info` for the Rolling Proximity Identifier Key (GAEN crypto v1.2)."""

_WORD = 0xFFFFFFFF


def _primes(count: int) -> list[int]:
    found: list[int] = []
    number = 2
    while len(found) < count:
        if all(number % prime for prime in found):
            found.append(number)
        number += 1
    return found


def _cube_root(number: int) -> int:
    root = 1 << ((number.bit_length() + 2) // 3)
    while (better := (2 * root + number // (root * root)) // 3) < root:
        root = better
    return root


# FIPS 180-4 defines both tables as the first 32 bits of the fractions of roots of primes.
ROUND_CONSTANTS = tuple(_cube_root(prime << 96) & _WORD for prime in _primes(64))
"""The 64 words K."""
INITIAL = tuple(isqrt(prime << 64) & _WORD for prime in _primes(8))
"""The state before the first block."""


def rotate_right(word: int, count: int) -> int:
    """Rotate a word of 32 bits."""
    return (word >> count | word << (32 - count)) & _WORD


def schedule(words: Sequence[int]) -> list[int]:
    """Extend the 16 words of a block to the 64 of its message schedule."""
    extended = list(words)
    for _ in range(48):
        early, late = extended[-15], extended[-2]
        small0 = rotate_right(early, 7) ^ rotate_right(early, 18) ^ early >> 3
        small1 = rotate_right(late, 17) ^ rotate_right(late, 19) ^ late >> 10
        extended.append((extended[-16] + small0 + extended[-7] + small1) & _WORD)
    return extended


def compress(state: Sequence[int], words: Sequence[int]) -> tuple[int, ...]:
    """Return the state after one block of 16 words."""
    a, b, c, d, e, f, g, h = state
    for constant, word in zip(ROUND_CONSTANTS, schedule(words), strict=True):
        big1 = rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25)
        first = h + big1 + (g ^ e & (f ^ g)) + constant + word
        big0 = rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22)
        second = big0 + (a & b | c & (a | b))
        a, b, c, d, e, f, g, h = (first + second) & _WORD, a, b, c, (d + first) & _WORD, e, f, g
    return tuple(
        (old + new) & _WORD for old, new in zip(state, (a, b, c, d, e, f, g, h), strict=True)
    )


EXTRACT_INNER = compress(INITIAL, [0x36363636] * 16)
"""HMAC's inner state for the empty salt."""
EXTRACT_OUTER = compress(INITIAL, [0x5C5C5C5C] * 16)
"""HMAC's outer state for the empty salt."""


def info_schedule(info: bytes) -> list[int]:
    """Return the message schedule of HKDF's block ``info || 0x01`` and padding, 64 words.

    The block follows one of 64 bytes (HMAC's key), which its length counts.
    """
    text = info + b"\x01"
    block = (text + b"\x80").ljust(56, b"\0") + struct.pack(">Q", 8 * (64 + len(text)))
    return schedule(struct.unpack(">16I", block))
