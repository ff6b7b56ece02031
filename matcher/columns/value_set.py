"""Set of keys or identifiers, without a Python object per value."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matcher.kernels.loops.values import ascending_function, enter_function

__all__ = ["KnownKeys", "ValueSet"]

_LEAST_PLACES = 16
_MOST_EXPECTED = 1 << 24  # files may be expected to hold far more than they do


class ValueSet:
    """A set of 16-byte values; 21 to 43 bytes of memory each, half as much again while it grows.

    Parameters
    ----------
    expected
        About how many values there will be; a set that does not grow takes half the time.
    """

    def __init__(self, expected: int = 0) -> None:
        self.count = 0
        """Number of values in the set."""
        self._enter = enter_function()
        self._table = np.zeros((_LEAST_PLACES + 1, 2), np.uint64)
        self._secret = np.frombuffer(secrets.token_bytes(16), np.uint64)
        self._make_room(min(expected, _MOST_EXPECTED))

    def add(self, values: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Add values, shape (n, 16); return for each whether it was missing."""
        self._make_room(self.count + len(values))
        absent = np.empty(len(values), np.bool_)
        self.count += self._enter(self._table, _words(values), self._secret, True, absent)
        return absent

    def contains(self, values: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return whether each value, shape (n, 16), is in the set."""
        absent = np.empty(len(values), np.bool_)
        self._enter(self._table, _words(values), self._secret, False, absent)
        return ~absent

    def occupied(self) -> NDArray[np.bool_]:
        """Return for each place of the table whether it holds a value."""
        return np.asarray(self._table.any(axis=1))

    def _make_room(self, count: int) -> None:
        places = len(self._table) - 1
        if 4 * count <= 3 * places:
            return
        while 4 * count > 3 * places:
            places *= 2
        old, self._table = self._table, np.zeros((places + 1, 2), np.uint64)
        # An empty place looks like the value of zeros, which only the last row records.
        absent = np.empty(len(old) - 1, np.bool_)
        self._enter(self._table, old[:-1], self._secret, True, absent)
        self._table[-1] = old[-1]


class KnownKeys:
    """The key data of all files so far.

    Keys normally ascend within a file, so a first file that does has no duplicates. Its keys
    enter the hash table only if another file follows.

    Parameters
    ----------
    expected
        About how many keys there will be.
    """

    def __init__(self, expected: int = 0) -> None:
        self._expected = expected
        self._values: ValueSet | None = None
        self._first: NDArray[np.uint8] | None = None

    @property
    def count(self) -> int:
        """Number of different keys."""
        if self._values is not None:
            return self._values.count
        return 0 if self._first is None else len(self._first)

    def add(self, key_data: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Add a file's keys; return for each whether it is the first with this key data."""
        if self._values is None and self._first is None and ascending_function()(key_data):
            self._first = key_data
            return np.ones(len(key_data), np.bool_)
        if self._values is None:
            self._values = ValueSet(self._expected)
            if self._first is not None:
                self._values.add(self._first)
                self._first = None
        return self._values.add(key_data)


def _words(values: NDArray[np.uint8]) -> Any:
    return values.view(np.uint64)
