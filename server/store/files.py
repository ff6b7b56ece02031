"""Durable files, which are whole or absent, whatever happens to the machine."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

from tracing_core.store.files import file_errors

__all__ = ["locked", "make_private_folder", "sync_folder", "unfinished", "write_durably"]

_TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{16}")


def sync_folder(folder: Path) -> None:
    """Write a folder's names to the disk, so that a rename survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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


def write_durably(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace a file in one step; after a crash it holds the old bytes or the new.

    Raises
    ------
    StoreFull, StoreError
        When the disk is full or the folder cannot be written to; the old file stays.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with file_errors(path):
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


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
