"""The process that holds a lock file, and asking it to end.

A process that takes the lock writes into the file who it is. `/proc/locks` is asked too, since an
older version of the program leaves the file empty.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import select
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LockHolder", "ask_to_end", "find_holder", "forget_holder", "note_holder"]

_PROCESSES = Path("/proc")
_LONGEST_RECORD = 64
_RECORD = re.compile(rb"(lasting|passing) (\d{1,10}) (\d{1,20})\n")
# As in `1: FLOCK  ADVISORY  WRITE 1234 fe:00:9994381 0 EOF`; processes that wait have an arrow.
_LOCK = re.compile(r"\d+: FLOCK +ADVISORY +WRITE (\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) 0 EOF")
# Where in /proc/PID/stat, after the name in parentheses, the time of the start is (proc(5)).
_START_FIELD = 19


@dataclass(frozen=True, slots=True)
class LockHolder:
    """A process that holds a lock file."""

    pid: int
    """Its number."""
    started: int
    """When it started, in the kernel's ticks; another process of the same number differs in it."""
    is_lasting: bool
    """Whether it holds the lock until it is stopped; otherwise it is soon done with it."""


def note_holder(lock: int, *, is_lasting: bool) -> None:
    """Write into a lock file, given by its descriptor, that this process holds it.

    A disk that refuses this does not matter: `/proc/locks` names the process too.
    """
    word, pid = "lasting" if is_lasting else "passing", os.getpid()
    with contextlib.suppress(OSError):
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{word} {pid} {_started(pid)}\n".encode(), 0)


def forget_holder(lock: int) -> None:
    """Empty a lock file before its lock is given back."""
    with contextlib.suppress(OSError):
        os.ftruncate(lock, 0)


def find_holder(path: Path, is_lasting: Callable[[list[str]], bool]) -> LockHolder | None:
    """Return the process that holds a lock file; None if there is none or it cannot be known.

    Parameters
    ----------
    path
        The lock file. Only a process of its owner counts: others must not be able to name one.
    is_lasting
        Returns whether the process of a command line holds the lock until it is stopped. It is
        asked about a process of an older version, which does not say so itself.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            record = _RECORD.fullmatch(file.read(_LONGEST_RECORD))
    except OSError:
        return None
    noted = int(record[2]) if record else 0
    named = _locking_process(status)
    pid = named or noted
    started = _started(pid)
    if started is None or _user(pid) != status.st_uid:
        return None
    if record and pid == noted and started == int(record[3]):
        return LockHolder(pid, started, is_lasting=record[1] == b"lasting")
    command = _command_line(named)
    # Without a record, only the command line shows what the process is.
    return LockHolder(named, started, is_lasting=True) if is_lasting(command) else None


def ask_to_end(holder: LockHolder, seconds: float) -> bool:
    """Ask a process to end, by SIGTERM, and return whether it ended within `seconds`.

    It is continued if it is stopped, since it could not answer otherwise.

    Raises
    ------
    PermissionError
        When this user may not signal it.
    OSError
        When the system cannot distinguish it from another process of the same number.
    """
    if not hasattr(os, "pidfd_open"):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    try:
        descriptor = os.pidfd_open(holder.pid)
    except ProcessLookupError:
        return True
    try:
        if _started(holder.pid) != holder.started:
            return True
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            signal.pidfd_send_signal(descriptor, signal.SIGCONT)
        end = select.poll()
        end.register(descriptor, select.POLLIN)
        return bool(end.poll(seconds * 1000))
    finally:
        os.close(descriptor)


def _locking_process(status: os.stat_result) -> int:
    """Return the number of the process that the kernel names; 0 if it names none or several."""
    try:
        lines = (_PROCESSES / "locks").read_text("ascii").splitlines()
    except OSError:
        return 0
    found = set()
    for line in lines:
        if (lock := _LOCK.fullmatch(line)) and int(lock[4]) == status.st_ino:
            pid = int(lock[1])
            # Some file systems, such as btrfs, have another number for programs.
            device = os.makedev(int(lock[2], 16), int(lock[3], 16))
            if device == status.st_dev or _has_open(pid, status):
                found.add(pid)
    return found.pop() if len(found) == 1 else 0


def _has_open(pid: int, status: os.stat_result) -> bool:
    with contextlib.suppress(OSError):
        for descriptor in (_PROCESSES / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):
                if os.path.samestat(descriptor.stat(), status):
                    return True
    return False


def _started(pid: int) -> int | None:
    """Return when a process started, in ticks; None if there is none."""
    try:
        fields = (_PROCESSES / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return int(fields[_START_FIELD])


def _user(pid: int) -> int | None:
    """Return the user of a process; the owner of its folder is root if it has capabilities."""
    try:
        text = (_PROCESSES / str(pid) / "status").read_text("utf-8", "replace")
    except OSError:
        return None
    found = re.search(r"^Uid:\t(\d+)", text, re.MULTILINE)
    return int(found[1]) if found else None


def _command_line(pid: int) -> list[str]:
    try:
        raw = (_PROCESSES / str(pid) / "cmdline").read_bytes()
    except OSError:
        return []
    return [os.fsdecode(word) for word in raw.split(b"\0")[:-1]]
