"""Home folder of the agent: its files, its lock, and erasing it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import fnmatch
import os
import time
from collections.abc import Iterator
from pathlib import Path

from ble_agent.config import SETTINGS_FILE
from ble_agent.messages.language import path_text
from ble_agent.messages.refusals import not_possible
from ble_agent.store.damage import DATABASE_NAME, FRESH_NAME, MARK_NAME, USE_NAME
from ble_agent.store.kept_aside import KEPT_FILES
from ble_agent.store.vault import KEY_FILE
from ble_agent.store.working_folder import WORKING_FOLDERS, remove_left_folders
from tracing_core.errors import StoreError
from tracing_core.paths import is_folder
from tracing_core.store.files import destroy, file_errors

__all__ = ["LOCK_NAME", "PART_NAME", "erase_home", "exclusive_use", "is_own_file", "is_running"]

LOCK_NAME = "agent.lock"
"""The file that a running agent holds locked."""

PART_NAME = "download.part"
"""The file that holds the beginning of a key file whose download broke off."""

# The key to all secrets is removed first; without it, the rest cannot be read.
_OURS = (
    KEY_FILE,
    DATABASE_NAME,
    f"{DATABASE_NAME}-wal",
    f"{DATABASE_NAME}-shm",
    f"{DATABASE_NAME}-journal",
    PART_NAME,
    MARK_NAME,
    SETTINGS_FILE,
    USE_NAME,
    LOCK_NAME,
)
# Left by a process that is killed while it makes a key, tests the disk or recovers a damaged
# database, and the database that a recovery set aside.
_UNFINISHED = (
    f".{KEY_FILE}.*",
    f"{KEY_FILE}.*.part",
    ".probe-*",
    f"{FRESH_NAME}*",
    KEPT_FILES,
)
_LOCK_TRIES = 5
_LOCK_WAIT_SECONDS = 0.1


@contextlib.contextmanager
def exclusive_use(home: Path) -> Iterator[None]:
    """Hold a home folder's lock; two agents in one folder would send the same identifiers.

    Raises
    ------
    NotPossible
        When another agent is running there (``running``).
    StoreError
        When the folder cannot be written to.
    """
    path = home / LOCK_NAME
    with file_errors(path):
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if error.errno != errno.EROFS or not path.exists():
                raise
            # A lock needs no write access.
            lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _lock(lock)
        yield
    finally:
        os.close(lock)


def _lock(lock: int) -> None:
    for _ in range(_LOCK_TRIES):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        # `is_running` holds the lock for a moment.
        time.sleep(_LOCK_WAIT_SECONDS)
    raise not_possible("running")


def is_running(home: Path) -> bool:
    """Check whether an agent is running in a home folder."""
    try:
        lock = os.open(home / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def is_own_file(home: Path, path: Path) -> bool:
    """Check whether a path is one of the agent's files in its home folder."""
    is_ours = path.name in _OURS or fnmatch.fnmatchcase(path.name, KEPT_FILES)
    return is_ours and path.parent.resolve() == home.resolve()


def erase_home(home: Path) -> list[str]:
    """Overwrite and remove the agent's files, and the folder if nothing else is in it.

    Returns
    -------
    list of str
        Names of other files, which are kept.

    Raises
    ------
    NotPossible
        When an agent is running there (``running``), or importing a log (``importing``).
    StoreError
        When a file cannot be removed.
    """
    with file_errors(home):
        if not is_folder(home):
            return []
    with exclusive_use(home), file_errors(home):
        remove_left_folders(home)
        if any(home.glob(WORKING_FOLDERS)):
            raise not_possible("importing")
        unfinished = [path for pattern in _UNFINISHED for path in sorted(home.glob(pattern))]
        for path in [*unfinished, *(home / name for name in _OURS)]:
            destroy(path)
        left = sorted(path_text(path.name) for path in home.iterdir())
    if left:
        return left
    try:
        home.rmdir()
    except PermissionError:
        # The folder belongs to a service manager; empty, it reveals nothing.
        return []
    except OSError as error:
        text = f"{home} is empty but cannot be removed ({error.strerror}): check who owns it"
        raise StoreError(text, str(home)) from error
    return []
