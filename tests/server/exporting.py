"""Exports in separate processes, which are killed or compete."""

import os
import resource
import signal
import sys
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

from server.config import load_settings
from server.context import Server
from server.export.exporter import run_due
from tracing_core.clock import ManualClock, ScaledClock

__all__ = ["export_and_die", "export_for_ever", "export_once"]

_STEPS = frozenset(
    [
        "stage",
        "publish",
        "delete",
        "begin",
        "begin_window",
        "insert_keys",
        "add_key_files",
        "set_exported_until",
    ]
)
"""Functions whose returns divide an export; `begin` returns when it has committed."""


def export_for_ever(
    home: Path, told: float, rate: float, ready: Connection, changes: dict[str, object]
) -> None:
    """Export what becomes due by a fast clock, which starts when `ready` is sent to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Opening takes longer on a busy machine, so the clock starts afterwards.
    opened = Server.open(load_settings(home, **changes), ManualClock(told))
    server = replace(opened, clock=ScaledClock(shown=told, real=time.time(), rate=rate))
    ready.send(told)
    while True:
        run_due(server, "VN")


def export_once(home: Path, clock: str, ready: Connection, changes: dict[str, object]) -> None:
    """Export what is due, and send the names and the growth of memory in bytes."""
    server = Server.open(load_settings(home, **changes), ScaledClock.parse(clock))
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    names = run_due(server, "VN")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    ready.send((names, after - before))
    server.close()


def export_and_die(
    home: Path, clock: str, step: int, ready: Connection, changes: dict[str, object]
) -> None:
    """Export what is due, and die at the n-th return of one of `_STEPS`."""
    server = Server.open(load_settings(home, **changes), ScaledClock.parse(clock))
    left = step

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal left
        code = frame.f_code
        if event == "return" and code.co_name in _STEPS and "/server/" in code.co_filename:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    run_due(server, "VN")
    sys.setprofile(None)
    ready.send("survived")
