"""Damage of the agent's database: the mark that asks for a recovery, and who uses the database.

A database must not be moved while a connection to it is open: SQLite would remove the log of the
one that takes its place (sqlite.org/howtocorrupt.html, 2.4). So each connection shares a lock, and
a recovery needs the lock for itself.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from ble_agent.messages.catalogue import say
from ble_agent.store.vault import KEY_FILE
from tracing_core.errors import StoreBusy, StoreDamaged
from tracing_core.paths import is_there
from tracing_core.store.files import file_errors
from tracing_core.store.journal import WAL_SUFFIX

__all__ = [
    "DATABASE_NAME",
    "FRESH_NAME",
    "MARK_NAME",
    "USE_NAME",
    "damage_noted",
    "damaged",
    "in_use",
    "is_damaged",
    "used_alone",
]

DATABASE_NAME = "agent.db"
"""The database's file in the home folder."""

FRESH_NAME = f"{DATABASE_NAME}.new"
"""The database that a recovery is writing; whole once the damaged one has been moved."""

MARK_NAME = "agent.damaged"
"""The file that asks for a recovery."""

USE_NAME = "agent.use"
"""The file that each connection to the database holds locked."""


def damaged(home: Path) -> StoreDamaged:
    """Return the error for a database that needs a recovery."""
    path = home / DATABASE_NAME
    error = StoreDamaged(f"{path}: {say('error_database_damaged', 'en')}", str(path))
    error.vi = f"{path}: {say('error_database_damaged', 'vi')}"
    return error


def is_damaged(home: Path) -> bool:
    """Return whether the database was found damaged, or is missing although it was in use.

    Raises
    ------
    StoreError
        When the folder cannot be read.
    """
    path = home / DATABASE_NAME
    with file_errors(home):
        if is_there(home / MARK_NAME):
            return True
        if is_there(path) and path.stat().st_size:
            return False
        # The key is made when there is something to seal, after the database.
        return is_there(home / KEY_FILE) or is_there(Path(f"{path}{WAL_SUFFIX}"))


@contextlib.contextmanager
def damage_noted(home: Path) -> Iterator[None]:
    """Mark the home's database if the block finds it damaged, so that it is recovered.

    Raises
    ------
    StoreDamaged
        When the block raises it.
    """
    try:
        yield
    except StoreDamaged as error:
        found = Path(error.path).resolve()
        if found != home.resolve() / DATABASE_NAME:
            # It is another file, such as a log to import or a database that was kept aside.
            raise
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        with contextlib.suppress(OSError):
            os.close(os.open(home / MARK_NAME, flags, 0o600))
        raise damaged(home) from error


@contextlib.contextmanager
def in_use(home: Path) -> Iterator[None]:
    """Keep recoveries away while the database is open; on a read-only disk there is none."""
    lock = _use(home)
    try:
        if lock is not None:
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield
    finally:
        if lock is not None:
            os.close(lock)


@contextlib.contextmanager
def used_alone(home: Path) -> Iterator[None]:
    """Hold the database for a recovery.

    Raises
    ------
    StoreBusy
        When a connection to it is open.
    StoreError
        When the folder cannot be written to.
    """
    with file_errors(home / USE_NAME):
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open(home / USE_NAME, flags, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            path = str(home / DATABASE_NAME)
            text = f"{path} is in use by another process: stop it, or try again"
            raise StoreBusy(text, path) from error
        yield
    finally:
        os.close(lock)


def _use(home: Path) -> int | None:
    path = home / USE_NAME
    with file_errors(path):
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            return os.open(path, flags, 0o600)
        except OSError as error:
            if error.errno not in (errno.EROFS, errno.ENOSPC, errno.EDQUOT):
                raise
        with contextlib.suppress(FileNotFoundError):
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    return None
