"""Hash table of 16-byte values (keys or identifiers), with open addressing."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types, uint64

from matcher.kernels.cache import compiled
from matcher.kernels.emit.vectors import QWORD, constant, emitted, inlined

__all__ = ["ascending", "ascending_function", "enter", "enter_function", "place"]

_ENTER_SIGNATURE = types.int64(
    types.Array(types.uint64, 2, "C"),
    types.Array(types.uint64, 2, "C", readonly=True),
    types.Array(types.uint64, 1, "C", readonly=True),
    types.boolean,
    types.Array(types.boolean, 1, "C"),
)
_ASCENDING_SIGNATURE = types.boolean(types.Array(types.uint8, 2, "C", readonly=True))


def _emit_folded(builder: Any, one: Any, other: Any) -> Any:
    whole = ir.IntType(128)
    product = builder.mul(builder.zext(one, whole), builder.zext(other, whole))
    upper = builder.lshr(product, constant(whole, 64))
    return builder.trunc(builder.xor(product, upper), QWORD)


_folded = emitted(types.uint64, [types.uint64] * 2, _emit_folded)


@inlined
def place(low: Any, high: Any, secret: Any, count: Any) -> Any:
    """Return the first place to try for a value, in a table of `count` places, at most 2^32.

    Without the secret, a sender could choose identifiers or keys that all fall on one place. Both
    halves of a product count, because in the lower half a bit changes nothing below it. The second
    product scatters values that one product would leave in rows.
    """
    mixed = _folded(_folded(low ^ secret[0], high ^ secret[1]), secret[1])
    return (mixed >> uint64(32)) * uint64(count) >> uint64(32)


def enter(table: Any, values: Any, secret: Any, insert: Any, absent: Any) -> Any:
    """Look values up, and add missing ones.

    Parameters
    ----------
    table
        uint64 (2^k + 1, 2): an empty place is all zeros. The first number of the last row is 1 if
        the value of all zeros is in the set. At least a quarter of the places are free.
    values
        uint64 (n, 2).
    secret
        uint64 (2): see `place`.
    insert
        Whether to add missing values.
    absent
        bool (n), written: whether each value was missing when it was looked up.

    Returns
    -------
    int
        The number of missing values.
    """
    size = table.shape[0] - 1
    last = uint64(size - 1)
    count = np.int64(0)
    for row in range(values.shape[0]):
        low, high = values[row, 0], values[row, 1]
        if low == 0 and high == 0:
            absent[row] = table[size, 0] == 0
            if insert:
                table[size, 0] = 1
        else:
            at = place(low, high, secret, size)
            while (table[at, 0] != low or table[at, 1] != high) and (
                table[at, 0] != 0 or table[at, 1] != 0
            ):
                at = (at + uint64(1)) & last
            absent[row] = table[at, 0] != low or table[at, 1] != high
            if insert:
                table[at, 0] = low
                table[at, 1] = high
        count += absent[row]
    return count


def ascending(values: Any) -> Any:
    """Return whether rows of uint8 (n, 16) ascend as bytes, without duplicates."""
    for row in range(1, values.shape[0]):
        at = 0
        while at < 16 and values[row, at] == values[row - 1, at]:
            at += 1
        if at == 16 or values[row, at] < values[row - 1, at]:
            return False
    return True


@cache
def enter_function() -> Callable[..., int]:
    """Return `enter`, cached or compiled now."""
    return compiled(enter, _ENTER_SIGNATURE)


@cache
def ascending_function() -> Callable[..., bool]:
    """Return `ascending`, cached or compiled now."""
    return compiled(ascending, _ASCENDING_SIGNATURE)
