"""A real caching proxy between devices and the server: Debian's varnish with its default settings.

Digitaler-Impfnachweis/covpass-android#97 and #180: a clock was judged by a cached answer's Date.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.ble_agent.agents import AgentProcess, clock_at
from tests.ble_agent.authority.test_report_and_check import DAY, NOON, hear, restart, send
from tests.server.running import RunningServer, free_port

# Debian keeps it where only root's PATH leads.
VARNISHD = shutil.which("varnishd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = pytest.mark.skipif(VARNISHD is None, reason="varnishd is missing: apt install varnish")
HOUR = 3_600


@contextlib.contextmanager
def varnish(folder: Path, server_port: int) -> Iterator[str]:
    """Run varnish before a server; yield its URL."""
    port = free_port()
    process = subprocess.Popen(
        [
            str(VARNISHD),
            *("-F", "-j", "none", "-n", str(folder), "-s", "malloc,32m", "-T", "none"),
            *("-a", f"127.0.0.1:{port}", "-b", f"127.0.0.1:{server_port}"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        # It compiles its configuration first.
        until = time.monotonic() + 120
        while time.monotonic() < until and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
        assert process.poll() is None
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def test_a_device_behind_a_cache_is_warned_three_hours_later(tmp_path: Path) -> None:
    clock = clock_at(NOON)
    with RunningServer(tmp_path / "server", clock) as server:
        server.init()
        server.start()
        with varnish(tmp_path / "varnish", server.port) as url:
            line = f"{url}#{server.join.partition('#')[2]}"
            an, binh, chi = (AgentProcess(tmp_path / name, clock) for name in ("an", "binh", "chi"))
            for agent in (an, binh, chi):
                agent.answer("join", line, "--yes")
            hear(binh, send(an, NOON - DAY), NOON - DAY)
            assert an.answer("report", server.issue(), "--yes") == {"reported_keys": 1}
            restart(server, NOON + DAY, an, binh, chi)
            assert chi.answer("check")["batches"] >= 1
            restart(server, NOON + DAY + 3 * HOUR, binh)
            # The copies that the first device's check left are what the second one is given.
            headers = httpx2.get(f"{url}/exports/VN/index.jws").headers
            assert len(headers["X-Varnish"].split()) == 2
            told = binh.command("check", "--json")
            assert '"level": "high"' in told.stdout, told.stderr
            assert "clock" not in told.stderr
