"""Kernels made to notice a byte too far: as plain Python, and compiled."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from tests.matcher.kernels.guarded import between_guards

Kernel = Callable[..., Any]


class Checked:
    """An array that takes no index from its end and no value that its type cannot hold.

    Compiled code would read what lies beside the array, or cut the value off, and say nothing.
    """

    def __init__(self, array: np.ndarray) -> None:
        self._array = array
        self.shape = array.shape
        facts = np.iinfo(array.dtype)
        self._least, self._most = int(facts.min), int(facts.max)

    def __getitem__(self, at: Any) -> Any:
        if not 0 <= at < self.shape[0]:
            raise IndexError(f"{at} of {self.shape[0]}")
        found = self._array[at]
        return Checked(found) if found.ndim else found

    def __setitem__(self, at: Any, value: Any) -> None:
        for index, size in zip(at if isinstance(at, tuple) else (at,), self.shape, strict=True):
            if not 0 <= index < size:
                raise IndexError(f"{index} of {size}")
        if not self._least <= value <= self._most:
            raise OverflowError(f"{value} is no {self._array.dtype}")
        self._array[at] = value


def as_it_is(function: Any) -> Any:
    """Return a function as it is."""
    return function


def python_body(kernel: Any, instrument: Callable[[Any], Any] = as_it_is) -> Any:
    """Return a kernel and all it calls as the Python they are written in."""
    called = {
        name: python_body(value.py_func, instrument)
        for name, value in kernel.__globals__.items()
        if name in kernel.__code__.co_names and hasattr(value, "py_func")
    }
    return instrument(
        FunctionType(kernel.__code__, {**kernel.__globals__, **called}, kernel.__name__)
    )


def checked(body: Kernel) -> Kernel:
    """Have a Python body run on checked arrays, in numbers that may not overflow."""

    def run(*arguments: Any) -> Any:
        with np.errstate(all="raise"):
            return body(*(Checked(a) if isinstance(a, np.ndarray) else a for a in arguments))

    return run


def guarded(kernel: Kernel) -> Kernel:
    """Have a compiled kernel run on arrays that begin, then end, at an unreadable page."""

    def run(*arguments: Any) -> Any:
        results = set()
        for at_end in (False, True):
            placed = [
                between_guards(a, at_end=at_end) if isinstance(a, np.ndarray) else a
                for a in arguments
            ]
            results.add(kernel(*placed))
            for array, copy in zip(arguments, placed, strict=True):
                if isinstance(array, np.ndarray) and array.flags.writeable:
                    array[...] = copy
        (result,) = results
        return result

    return run
