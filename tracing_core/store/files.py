"""The system's errors about a file, as `StoreError`s that say what to do."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from tracing_core.errors import StoreDamaged, StoreError, StoreFull, StoreReadOnly

__all__ = ["as_file_error", "disk_is_full", "disk_is_read_only", "file_errors"]


@contextlib.contextmanager
def file_errors(path: str | Path) -> Iterator[None]:
    """Turn the system's errors about a file or folder into a `StoreError`.

    Raises
    ------
    StoreFull, StoreReadOnly, StoreError
        In place of `OSError`.
    StoreDamaged
        In place of `UnicodeDecodeError`.
    """
    try:
        yield
    except OSError as error:
        raise as_file_error(error, path) from error
    except UnicodeDecodeError as error:
        text = f"{path} is not text in UTF-8: correct it, or restore it from a backup"
        raise StoreDamaged(text, str(path)) from error


def as_file_error(error: OSError, path: str | Path) -> StoreError:
    """Return the error to raise in place of the system's."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_is_full(path)
    if error.errno == errno.EROFS:
        return disk_is_read_only(path)
    text = f"{path} cannot be used ({error.strerror}): check the path and who owns it"
    return StoreError(text, str(path))


def disk_is_full(path: str | Path) -> StoreFull:
    """Return the error for a disk that is full."""
    text = f"the disk that holds {path} is full: free some space; nothing was lost"
    return StoreFull(text, str(path))


def disk_is_read_only(path: str | Path) -> StoreReadOnly:
    """Return the error for a disk that cannot be written to."""
    text = (
        f"the disk that holds {path} can only be read: check or replace it, or mount it for writing"
    )
    return StoreReadOnly(text, str(path))
