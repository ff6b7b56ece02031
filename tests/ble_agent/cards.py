"""A small card of its own for a device, which can be full or read-only, and writable again.

It is mounted in a name space of its own, so that an ordinary user can have one too; the commands
that are to see it need `Card.prefix`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

UNSHARE = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]


@dataclass
class Card:
    """A file system of two megabytes."""

    folder: Path
    prefix: tuple[str, ...]

    def _run(self, *command: str) -> None:
        subprocess.run([*self.prefix, *command], check=True)

    def make_read_only(self) -> None:
        self._run("mount", "-o", "remount,bind,ro", str(self.folder))

    def make_writable(self) -> None:
        self._run("mount", "-o", "remount,bind,rw", str(self.folder))

    def fill(self) -> None:
        self._run("sh", "-c", f"cat /dev/zero > '{self.folder}/filler' 2>/dev/null || true")

    def make_room(self) -> None:
        self._run("rm", f"{self.folder}/filler")


def can_mount() -> bool:
    """Tell whether this user may have name spaces here; nobody may in a changed root."""
    done = subprocess.run([*UNSHARE, "true"], capture_output=True, check=False)
    return done.returncode == 0


@contextlib.contextmanager
def card(folder: Path) -> Iterator[Card]:
    folder.mkdir()
    holder = subprocess.Popen(
        [*UNSHARE, "sh", "-c", f"mount -t tmpfs -o size=2m card '{folder}' && echo ok && exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "ok\n"
        user = () if os.geteuid() == 0 else ("--user", "--preserve-credentials")
        yield Card(folder, ("nsenter", "--target", str(holder.pid), "--mount", *user))
    finally:
        holder.communicate()
