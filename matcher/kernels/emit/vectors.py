"""Vocabulary for emitting LLVM vector instructions from Python.

Functions that take a builder emit instructions at its position. A Python loop around them works as
a macro, so Numba's type inference never sees the unrolled code. An address is a 64-bit integer,
because kernels use buffers of their own layout.
"""

from __future__ import annotations

import inspect
import struct
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import njit
from numba.extending import intrinsic

__all__ = [
    "BYTE",
    "QWORD",
    "WORD",
    "advanced",
    "called",
    "constant",
    "declared",
    "emitted",
    "inlined",
    "load",
    "offset",
    "shuffled",
    "splat",
    "store",
    "vector",
]


def emitted(result: Any, arguments: Sequence[Any], emit: Callable[..., Any]) -> Any:
    """Make an intrinsic of the emitter ``emit(builder, *values)``, with these Numba types.

    Keep it at module level: Numba's cache never finds a function again that has it in a closure.
    """

    def typed(_typing: Any, *_kinds: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            value = emit(builder, *values)
            return context.get_dummy_value() if value is None else value

        return result(*arguments), generate

    # Numba checks the signature, so it must have one named parameter per argument.
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = ["_typing", *(f"value{number}" for number in range(len(arguments)))]
    parameters = [inspect.Parameter(name, kind) for name in names]
    typed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return intrinsic(typed)


def called(function: Callable[..., Any]) -> Any:
    """Compile a function that other compiled functions call."""
    return njit(nogil=True)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function that is inlined into other compiled functions."""
    return njit(inline="always")(function)


BYTE, WORD, QWORD = ir.IntType(8), ir.IntType(32), ir.IntType(64)


def vector(element: Any, count: int) -> Any:
    """Return the type of a vector with so many elements."""
    return ir.VectorType(element, count)


def constant(kind: Any, values: int | Sequence[int]) -> Any:
    """Return a constant; a single value fills every element of a vector."""
    if isinstance(kind, ir.VectorType) and isinstance(values, int):
        values = [values] * kind.count
    return ir.Constant(kind, values)


def declared(builder: Any, name: str, result: Any, arguments: Sequence[Any]) -> Any:
    """Return one of LLVM's intrinsics, declared once per module."""
    known = builder.module.globals.get(name)
    return known or ir.Function(builder.module, ir.FunctionType(result, arguments), name)


def offset(builder: Any, address: Any, count: int) -> Any:
    """Return an address plus so many bytes."""
    return builder.add(address, constant(QWORD, count)) if count else address


def load(builder: Any, address: Any, kind: Any, at: int = 0, align: int = 1) -> Any:
    """Load a value from an address plus `at` bytes."""
    pointer = builder.inttoptr(offset(builder, address, at), kind.as_pointer())
    value = builder.load(pointer)
    value.align = align
    return value


def store(builder: Any, value: Any, address: Any, at: int = 0, align: int = 1) -> None:
    """Store a value at an address plus `at` bytes."""
    pointer = builder.inttoptr(offset(builder, address, at), value.type.as_pointer())
    builder.store(value, pointer).align = align


def shuffled(builder: Any, low: Any, high: Any, order: Sequence[int]) -> Any:
    """Select elements of two vectors; the numbers of `high` follow those of `low`."""
    return builder.shuffle_vector(low, high, constant(vector(WORD, len(order)), list(order)))


def splat(builder: Any, value: Any, count: int) -> Any:
    """Return a vector with the value in every element."""
    kind = vector(value.type, count)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, constant(WORD, 0))
    return shuffled(builder, first, first, [0] * count)


def advanced(first: bytes, count: int) -> list[int]:
    """Return the little-endian words of some bytes, repeated."""
    return list(struct.unpack(f"<{len(first) // 4}I", first)) * count
