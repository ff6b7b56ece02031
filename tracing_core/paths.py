"""Existence of paths, with the same errors on every Python.

Until Python 3.13, `Path.exists` and `Path.is_dir` raised an error where a path could not be looked
at, as in a folder of somebody else. Since 3.14 they return False, and a home that cannot be read
would be taken for one that is not there.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

__all__ = ["is_folder", "is_there"]

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.EBADF, errno.ELOOP)


def is_there(path: Path) -> bool:
    """Return whether a path exists.

    Raises
    ------
    OSError
        When that cannot be known.
    """
    return _status(path) is not None


def is_folder(path: Path) -> bool:
    """Return whether a path is a folder.

    Raises
    ------
    OSError
        When that cannot be known.
    """
    status = _status(path)
    return status is not None and stat.S_ISDIR(status.st_mode)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError as error:
        if error.errno not in _ABSENT:
            raise
    except ValueError:
        # No file has a name with a null byte.
        pass
    return None
