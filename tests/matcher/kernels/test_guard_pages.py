"""No kernel reads or writes beside its columns, whatever their length."""

from __future__ import annotations

import signal
import subprocess
import sys


def guarded(*arguments: str) -> subprocess.CompletedProcess[str]:
    # In a process of its own, since a byte too far ends it.
    return subprocess.run(
        [sys.executable, "-m", "tests.matcher.kernels.guarded", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_columns_between_unreadable_pages() -> None:
    run = guarded()
    assert run.returncode == 0, run.stderr[-2000:]
    assert "nothing beside the columns was touched" in run.stdout


def test_the_guards_guard() -> None:
    run = guarded("--too-far")
    assert run.returncode == -signal.SIGSEGV
    assert not run.stdout
