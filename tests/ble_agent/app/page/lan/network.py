"""A network of its own for a test: a home address, a public one, and nothing else."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

__all__ = ["HOME", "HOME_V6", "PUBLIC", "Network", "needs_network", "network"]

HOME = "192.168.77.5"
HOME_V6 = "fd00:77::5"
PUBLIC = "203.0.113.5"

_CLONE_NEWNET = 0x40000000
# Some kernels have no dummy device; a bridge without ports does as well.
_SET_UP = """
ip link set lo up
ip link add home0 type dummy 2>&- || ip link add home0 type bridge
ip address add {home}/32 dev home0
ip address add {public}/32 dev home0
ip address add {home_v6}/128 dev home0 nodad 2>&- || true
ip link set home0 up
echo ready
exec sleep 600
"""
_T = TypeVar("_T")


def _can_make() -> bool:
    with contextlib.suppress(OSError):
        return subprocess.run(["unshare", "-n", "ip", "link"], capture_output=True).returncode == 0
    return False


needs_network = pytest.mark.skipif(
    os.geteuid() != 0 or not _can_make(), reason="a network name space needs root and iproute2"
)


class Network:
    """The network of a process that does nothing else than to keep it."""

    def __init__(self, process: int) -> None:
        self.process = process
        self._threads = ThreadPoolExecutor(1, initializer=self._enter)

    @property
    def prefix(self) -> tuple[str, ...]:
        """What comes before a command that is to run there."""
        return ("nsenter", f"--net=/proc/{self.process}/ns/net")

    def do(self, action: Callable[[], _T]) -> _T:
        """Do something in a thread whose sockets belong to this network."""
        return self._threads.submit(action).result(60)

    def listeners(self) -> set[str]:
        """Return the addresses at which anybody listens."""
        shown = subprocess.run(
            [*self.prefix, "ss", "-ltnH"], capture_output=True, text=True, check=True
        ).stdout
        return {line.split()[3].rpartition(":")[0] for line in shown.splitlines()}

    def close(self) -> None:
        self._threads.shutdown()

    def _enter(self) -> None:
        with Path(f"/proc/{self.process}/ns/net").open() as space:
            assert ctypes.CDLL(None, use_errno=True).setns(space.fileno(), _CLONE_NEWNET) == 0


@contextlib.contextmanager
def network() -> Iterator[Network]:
    script = _SET_UP.format(home=HOME, public=PUBLIC, home_v6=HOME_V6)
    with subprocess.Popen(
        ["unshare", "-n", "sh", "-c", script], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            with contextlib.closing(Network(process.pid)) as made:
                yield made
        finally:
            process.kill()
