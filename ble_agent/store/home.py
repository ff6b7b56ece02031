"""Home folder of the agent: its files, its lock, erasing it, and what is left at the end."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import fnmatch
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ble_agent.config import SETTINGS_FILE
from ble_agent.messages.catalogue import say
from ble_agent.messages.language import path_text
from ble_agent.messages.refusals import not_possible
from ble_agent.store.damage import (
    DATABASE_NAME,
    FRESH_NAME,
    MARK_NAME,
    USE_NAME,
    used_alone,
)
from ble_agent.store.kept_aside import KEPT_FILES
from ble_agent.store.vault import KEY_FILE
from ble_agent.store.working_folder import WORKING_FOLDERS, remove_left_folders
from tracing_core.errors import NotPossible, StoreBusy, StoreError
from tracing_core.paths import is_folder, is_there
from tracing_core.process.lock_holder import (
    ask_to_end,
    find_holder,
    forget_holder,
    note_holder,
)
from tracing_core.store.files import destroy, file_errors, write_durably

__all__ = [
    "LOCK_NAME",
    "OPENER_NAME",
    "OVER_NAME",
    "PART_NAME",
    "end_home",
    "erase_home",
    "exclusive_use",
    "finish_ending",
    "forget_over",
    "is_over",
    "is_own_file",
    "is_running",
    "refuse_over",
]

LOCK_NAME = "agent.lock"
"""The file that a running agent holds locked."""

PART_NAME = "download.part"
"""The file that holds the beginning of a key file whose download broke off."""

OPENER_NAME = ".page-"
"""Beginning of the name of the file that opens the owner's page in a browser."""

OVER_NAME = "agent.over"
"""The file that says, in words, that it is over: all that is left after the last day."""

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
    OVER_NAME,
)
# Left by a process that is killed while it makes a key, changes the settings, tests the disk or
# recovers a damaged database, and the database that a recovery set aside.
_UNFINISHED = (
    f".{KEY_FILE}.*",
    f"{KEY_FILE}.*.part",
    ".probe-*",
    f".{SETTINGS_FILE}.*",
    f".{OVER_NAME}.*",
    f"{FRESH_NAME}*",
    KEPT_FILES,
    f"{OPENER_NAME}*",
)
_LOCK_TRIES = 5
_LOCK_WAIT_SECONDS = 0.1
# A command recovers a damaged database within this many times half a second.
_ERASE_TRIES = 60
# As long as the service's TimeoutStopSec.
_STOP_SECONDS = 30.0


@contextlib.contextmanager
def exclusive_use(home: Path, *, until_stopped: bool = False) -> Iterator[None]:
    """Hold a home folder's lock; two agents in one folder would send the same identifiers.

    Parameters
    ----------
    home
        The folder.
    until_stopped
        Whether this process holds the lock until SIGTERM, which then may be sent to it.

    Raises
    ------
    NotPossible
        When another agent is running there (``running``).
    StoreError
        When the folder cannot be written to.
    """
    lock = _locked(home / LOCK_NAME)
    try:
        note_holder(lock, is_lasting=until_stopped)
        yield
    finally:
        forget_holder(lock)
        os.close(lock)


def _locked(path: Path) -> int:
    """Return the descriptor of the lock file, locked."""
    while True:
        with contextlib.ExitStack() as closing:
            lock = _opened(path)
            closing.callback(os.close, lock)
            _lock(lock)
            # A process that erased the home meanwhile has removed the file with it.
            with file_errors(path), contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(lock), path.stat()):
                    closing.pop_all()
                    return lock


def _opened(path: Path) -> int:
    with file_errors(path):
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if error.errno != errno.EROFS or not path.exists():
                raise
            # A lock needs no write access.
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


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


def erase_home(
    home: Path,
    *,
    on_stop: Callable[[], None] = lambda: None,
    stop_seconds: float = _STOP_SECONDS,
) -> list[str]:
    """Overwrite and remove the agent's files, and the folder if nothing else is in it.

    An agent that is running there is stopped first, and can start again only when all is gone.

    Parameters
    ----------
    home
        The folder.
    on_stop
        Called after an agent was stopped.
    stop_seconds
        How long to wait until it has stopped.

    Returns
    -------
    list of str
        Names of other files, which are kept.

    Raises
    ------
    NotPossible
        When an agent is running there and did not stop (``running_hung``), may not be stopped
        (``running_foreign``) or cannot be found (``running``), or when a command is at work there
        (``importing``).
    StoreError
        When a file cannot be removed.
    """
    with file_errors(home):
        if not is_folder(home):
            return []
    with contextlib.ExitStack() as stack:
        _enter_stopped(stack, home, on_stop, stop_seconds)
        stack.enter_context(file_errors(home))
        remove_left_folders(home)
        if any(home.glob(WORKING_FOLDERS)):
            raise not_possible("importing")
        for path in _own_paths(home):
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


