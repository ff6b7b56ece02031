"""Private copies of what a search found, so that what is shown is what is then added.

A file of a folder may change, or be replaced by a link or a pipe, between the look and the press.
So it is opened once, without following links, and copied to a working folder of the home; the copy
is what is read. A database is copied together with its write-ahead log and its journal.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ble_agent.owner.take_over.kinds import Kind
from ble_agent.owner.take_over.left import Reason
from ble_agent.owner.take_over.search import (
    Found,
    Search,
    error_reason,
    opened_file,
    opened_folder,
)
from ble_agent.store.importers import open_source
from ble_agent.store.working_folder import working_folder
from tracing_core.errors import InvalidLog, LogFault, StoreError
from tracing_core.store.files import destroy, disk_is_full, file_errors
from tracing_core.store.journal import JOURNAL_SUFFIX, WAL_SUFFIX

__all__ = ["COMPANION_SUFFIXES", "LEVELDB_NAME", "MOST_BYTES", "Candidate", "copied"]

MOST_BYTES = 512 << 20
"""The most bytes that the copies of one search may have together.

An agent's own full log has 51 MB, and no app's log is known to be larger.
"""

COMPANION_SUFFIXES = (WAL_SUFFIX, JOURNAL_SUFFIX)
"""What the names of a database's companions end with."""

LEVELDB_NAME = re.compile(r"CURRENT|MANIFEST-\d{1,20}|\d{1,20}\.(log|ldb|sst)")
"""The names of a LevelDB folder's files that are read."""

_MOST_FOLDER_FILES = 10_000
_PIECE_BYTES = 256 << 10
# The agent goes on writing what it hears meanwhile.
_SPARE_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Candidate:
    """A log that may be taken over, in a place where only this process changes it."""

    path: Path
    """The file or folder to read."""
    name: str
    """What its owner calls it."""

    def named(self, text: str) -> str:
        """Return a text, such as an error's, with the owner's name in place of the path."""
        return text.replace(str(self.path), self.name)


@contextlib.contextmanager
def copied(search: Search, home: Path) -> Iterator[list[Candidate]]:
    """Copy what a search found; the copies are overwritten and removed at the end.

    Parameters
    ----------
    search
        The search, whose counts get what could not be copied, and the databases of other programs.
    home
        The agent's folder, in which the copies are made.

    Raises
    ------
    StoreFull, StoreError
        When the copies cannot be written.
    """
    with working_folder(home) as folder:
        copying = _Copying(home, folder)
        candidates = []
        for number, found in enumerate(search.found):
            target = folder / str(number)
            try:
                copying.copy(found, target)
            except _Unreadable as error:
                search.left.note(error.reason)
                copying.undo(target)
                continue
            if found.kind is Kind.DATABASE and not _may_be_log(target, home):
                search.others += 1
                copying.undo(target)
            else:
                candidates.append(Candidate(target, str(found.path)))
        yield candidates


def _may_be_log(path: Path, home: Path) -> bool:
    """Return False for a database that no known program of this kind wrote."""
    try:
        with open_source(path, home):
            return True
    except InvalidLog as error:
        return error.fault is not LogFault.UNKNOWN
    except StoreError:
        # The preview names the reason.
        return True


class _Unreadable(Exception):
    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    """Turn the system's errors about what is copied; those about the copy are no `OSError`."""
    try:
        yield
    except OSError as error:
        raise _Unreadable(error_reason(error)) from error


def _check_same(found: Found, opened: int) -> None:
    status = os.fstat(opened)
    if (status.st_dev, status.st_ino) != found.identity:
        raise _Unreadable(Reason.GONE)


class _Copying:
    def __init__(self, home: Path, folder: Path) -> None:
        self._home = home
        self._folder = folder
        self._bytes = 0

    def copy(self, found: Found, target: Path) -> None:
        """Copy one file with its companions, or one LevelDB folder."""
        is_folder = found.kind is Kind.FOLDER
        with _reading(), contextlib.ExitStack() as stack:
            parts = found.parts if is_folder else found.parts[:-1]
            folder = stack.enter_context(opened_folder(found.root, parts))
            if is_folder:
                _check_same(found, folder)
                names = [name for name in os.listdir(folder) if LEVELDB_NAME.fullmatch(name)]
                with file_errors(self._folder):
                    target.mkdir(mode=0o700)
                for name in names[:_MOST_FOLDER_FILES]:
                    with opened_file(folder, name) as file:
                        self._write(file, target / name)
                return
            with opened_file(folder, found.parts[-1]) as file:
                _check_same(found, file)
                self._write(file, target)
            if found.kind is Kind.DATABASE:
                self._copy_companions(folder, found.parts[-1], target)

    def _copy_companions(self, folder: int, name: str, target: Path) -> None:
        for suffix in COMPANION_SUFFIXES:
            with (
                contextlib.suppress(FileNotFoundError),
                opened_file(folder, f"{name}{suffix}") as file,
            ):
                self._write(file, Path(f"{target}{suffix}"))

    def _write(self, file: int, target: Path) -> None:
        if self._bytes + os.fstat(file).st_size > MOST_BYTES:
            raise _Unreadable(Reason.LARGE)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with file_errors(self._home):
            copy = os.open(target, flags, 0o600)
        try:
            while piece := os.read(file, _PIECE_BYTES):
                self._bytes += len(piece)
                if self._bytes > MOST_BYTES:
                    raise _Unreadable(Reason.LARGE)
                with file_errors(self._home):
                    self._check_room(copy, len(piece))
                    while piece:
                        piece = piece[os.write(copy, piece) :]
        finally:
            os.close(copy)

    def _check_room(self, copy: int, size: int) -> None:
        system = os.fstatvfs(copy)
        if system.f_bavail * system.f_frsize < size + _SPARE_BYTES:
            raise disk_is_full(self._home)

    def undo(self, target: Path) -> None:
        """Remove what there is of a copy."""
        with file_errors(self._home):
            files = list(target.iterdir()) if target.is_dir() else [target]
            files += [Path(f"{target}{suffix}") for suffix in COMPANION_SUFFIXES]
            for path in files:
                if path.is_file():
                    self._bytes -= path.stat().st_size
                destroy(path)
            if target.is_dir():
                target.rmdir()
