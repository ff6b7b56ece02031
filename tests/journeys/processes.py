"""Looking for processes that a story may have left."""

from __future__ import annotations

import time
from pathlib import Path


def processes_of(folder: Path) -> list[str]:
    """The command lines that name a folder, but not of this very process."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(word.startswith(bytes(folder)) for word in words):
            found.append(b" ".join(words).decode(errors="replace"))
    return found


def wait_until_gone(folder: Path, seconds: float = 10.0) -> None:
    """Fail if a process that names a folder is still there after some seconds."""
    deadline = time.monotonic() + seconds
    while left := processes_of(folder):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