def _own_paths(home: Path) -> list[Path]:
    unfinished = [path for pattern in _UNFINISHED for path in sorted(home.glob(pattern))]
    return [*unfinished, *(home / name for name in _OURS)]


def is_over(home: Path) -> bool:
    """Check whether the last day is over, and all that the home held is deleted or about to be.

    Raises
    ------
    StoreError
        When the folder cannot be read.
    """
    with file_errors(home):
        return is_there(home / OVER_NAME)


def refuse_over(home: Path) -> None:
    """Check that a home is in use.

    Raises
    ------
    NotPossible
        When its last day is over (``over``).
    StoreError
        When the folder cannot be read.
    """
    if is_over(home):
        raise not_possible("over")


def end_home(home: Path) -> None:
    """Overwrite and remove all that the home holds, but for a note that it is over.

    The note is written first. From then on the database cannot be opened, and a removal that was
    interrupted is finished by `finish_ending`. The caller holds the home's lock.

    Raises
    ------
    StoreError
        When the note cannot be written, and nothing was removed; or when a file cannot be removed.
    """
    _note_over(home, "over_deleting")
    with contextlib.ExitStack() as stack, file_errors(home):
        for _ in range(_LOCK_TRIES):
            # A command that has the database open gets a moment to end; it can write no more.
            try:
                stack.enter_context(used_alone(home))
                break
            except StoreBusy:
                time.sleep(_LOCK_WAIT_SECONDS)
        for folder in sorted(home.glob(WORKING_FOLDERS)):
            for path in folder.iterdir():
                destroy(path)
            shutil.rmtree(folder)
        for path in _own_paths(home):
            if path.name != OVER_NAME:
                destroy(path)
    _note_over(home, "over_note")


def _note_over(home: Path, name: str) -> None:
    write_durably(home / OVER_NAME, _note_text(name))


def _note_text(name: str) -> bytes:
    return "".join(f"{say(name, language)}\n" for language in ("vi", "en")).encode()


def finish_ending(home: Path) -> None:
    """Finish a removal by `end_home` that was interrupted; do nothing in a home that is in use.

    Raises
    ------
    StoreError
        When a file cannot be removed.
    """
    if not is_over(home):
        return
    with file_errors(home):
        is_noted = (home / OVER_NAME).read_bytes() == _note_text("over_note")
        left = any(home.glob(WORKING_FOLDERS)) or any(map(is_there, _own_paths(home)[:-1]))
    # A process that holds the lock is at it.
    if left or not is_noted:
        with contextlib.suppress(NotPossible), exclusive_use(home):
            end_home(home)


def forget_over(home: Path) -> None:
    """Remove the note that it is over, because the owner joins again.

    Raises
    ------
    NotPossible
        When an agent is still at the removal (``running``).
    StoreError
        When a file cannot be removed.
    """
    if is_over(home):
        with exclusive_use(home):
            end_home(home)
            with file_errors(home):
                destroy(home / OVER_NAME)


def _enter_stopped(
    stack: contextlib.ExitStack, home: Path, on_stop: Callable[[], None], seconds: float
) -> None:
    """Take the lock, after stopping the agent that holds it."""
    for _ in range(_ERASE_TRIES):
        try:
            stack.enter_context(exclusive_use(home))
            return
        except NotPossible:
            _stop(home, on_stop, seconds)
    raise not_possible("importing")


def _stop(home: Path, on_stop: Callable[[], None], seconds: float) -> None:
    """Stop the agent that holds the lock; a command is left to finish."""
    holder = find_holder(home / LOCK_NAME, _is_agent)
    if holder is None:
        if is_running(home):
            raise not_possible("running")
        return
    if not holder.is_lasting or holder.pid == os.getpid():
        return
    try:
        has_ended = ask_to_end(holder, seconds)
    except PermissionError as error:
        raise not_possible("running_foreign") from error
    except OSError as error:
        raise not_possible("running") from error
    if not has_ended:
        raise not_possible("running_hung", pid=holder.pid, seconds=round(seconds))
    on_stop()


def _is_agent(command_line: list[str]) -> bool:
    return "agent" in command_line and "run" in command_line
