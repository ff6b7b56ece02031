"""Durable files, which are whole or absent, whatever happens to the machine."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path

from tracing_core.store.files import file_errors, sync_folder, write_durably

__all__ = ["locked", "make_private_folder", "sync_folder", "unfinished", "write_durably"]

_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{16}")


def make_private_folder(folder: Path) -> None:
    """Create a folder that only its owner may enter, or close an existing one to others.

    Raises
    ------
    StoreError
        When the folder cannot be created.
    """
    with file_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)


def unfinished(name: str) -> str | None:
    """Return the name of the file that a dead writer was replacing, given the name it left."""
    match = _TEMPORARY.fullmatch(name)
    return match and match[1]


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock for which other processes wait; the lock ends with the process.

    Raises
    ------
    StoreError
        When the lock file cannot be created.
    """
    with file_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
