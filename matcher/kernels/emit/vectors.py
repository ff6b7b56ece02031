"""A few words for writing LLVM's vectors from Python.

The functions that take a builder emit instructions where it stands; a Python loop around them is
a macro, so Numba's type inference never sees what they unroll. `addresses` are integers of 64
bits, since a kernel walks buffers of its own layout.
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
    """Make an intrinsic, of its Numba types, of what emits it: ``emit(builder, *values)``.

    Keep it under a module-level name: Numba's cache never finds again what a closure holds.
    """

    def typed(_typing: Any, *_kinds: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
            value = emit(builder, *values)
            return context.get_dummy_value() if value is None else value

        return result(*arguments), generate

    # Numba counts the parameters by their names, so there must be as many as arguments.
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    names = ["_typing", *(f"value{number}" for number in range(len(arguments)))]
    parameters = [inspect.Parameter(name, kind) for name in names]
    typed.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return intrinsic(typed)


def called(function: Callable[..., Any]) -> Any:
    """Make a function that compiled functions can call."""
    return njit(nogil=True)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Make a function that compiled functions contain."""
    return njit(inline="always")(function)


BYTE, WORD, QWORD = ir.IntType(8), ir.IntType(32), ir.IntType(64)


def vector(element: Any, count: int) -> Any:
    """Return the type of so many elements in a row."""
    return ir.VectorType(element, count)


def constant(kind: Any, values: int | Sequence[int]) -> Any:
    """Return a constant; one value for a vector is for each of its elements."""
    if isinstance(kind, ir.VectorType) and isinstance(values, int):
        values = [values] * kind.count
    return ir.Constant(kind, values)


def declared(builder: Any, name: str, result: Any, arguments: Sequence[Any]) -> Any:
    """Return one of LLVM's intrinsics, declared once a module."""
    known = builder.module.globals.get(name)
    return known or ir.Function(builder.module, ir.FunctionType(result, arguments), name)


def offset(builder: Any, address: Any, count: int) -> Any:
    """Return the address so many bytes further."""
    return builder.add(address, constant(QWORD, count)) if count else address


def load(builder: Any, address: Any, kind: Any, at: int = 0, align: int = 1) -> Any:
    """Read a value so many bytes behind an address."""
    pointer = builder.inttoptr(offset(builder, address, at), kind.as_pointer())
    value = builder.load(pointer)
    value.align = align
    return value


def store(builder: Any, value: Any, address: Any, at: int = 0, align: int = 1) -> None:
    """Write a value so many bytes behind an address."""
    pointer = builder.inttoptr(offset(builder, address, at), value.type.as_pointer())
    builder.store(value, pointer).align = align


def shuffled(builder: Any, low: Any, high: Any, order: Sequence[int]) -> Any:
    """Pick elements of two vectors; those of `high` count on from the last of `low`."""
    return builder.shuffle_vector(low, high, constant(vector(WORD, len(order)), list(order)))


def splat(builder: Any, value: Any, count: int) -> Any:
    """Return a vector whose every element is the value."""
    kind = vector(value.type, count)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, constant(WORD, 0))
    return shuffled(builder, first, first, [0] * count)


def advanced(first: bytes, count: int) -> list[int]:
    """Return the little-endian words of some bytes, so many times in a row."""
    return list(struct.unpack(f"<{len(first) // 4}I", first)) * count
