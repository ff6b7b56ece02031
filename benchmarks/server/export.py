"""An export of many keys in one window, by the command that an operator runs."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.server.processes import run_command
from server.config import load_settings
from server.context import Server
from tracing_core.clock import Clock, ScaledClock

__all__ = ["measure_export"]

_HOUR = 3_600
# The process prints its own peak: the figure that its parent gets also counts the parent's memory.
_PROGRAM = """
import atexit, pathlib, sys
from tracing_core.cli import main
atexit.register(lambda: sys.stderr.write(pathlib.Path("/proc/self/status").read_text()))
main()
"""


def measure_export(home: Path, keys: int) -> dict[str, float]:
    """Store keys that are about to leave, export them in a process, and return what it took."""
    now = time.time()
    run_command("init", "--region", "VN", "--json", home=home)
    _fill(home, keys, now)
    clock = ScaledClock(shown=now + 8 * _HOUR, real=time.time(), rate=1.0)
    environment = {name: value for name, value in os.environ.items() if "TRUYVET" not in name}
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, "server", "export", "--home", str(home), "--json"],
        env=environment | {"TRUYVET_CLOCK": str(clock)},
        capture_output=True,
        text=True,
        check=True,
    )
    after = os.times()
    peak = re.search(r"VmHWM:\s*(\d+)", done.stderr)
    assert peak is not None
    spent = after.children_user + after.children_system
    spent -= before.children_user + before.children_system
    return {
        "keys": keys,
        "cpu_seconds": round(spent, 3),
        "peak_mb": round(int(peak[1]) / 1024, 1),
        "files_mb": round(sum(file.stat().st_size for file in home.rglob("*.zip")) / 1e6, 1),
    }


def _fill(home: Path, keys: int, now: float) -> None:
    server = Server.open(load_settings(home), Clock())
    created_at = int(now // _HOUR) * _HOUR
    start = int(now // 86_400 - 1) * 144
    with server.database.begin() as conn:
        conn.exec_driver_sql(
            "INSERT INTO diagnosis_key (key_data, region, rolling_start_interval_number,"
            " rolling_period, transmission_risk_level, report_type, days_since_onset, created_at,"
            f" is_padding) VALUES (?, 'VN', {start}, 144, 2, 1, 0, {created_at}, 0)",
            [(secrets.token_bytes(16),) for _ in range(keys)],
        )
    server.close()
