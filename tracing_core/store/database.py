"""Connection to a SQLite database, as sqlite-utils wraps it."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from importlib.machinery import ModuleSpec

__all__ = ["Database"]

_ARRAY_LIBRARIES = frozenset({"numpy", "pandas"})


class _NoArrays:
    """Import finder that hides the array libraries from one thread."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """Raise for an array library that this thread asks for; else leave it to other finders."""
        if name in _ARRAY_LIBRARIES and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"{name} is not needed here", name=name)
        return None


# sqlite-utils imports numpy and pandas wherever they are installed, to store their values. We store
# none, and the import would cost every command a fifth of a second and the agent 18 MB.
# Putting None in sys.modules would hide them from every thread, and break one that imports numpy
# at that moment. A finder sees which thread asks, so it hides them from this one alone.
@contextlib.contextmanager
def _without_arrays() -> Iterator[None]:
    finder = _NoArrays()
    # A new list each time: another thread that is looking through the old one might skip a
    # finder if the positions changed.
    sys.meta_path = [finder, *sys.meta_path]
    try:
        yield
    finally:
        sys.meta_path = [each for each in sys.meta_path if each is not finder]


with _without_arrays():
    from sqlite_utils import Database
