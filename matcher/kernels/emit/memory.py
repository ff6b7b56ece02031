"""Memory access at raw addresses, for the loops."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from matcher.kernels.emit import vectors as v
from matcher.kernels.layout import GROUP

__all__ = ["copy_16", "load_32", "load_64", "prefetch_group", "store_32", "store_64"]


_ADDRESS = types.uintp


def _emit_load_64(builder: Any, address: Any) -> Any:
    return v.load(builder, address, v.QWORD)


def _emit_load_32(builder: Any, address: Any) -> Any:
    return v.load(builder, address, v.WORD)


def _emit_store(builder: Any, address: Any, value: Any) -> None:
    v.store(builder, value, address)


def _emit_copy_16(builder: Any, source: Any, target: Any) -> None:
    v.store(builder, v.load(builder, source, v.vector(v.QWORD, 2)), target)


def _emit_prefetch(builder: Any, slot: Any, words: Any, mask: Any) -> None:
    numbers = [v.WORD, v.WORD, v.WORD]
    fetch = v.declared(builder, "llvm.prefetch.p0", ir.VoidType(), [v.BYTE.as_pointer(), *numbers])
    for identifier in range(GROUP):
        place = builder.and_(v.load(builder, slot, v.QWORD, 16 * identifier), mask)
        pointer = builder.inttoptr(builder.add(words, place), v.BYTE.as_pointer())
        # Read access, highest locality, data cache.
        builder.call(fetch, [pointer, *(v.constant(v.WORD, number) for number in (0, 3, 1))])


load_64 = v.emitted(types.uint64, [_ADDRESS], _emit_load_64)
"""Read 64 bits, aligned or not."""
load_32 = v.emitted(types.uint32, [_ADDRESS], _emit_load_32)
"""Read 32 bits, aligned or not."""
store_32 = v.emitted(types.void, [_ADDRESS, types.uint32], _emit_store)
"""Write 32 bits, aligned or not."""
store_64 = v.emitted(types.void, [_ADDRESS, types.uint64], _emit_store)
"""Write 64 bits, aligned or not."""
copy_16 = v.emitted(types.void, [_ADDRESS, _ADDRESS], _emit_copy_16)
"""Copy the 16 bytes of a key, and touch no other byte."""
prefetch_group = v.emitted(types.void, [_ADDRESS, _ADDRESS, types.uint64], _emit_prefetch)
"""Prefetch the filter words of a slot's 24 identifiers into the first cache."""
