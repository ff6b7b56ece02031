"""Loads, stores and prefetches at raw addresses, for the kernels' loops."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from matcher.kernels.vectors import BYTE, QWORD, WORD, constant, declared, load, store, vector

__all__ = ["copy_16", "load_32", "load_64", "prefetch_group", "store_32"]


@intrinsic  # type: ignore[untyped-decorator]
def load_64(_typing: Any, address: Any) -> Any:
    """Read 64 bits, aligned or not."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return load(builder, arguments[0], QWORD)

    return types.uint64(types.uintp), generate


@intrinsic  # type: ignore[untyped-decorator]
def load_32(_typing: Any, address: Any) -> Any:
    """Read 32 bits, aligned or not."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return load(builder, arguments[0], WORD)

    return types.uint32(types.uintp), generate


@intrinsic  # type: ignore[untyped-decorator]
def store_32(_typing: Any, address: Any, value: Any) -> Any:
    """Write 32 bits, aligned or not."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        store(builder, arguments[1], arguments[0])
        return context.get_dummy_value()

    return types.void(types.uintp, types.uint32), generate


@intrinsic  # type: ignore[untyped-decorator]
def copy_16(_typing: Any, source: Any, target: Any) -> Any:
    """Copy the 16 bytes of a key; no byte beside them is touched."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        store(builder, load(builder, arguments[0], vector(QWORD, 2)), arguments[1])
        return context.get_dummy_value()

    return types.void(types.uintp, types.uintp), generate


@intrinsic  # type: ignore[untyped-decorator]
def prefetch_group(_typing: Any, slot: Any, words: Any, mask: Any) -> Any:
    """Fetch the filter's words for the 24 identifiers of a slot into the first cache."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        slot, words, mask = arguments
        numbers = [WORD, WORD, WORD]
        fetch = declared(
            builder, "llvm.prefetch.p0", ir.VoidType(), [BYTE.as_pointer(), *numbers]
        )
        for identifier in range(24):
            place = builder.and_(load(builder, slot, QWORD, 16 * identifier), mask)
            pointer = builder.inttoptr(builder.add(words, place), BYTE.as_pointer())
            # To be read, kept in every cache, as data.
            builder.call(fetch, [pointer, *(constant(WORD, number) for number in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(types.uintp, types.uintp, types.uint64), generate
