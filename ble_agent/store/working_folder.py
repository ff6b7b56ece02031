"""Working folder of one command, inside the home, for copies that must not outlive the command.

The command keeps the folder locked. A folder without a lock was left by a command that was killed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tracing_core.errors import StoreBusy
from tracing_core.store.files import destroy, file_errors

__all__ = ["WORKING_FOLDERS", "remove_left_folders", "working_folder"]

_PREFIX = ".working-"

WORKING_FOLDERS = f"{_PREFIX}*"
"""Pattern of the names in a home."""


@contextlib.contextmanager
def working_folder(home: Path) -> Iterator[Path]:
    """Make a folder that only its owner may enter; remove it, and all in it, at the end.

    Raises
    ------
    StoreError
        When it cannot be created.
    """
    with file_errors(home), contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=home))
        stack.callback(_remove, folder)
        stack.callback(os.close, _locked(folder))
        yield folder


def remove_left_folders(home: Path) -> None:
    """Remove the working folders of commands that were killed.

    Raises
    ------
    StoreError
        When one cannot be removed.
    """
    with file_errors(home):
        for folder in sorted(home.glob(WORKING_FOLDERS)):
            with contextlib.suppress(StoreBusy, FileNotFoundError):
                lock = _locked(folder)
                try:
                    _remove(folder)
                finally:
                    os.close(lock)


def _locked(folder: Path) -> int:
    """Lock a folder until the descriptor returned is closed."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise StoreBusy(f"{folder} is in use by another process: try again", str(folder)) from error
    return descriptor


def _remove(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_dir():
            destroy(path)
    shutil.rmtree(folder)
