"""Places where a search looks if none is named: downloads, and media that are mounted."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["MEDIA", "usual_folders"]

MEDIA = (Path("/media"), Path("/run/media"))
"""Where systems mount sticks, cards and phones, in a folder per user or directly."""

_DOWNLOADS = re.compile(r'^XDG_DOWNLOAD_DIR="(?:\$HOME/)?(.+?)/?"$', re.MULTILINE)
_MOST_BYTES = 64 << 10
_USUAL_NAME = "Downloads"


def usual_folders(person: Path, user: str, media: Sequence[Path] = MEDIA) -> list[Path]:
    """Return the folders that are there.

    Parameters
    ----------
    person
        The home folder of the user, not of the agent.
    user
        The user's name.
    media
        The folders below which media are mounted.
    """
    folders = [_downloads(person), *(place for base in media for place in _mounted(base, user))]
    # The same medium may be reached by two names.
    return list({os.path.realpath(each): each for each in folders if _is_folder(each)}.values())


def _downloads(person: Path) -> Path:
    """Return the folder that a desktop names in the user's language, such as ``Tải xuống``."""
    with contextlib.suppress(OSError):
        settings = person / ".config" / "user-dirs.dirs"
        if settings.is_file():
            with settings.open(encoding="utf-8", errors="replace") as file:
                named = _DOWNLOADS.search(file.read(_MOST_BYTES))
            # A desktop without such a folder names the home folder itself.
            if named is not None and (folder := person / named[1]) != person / "$HOME":
                return folder
    return person / _USUAL_NAME


def _mounted(base: Path, user: str) -> Iterator[Path]:
    with contextlib.suppress(OSError):
        for path in sorted(base.iterdir()):
            if path.is_symlink():
                continue
            if path.name == user:
                with contextlib.suppress(OSError):
                    yield from sorted(each for each in path.iterdir() if not each.is_symlink())
            elif os.path.ismount(path):
                yield path


def _is_folder(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.is_dir()
    return False
