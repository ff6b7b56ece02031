"""The rival in C (tuned.c): built on first use, if a compiler and libcrypto are there."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

__all__ = ["TunedC", "Unbuildable"]

_SOURCE = Path(__file__).with_name("tuned.c")
_POINTER, _INTEGER = ctypes.c_void_p, ctypes.c_int64


class Unbuildable(Exception):
    """There is no compiler, or no libcrypto to build against."""


def _library() -> ctypes.CDLL:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise Unbuildable("no C compiler: apt install gcc libssl-dev")
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "tuned.so"
        command = [compiler, "-O3", "-march=native", "-shared", "-fPIC", "-o", str(built)]
        done = subprocess.run(
            [*command, str(_SOURCE), "-lcrypto"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Unbuildable("libcrypto's headers are missing: apt install libssl-dev")
        # Loaded libraries outlive their files.
        library = ctypes.CDLL(str(built))
    library.tuned_build.restype = _POINTER
    library.tuned_build.argtypes = [_POINTER, _POINTER, _INTEGER]
    library.tuned_free.restype = None
    library.tuned_free.argtypes = [_POINTER]
    library.tuned_match.restype = _INTEGER
    library.tuned_match.argtypes = [*[_POINTER] * 4, _INTEGER, _POINTER, _INTEGER]
    return library


def _address(array: Any) -> int:
    return int(array.ctypes.data)


class TunedC:
    """An index of a log in C; a context manager that frees it.

    Parameters
    ----------
    rpi
        uint8[n, 16], contiguous.
    interval
        uint32[n]: the interval in which each identifier was heard.
    """

    def __init__(self, rpi: Any, interval: Any) -> None:
        self._library = _library()
        self._kept = (np.ascontiguousarray(rpi), np.ascontiguousarray(interval, np.uint32))
        self._index = self._library.tuned_build(*map(_address, self._kept), len(interval))
        if not self._index:
            raise MemoryError

    def match(self, key_data: Any, start: Any, period: Any) -> Any:
        """Return int64[m, 2]: row of the key and row of the log of each match."""
        room = 1024
        while True:
            hits = np.empty((room, 2), np.int64)
            found = self._library.tuned_match(
                self._index,
                *map(_address, (key_data, start, period)),
                len(start),
                _address(hits),
                room,
            )
            if found < 0:
                raise RuntimeError("libcrypto failed")
            if found <= room:
                return hits[:found]
            room = found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._library.tuned_free(self._index)
        self._index = None
