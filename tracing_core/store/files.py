"""Private and durable files, with the system's errors as `StoreError`s that say what to do."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tracing_core.errors import FileIsThere, StoreDamaged, StoreError, StoreFull, StoreReadOnly

__all__ = [
    "as_file_error",
    "destroy",
    "disk_is_full",
    "disk_is_read_only",
    "file_errors",
    "move_to_new",
    "overwrite",
    "refuse_existing",
    "sync_folder",
    "whole_file",
    "write_durably",
]

_CHUNK = bytes(1 << 20)


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


def refuse_existing(path: Path) -> None:
    """Check that a file that is to be written would replace nothing.

    Devices and pipes, such as ``/dev/stdout``, may be written to.

    Raises
    ------
    FileIsThere
        When there is a file, a folder or a link of that name.
    StoreError
        When that cannot be known.
    """
    with file_errors(path):
        try:
            kind = path.lstat().st_mode
        except FileNotFoundError:
            return
    if stat.S_ISREG(kind) or stat.S_ISDIR(kind) or stat.S_ISLNK(kind):
        raise FileIsThere(path)


def move_to_new(partial: Path, path: Path) -> None:
    """Give a finished file its name, unless another file took the name meanwhile.

    Raises
    ------
    FileIsThere
        When there is such a file.
    OSError
        When the folder cannot be written to.
    """
    try:
        os.link(partial, path)
    except FileExistsError as error:
        raise FileIsThere(path) from error
    except OSError:
        # Not every file system has hard links; between these two lines is an unguarded moment.
        refuse_existing(path)
        partial.replace(path)
        return
    partial.unlink()


@contextlib.contextmanager
def whole_file(path: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """Open a private file for writing, which gets its name at the end: it appears whole or never.

    Parameters
    ----------
    path
        The file.
    overwrite
        Whether to replace a file of that name.

    Raises
    ------
    FileIsThere
        When there is such a file and `overwrite` is False.
    StoreError
        When the file cannot be written.
    """
    if not overwrite:
        refuse_existing(path)
    # A file that another program or user has there is neither written into nor deleted.
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    with file_errors(path):
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if overwrite:
                partial.replace(path)
            else:
                move_to_new(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


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


def sync_folder(folder: Path) -> None:
    """Write a folder's names to the disk, so that a rename survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(
    path: Path, data: bytes, *, mode: int = 0o600, owner: tuple[int, int] | None = None
) -> None:
    """Replace a file in one step; after a crash it holds the old bytes or the new.

    Parameters
    ----------
    path
        The file.
    data
        What it is to hold.
    mode
        Its mode, from which the process's mask is taken away unless an owner is named.
    owner
        Numbers of the user and group to whom it is to belong; None for those of this process.

    Raises
    ------
    StoreFull, StoreError
        When the disk is full or the folder cannot be written to; the old file stays.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with file_errors(path):
        try:
            descriptor = os.open(
                temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode
            )
            with open(descriptor, "wb") as file:
                if owner is not None:
                    os.fchown(descriptor, *owner)
                    os.fchmod(descriptor, mode)
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            temporary.rename(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def overwrite(path: Path) -> None:
    """Fill a file with zeros, up to its present size but for its holes, before it is removed.

    Flash memory may keep old blocks nevertheless, also when a database deletes.

    Raises
    ------
    OSError
        When the file cannot be written to.
    """
    with path.open("r+b", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        end = 0
        while end < size:
            try:
                # A hostile file may claim terabytes and hold next to nothing.
                at = os.lseek(file.fileno(), end, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                break
            end = os.lseek(file.fileno(), at, os.SEEK_HOLE)
            file.seek(at)
            while at < end:
                at += file.write(_CHUNK[: end - at])
        os.fsync(file.fileno())


def destroy(path: Path) -> None:
    """Overwrite and remove a file; a link, or a file that is not there, is only removed.

    Raises
    ------
    OSError
        When it cannot be written to or removed.
    """
    if path.is_file() and not path.is_symlink():
        overwrite(path)
    path.unlink(missing_ok=True)
