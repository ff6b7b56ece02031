"""AES from tables, for processors without AES instructions (Raspberry Pi 4).

A round of AES is four look-ups per column, in tables of 256 words that combine SubBytes and
MixColumns. The blocks of a key differ only in their last four bytes, and 256 consecutive intervals
only in byte 12. So the first round costs one look-up per block and the second four. Table look-ups
leak the key through the cache, but published keys are public.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import uint32, uint64, uintp

from matcher.kernels.emit.memory import load_32, load_64, store_32
from matcher.kernels.emit.vectors import called, inlined
from matcher.kernels.layout import GROUP

__all__ = ["derive_table", "encrypt_table", "expand_table"]


def _substitution() -> np.ndarray[Any, np.dtype[np.uint32]]:
    """Compute AES's S-box (FIPS 197, 5.1.1): the inverse in GF(2^8), then an affine map."""
    box = np.zeros(256, np.uint32)
    power = inverse = 1
    for _ in range(255):
        # 3 generates the field, so `power` takes every element and `inverse` its inverse.
        power ^= power << 1 & 0xFF ^ (0x1B if power & 0x80 else 0)
        inverse ^= inverse << 1
        inverse ^= inverse << 2
        inverse ^= inverse << 4
        inverse &= 0xFF
        if inverse & 0x80:
            inverse ^= 0x09
        turned = inverse
        for _ in range(4):
            turned = turned << 1 | turned >> 7
            turned &= 0xFF
            box[power] ^= turned
        box[power] ^= inverse ^ 0x63
    box[0] = 0x63
    return box


def _round_tables() -> np.ndarray[Any, np.dtype[np.uint32]]:
    box = _substitution()
    doubled = (box << 1 ^ np.where(box & 0x80, 0x11B, 0)).astype(np.uint32) & 0xFF
    first = doubled | box << 8 | box << 16 | (doubled ^ box) << 24
    return np.stack([first << count | first >> (32 - count) for count in (0, 8, 16, 24)]).astype(
        np.uint32
    )


_BOX = _substitution()
_TABLE = _round_tables()
_ROUND_CONSTANTS = np.array([1, 2, 4, 8, 16, 32, 64, 128, 0x1B, 0x36], np.uint32)
_BYTE = uint64(255)
# "EN-RPI" and two of the six zero bytes behind it, as little-endian words.
_PADDED_0, _PADDED_1 = uint64(0x522D4E45), uint64(0x00004950)


@inlined
def _column(a: Any, b: Any, c: Any, d: Any, key: Any) -> Any:
    """One column of a round: a byte of each column, turned by ShiftRows. Numbers of 64 bits."""
    return (
        uint64(_TABLE[0, a & _BYTE])
        ^ uint64(_TABLE[1, b >> uint64(8) & _BYTE])
        ^ uint64(_TABLE[2, c >> uint64(16) & _BYTE])
        ^ uint64(_TABLE[3, d >> uint64(24)])
        ^ key
    )


@inlined
def _last_column(a: Any, b: Any, c: Any, d: Any, key: Any) -> Any:
    """One column of the last round, which has no MixColumns."""
    return (
        uint64(_BOX[a & _BYTE])
        ^ uint64(_BOX[b >> uint64(8) & _BYTE]) << uint64(8)
        ^ uint64(_BOX[c >> uint64(16) & _BYTE]) << uint64(16)
        ^ uint64(_BOX[d >> uint64(24)]) << uint64(24)
        ^ key
    )


@called
def expand_table(rpik: Any, schedule: Any) -> None:
    """Expand one key of 16 bytes to 11 round keys (FIPS 197, 5.2)."""
    for word in range(4):
        store_32(uintp(schedule + 4 * word), load_32(uintp(rpik + 4 * word)))
    for word in range(4, 44):
        value = uint64(load_32(uintp(schedule + 4 * (word - 1))))
        if word & 3 == 0:
            turned = (value >> uint64(8) | value << uint64(24)) & uint64(0xFFFFFFFF)
            added = uint64(_ROUND_CONSTANTS[word // 4 - 1])
            value = _last_column(turned, turned, turned, turned, added)
        value ^= uint64(load_32(uintp(schedule + 4 * (word - 4))))
        store_32(uintp(schedule + 4 * word), uint32(value))


@called
def encrypt_table(schedule: Any, first: Any, out: Any) -> None:
    """Derive the 24 identifiers of consecutive intervals, 16 bytes each."""
    key = np.empty(44, np.uint64)
    for word in range(44):
        key[word] = uint64(load_32(uintp(schedule + 4 * word)))
    done = 0
    while done < GROUP:
        interval = uint64(first) + uint64(done) & uint64(0xFFFFFFFF)
        low = interval & _BYTE
        run = min(GROUP - done, 256 - int(low))
        a, b, c = _PADDED_0 ^ key[0], _PADDED_1 ^ key[1], key[2]
        d = interval ^ low ^ key[3]
        # Round 1: only the fourth column depends on byte 12; its other look-ups are constant.
        a1, b1, c1 = (
            _column(a, b, c, d, key[4]),
            _column(b, c, d, a, key[5]),
            _column(c, d, a, b, key[6]),
        )
        d1 = _column(uint64(0), a, b, c, key[7]) ^ uint64(_TABLE[0, 0])
        # Round 2: each column takes one byte of that fourth column.
        nothing = uint64(0)
        a2 = _column(a1, b1, c1, nothing, key[8]) ^ uint64(_TABLE[3, 0])
        b2 = _column(b1, c1, nothing, a1, key[9]) ^ uint64(_TABLE[2, 0])
        c2 = _column(c1, nothing, a1, b1, key[10]) ^ uint64(_TABLE[1, 0])
        d2 = _column(nothing, a1, b1, c1, key[11]) ^ uint64(_TABLE[0, 0])
        for step in range(run):
            x = uint64(_TABLE[0, (low + uint64(step) ^ d) & _BYTE]) ^ d1
            a = a2 ^ uint64(_TABLE[3, x >> uint64(24)])
            b = b2 ^ uint64(_TABLE[2, x >> uint64(16) & _BYTE])
            c = c2 ^ uint64(_TABLE[1, x >> uint64(8) & _BYTE])
            e = d2 ^ uint64(_TABLE[0, x & _BYTE])
            for number in range(12, 40, 4):
                a, b, c, e = (
                    _column(a, b, c, e, key[number]),
                    _column(b, c, e, a, key[number + 1]),
                    _column(c, e, a, b, key[number + 2]),
                    _column(e, a, b, c, key[number + 3]),
                )
            block = uintp(out + 16 * (done + step))
            store_32(block, uint32(_last_column(a, b, c, e, key[40])))
            store_32(uintp(block + 4), uint32(_last_column(b, c, e, a, key[41])))
            store_32(uintp(block + 8), uint32(_last_column(c, e, a, b, key[42])))
            store_32(uintp(block + 12), uint32(_last_column(e, a, b, c, key[43])))
        done += run


@called
def derive_table(
    schedule: Any,
    counters: Any,
    slot: Any,
    probed: Any,
    _checked: Any,
    words: Any,
    mask: Any,
) -> Any:
    """Derive a group into one slot and probe another; the parameters are `DeriveArguments`."""
    encrypt_table(schedule, load_32(uintp(counters + 12)), slot)
    absent = uint64(1)
    for identifier in range(GROUP):
        low = load_64(uintp(probed + 16 * identifier))
        word = load_64(uintp(words + (low & mask)))
        absent &= word >> (low >> uint64(56) & uint64(63)) | word >> (
            low >> uint64(48) & uint64(63)
        )
    return absent ^ uint64(1)
