"""Ownership of the home folder: no other user may write to it, or own one of its files."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from ble_agent.messages.catalogue import say
from tracing_core.errors import StoreError
from tracing_core.store.files import file_errors

__all__ = ["keep_private"]

_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_OURS = ("agent.", "download.")
_ROOT = 0


def keep_private(home: Path, user: int | None = None) -> None:
    """Take from others the right to write to the home folder, and check that its files are ours.

    Others could replace the key, or start a program by the settings.

    Parameters
    ----------
    home
        The folder.
    user
        The user's number; None for the user of this process. Root may use any user's folder.

    Raises
    ------
    StoreError
        When others may write to the folder, or one of its files belongs to another user.
    """
    user = os.geteuid() if user is None else user
    with file_errors(home):
        if not _is_closed(home, user):
            raise _refused("error_home_open", home)
        trusted = {user, _ROOT, home.stat().st_uid}
        with os.scandir(home) as entries:
            for entry in entries:
                if entry.name.startswith(_OURS):
                    # A command that ends at this moment may remove its files.
                    with contextlib.suppress(FileNotFoundError):
                        if entry.stat(follow_symlinks=False).st_uid not in trusted:
                            raise _refused("error_home_foreign", home / entry.name)


def _is_closed(home: Path, user: int) -> bool:
    """Return whether only its owner may write to a folder, after closing it where that is ours."""
    status = home.stat()
    if status.st_mode & _WRITABLE_BY_OTHERS and status.st_uid == user:
        # A shared folder such as /tmp is left as it is.
        if status.st_mode & stat.S_ISVTX:
            return False
        with contextlib.suppress(PermissionError):
            home.chmod(stat.S_IMODE(status.st_mode) & ~_WRITABLE_BY_OTHERS)
        # A card's file system may have no such rights, and ignore the change.
        status = home.stat()
    if status.st_mode & _WRITABLE_BY_OTHERS:
        return False
    return user == _ROOT or status.st_uid in (user, _ROOT)


def _refused(name: str, path: Path) -> StoreError:
    error = StoreError(f"{path}: {say(name, 'en')}", str(path))
    error.vi = f"{path}: {say(name, 'vi')}"
    return error
