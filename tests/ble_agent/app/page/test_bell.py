"""The bell: a real Unix socket, passed as systemd passes it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ble_agent.app.page.bell import answer, passed_bell
from tests.ble_agent.virtual_air.airs import until
from tracing_core.errors import NotPossible

# What the page's command does with it, in a process of its own.
PAGE = """
import asyncio, itertools, os, sys
from ble_agent.app.page.bell import answer, passed_bell
bell = passed_bell()
assert bell is not None and not {name for name in os.environ if name.startswith("LISTEN_")}
links = map("http://127.0.0.1:1/#{}".format, itertools.count())
async def page():
    async with answer(bell, links.__next__):
        await asyncio.sleep(600)
asyncio.run(page())
"""


@pytest.fixture
def bell(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "bell"))
        made.listen()
        made.setblocking(False)
        yield made


async def ring(path: Path) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    with contextlib.closing(writer):
        return await reader.read()


async def test_each_ring_is_handed_another_link(bell: socket.socket, tmp_path: Path) -> None:
    links = iter(["một", "hai"])
    async with answer(bell, links.__next__):
        assert await ring(tmp_path / "bell") == "một\n".encode()
        assert await ring(tmp_path / "bell") == b"hai\n"
    # It still belongs to the service manager: a later ring waits for the next page.
    assert bell.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    assert (tmp_path / "bell").exists()
    waiting = asyncio.create_task(ring(tmp_path / "bell"))
    async with answer(bell, lambda: "ba"):
        assert await waiting == b"ba\n"


async def test_one_who_hangs_up_keeps_nobody_waiting(bell: socket.socket, tmp_path: Path) -> None:
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(tmp_path / "bell"))
    async with answer(bell, lambda: "link"):
        assert await ring(tmp_path / "bell") == b"link\n"


async def test_a_fault_of_the_page_is_not_swallowed(bell: socket.socket, tmp_path: Path) -> None:
    def fail() -> str:
        raise RuntimeError("no link")

    with pytest.raises(RuntimeError, match="no link"):
        async with answer(bell, fail):
            assert await ring(tmp_path / "bell") == b""


@pytest.mark.parametrize("process", ["", "1", "abc"])
def test_what_was_passed_to_another_process_is_left_alone(
    process: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LISTEN_PID", process)
    monkeypatch.setenv("LISTEN_FDS", "1")
    assert passed_bell() is None
    assert "LISTEN_FDS" not in os.environ


def started(passed: socket.socket, count: str = "1") -> subprocess.CompletedProcess[str]:
    """Run a process that is passed a socket as the service manager does it."""
    program = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] = str(os.getpid());"
        "from ble_agent.app.page.bell import passed_bell; print(passed_bell())"
    )
    return subprocess.run(
        [sys.executable, "-c", program, str(passed.fileno())],
        pass_fds=[passed.fileno()],
        env={**os.environ, "LISTEN_FDS": count},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_only_one_listening_unix_socket_is_a_bell(bell: socket.socket) -> None:
    assert "family=1" in started(bell).stdout
    assert "NotPossible" in started(bell, "2").stderr
    assert started(bell, "0").stdout == "None\n"
    with socket.create_server(("127.0.0.1", 0)) as port:
        assert "NotPossible" in started(port).stderr
    with socket.socket(socket.AF_UNIX) as deaf:
        assert "NotPossible" in started(deaf).stderr
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as letters:
        assert "NotPossible" in started(letters).stderr


def test_a_file_is_not_a_bell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setattr("ble_agent.app.page.bell._FIRST_PASSED", os.open(tmp_path, os.O_RDONLY))
    with pytest.raises(NotPossible, match="one listening Unix socket"):
        passed_bell()


@pytest.mark.skipif(
    shutil.which("systemd-socket-activate") is None,
    reason="systemd-socket-activate is missing: apt install systemd",
)
async def test_systemds_own_activation_rings(tmp_path: Path) -> None:
    path = tmp_path / "bell"
    page = await asyncio.create_subprocess_exec(
        *("systemd-socket-activate", f"--listen={path}", sys.executable, "-c", PAGE),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await until(path.exists)
        assert await ring(path) == b"http://127.0.0.1:1/#0\n"
        assert await ring(path) == b"http://127.0.0.1:1/#1\n"
    finally:
        page.terminate()
        said, _ = await page.communicate()
    assert said == b""
