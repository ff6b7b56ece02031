"""The calling convention that every AES emitter follows.

A kernel has three operations: `expand` makes the round keys of a register's keys, `encrypt` derives
a group of 24 identifiers, and `derive` derives one group and probes another in the filter.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import types

__all__ = ["DERIVE_TYPES", "ENCRYPT_TYPES", "EXPAND_TYPES", "DeriveArguments"]

_ADDRESS = types.uintp


class DeriveArguments(NamedTuple):
    """The arguments of `derive`: addresses, except `mask`."""

    schedule: Any
    """Round keys, as `expand` writes them."""
    counters: Any
    """The counters of the group: 24 blocks of 16 bytes."""
    slot: Any
    """Where the group is written."""
    probed: Any
    """The slot of an earlier group, which is probed."""
    checked: Any
    """The slot that the previous call probed; only the 512-bit kernel reads it."""
    words: Any
    """The filter."""
    mask: Any
    """The bits of an identifier that select its word, in bytes (64 bits)."""


EXPAND_TYPES = types.void, (_ADDRESS, _ADDRESS)
"""Numba types of `expand`: keys of 16 bytes, and where their round keys go."""
ENCRYPT_TYPES = types.void, (_ADDRESS, types.uint32, _ADDRESS)
"""Numba types of `encrypt`: round keys, first interval, and where the identifiers go."""
DERIVE_TYPES = types.uint64, (*[_ADDRESS] * (len(DeriveArguments._fields) - 1), types.uint64)
"""Numba types of `derive`, whose arguments are `DeriveArguments`; it returns nonzero for a find."""
