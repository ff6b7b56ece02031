"""Search of folders for files that may hold data of an earlier app, by their content.

A folder may hold anything: links and pipes that somebody laid there, a card with a million files,
files that change while they are looked at. So no symbolic link is followed below the folder that
was named, nothing but regular files is opened, every folder is opened by its descriptor, and the
number of files, the levels and the time are bounded. What was not looked at is counted.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ble_agent.owner.take_over.kinds import Kind, has_manifest, kind_of
from ble_agent.owner.take_over.left import Left, Reason
from tracing_core.clock import Clock
from tracing_core.store.files import file_errors

__all__ = [
    "LEVELS",
    "MOST_FILES",
    "SECONDS",
    "Found",
    "Search",
    "error_reason",
    "opened_file",
    "opened_folder",
]

MOST_FILES = 2_000
"""The most files that one search looks at."""

LEVELS = 2
"""Levels of folders below the one that was named."""

SECONDS = 5.0
"""The longest time of one search."""

_BEGINNING_BYTES = 4096
# Names are kept while a folder is read. Further ones are counted only.
_MOST_NAMES = 20_000
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

_Identity = tuple[int, int]
"""Device and inode."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file or LevelDB folder that may hold data of an earlier app."""

    root: Path
    """The folder that was searched."""
    parts: tuple[str, ...]
    """Names of the folders from there to it, and its own."""
    kind: Kind
    identity: _Identity
    """Device and inode of what was looked at."""

    @property
    def path(self) -> Path:
        """The whole path, for people."""
        return self.root.joinpath(*self.parts)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file, or a LevelDB folder, that waits for a look."""

    modified_at: float
    root: Path
    parts: tuple[str, ...]
    folder: _Identity | None
    """Device and inode of a LevelDB folder; None for a file."""


class Search:
    """One search, of one or more folders.

    Parameters
    ----------
    clock
        The clock that bounds the time.
    home
        The agent's folder, in which nothing is looked for.
    """

    def __init__(self, clock: Clock, home: Path) -> None:
        self.found: list[Found] = []
        """What may hold data, the newest first."""
        self.left = Left()
        """What was not looked at."""
        self.looked_at = 0
        """Number of files looked at."""
        self.others = 0
        """Number of these that hold nothing of an earlier app."""
        self._clock = clock
        began = clock.monotonic()
        self._listing_ends_at, self._ends_at = began + SECONDS / 2, began + SECONDS
        self._home = home
        self._own = set(_identities_in(home))
        self._seen: set[_Identity] = set()
        self._entries: list[_Entry] = []
        self._names = 0

    def add_folder(self, root: Path) -> None:
        """List a folder, level by level.

        Raises
        ------
        StoreError
            When it is not a folder, or may not be read.
        """
        with file_errors(root):
            real = root.resolve(strict=True)
            os.close(os.open(real, _FOLDER_FLAGS))
            if real.is_relative_to(self._home.resolve()):
                self.left.note(Reason.OWN)
                return
        waiting: deque[tuple[str, ...]] = deque([()])
        while waiting:
            if self._clock.monotonic() >= self._listing_ends_at:
                self._leave_rest(len(waiting))
                return
            parts = waiting.popleft()
            try:
                with opened_folder(real, parts) as folder:
                    waiting.extend((*parts, name) for name in self._list(real, parts, folder))
            except OSError as error:
                self.left.note(error_reason(error))

    def look(self) -> None:
        """Look at the beginning of each file that was listed, the newest first."""
        self._entries.sort(key=lambda entry: (-entry.modified_at, entry.parts))
        for position, entry in enumerate(self._entries):
            if self.looked_at >= MOST_FILES:
                self.left.note(Reason.MANY, len(self._entries) - position)
                return
            if self._clock.monotonic() >= self._ends_at:
                self.left.note(Reason.LATE, len(self._entries) - position)
                return
            if entry.folder is None:
                self._look_at(entry)
            else:
                self.looked_at += 1
                self.found.append(Found(entry.root, entry.parts, Kind.FOLDER, entry.folder))

    def _list(self, root: Path, parts: tuple[str, ...], folder: int) -> list[str]:
        """Note the files of an open folder; return the names of the folders to look into."""
        here = _identity(os.fstat(folder))
        if here in self._seen:
            return []
        self._seen.add(here)
        files: list[_Entry] = []
        folders: list[str] = []
        with os.scandir(folder) as listing:
            for each in listing:
                if self._clock.monotonic() >= self._listing_ends_at:
                    self._leave_rest(1)
                    break
                if self._names >= _MOST_NAMES:
                    self.left.note(Reason.MANY)
                    continue
                self._names += 1
                try:
                    status = each.stat(follow_symlinks=False)
                except OSError as error:
                    self.left.note(error_reason(error))
                    continue
                if _identity(status) in self._own:
                    self.left.note(Reason.OWN)
                elif stat.S_ISREG(status.st_mode):
                    files.append(_Entry(status.st_mtime, root, (*parts, each.name), None))
                elif stat.S_ISDIR(status.st_mode):
                    folders.append(each.name)
                else:
                    self.left.note(_reason_of_mode(status.st_mode))
        manifest = next((entry for entry in files if entry.parts[-1] == "CURRENT"), None)
        if manifest is not None and _names_manifest(folder):
            self._entries.append(_Entry(manifest.modified_at, root, parts, here))
            return []
        self._entries += files
        if len(parts) < LEVELS:
            return sorted(folders)
        self.left.note(Reason.DEEP, len(folders))
        return []

    def _look_at(self, entry: _Entry) -> None:
        try:
            with (
                opened_folder(entry.root, entry.parts[:-1]) as folder,
                opened_file(folder, entry.parts[-1]) as file,
            ):
                identity = _identity(os.fstat(file))
                beginning = os.read(file, _BEGINNING_BYTES)
        except OSError as error:
            self.left.note(error_reason(error))
            return
        self.looked_at += 1
        kind = kind_of(beginning)
        if kind is None:
            self.others += 1
        else:
            self.found.append(Found(entry.root, entry.parts, kind, identity))

    def _leave_rest(self, count: int) -> None:
        """Count folders that were not listed to their end, in which more may be."""
        self.left.note(Reason.LATE, count)
        self.left.is_whole = False


def _names_manifest(folder: int) -> bool:
    with contextlib.suppress(OSError), opened_file(folder, "CURRENT") as file:
        return has_manifest(os.read(file, _BEGINNING_BYTES))
    return False


def _identity(status: os.stat_result) -> _Identity:
    return status.st_dev, status.st_ino


def _identities_in(home: Path) -> Iterator[_Identity]:
    """Yield what a home folder is, and its files: a hard link may stand for one anywhere."""
    with contextlib.suppress(OSError):
        yield _identity(home.stat())
        for path in home.iterdir():
            yield _identity(path.lstat())


def _reason_of_mode(mode: int) -> Reason:
    return Reason.LINK if stat.S_ISLNK(mode) else Reason.SPECIAL


def error_reason(error: OSError) -> Reason:
    """Return the reason that a system's error stands for."""
    if error.errno in (errno.ENOENT, errno.ESTALE):
        return Reason.GONE
    # Opening without following gives one of these for a link, by what was asked for.
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return Reason.LINK
    return Reason.SPECIAL if error.errno in (errno.ENXIO, errno.EINVAL) else Reason.DENIED


@contextlib.contextmanager
def opened_folder(root: Path, parts: tuple[str, ...]) -> Iterator[int]:
    """Open a folder below another, and follow no link on the way.

    Raises
    ------
    OSError
        When one of the folders is gone, a link, or may not be read.
    """
    folder = os.open(root, _FOLDER_FLAGS)
    try:
        for part in parts:
            below = os.open(part, _FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = below
        yield folder
    finally:
        os.close(folder)


@contextlib.contextmanager
def opened_file(folder: int, name: str) -> Iterator[int]:
    """Open a regular file of an open folder, without following a link or waiting for a pipe.

    Raises
    ------
    OSError
        When it is gone, may not be read, or is something else than a file.
    """
    # Asked first, since merely opening a device may do something.
    _check_regular(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    file = os.open(name, _FILE_FLAGS, dir_fd=folder)
    try:
        _check_regular(os.fstat(file).st_mode)
        yield file
    finally:
        os.close(file)


def _check_regular(mode: int) -> None:
    if stat.S_ISLNK(mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
