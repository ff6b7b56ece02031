"""Takes a dead agent's advertisement off the air: a small process beside the agent.

On a controller with extended advertising the kernel hands an advertisement's timeout on to it, but
reckons it in 16 bits of milliseconds: anything longer than 65 s ends too early. So there it gets no
timeout, and this process keeps it: it holds a management socket of its own, and removes the
advertisement when the agent is gone or its time is up, whatever happened to the agent.

This file runs by itself as well, with the standard library alone, to stay small.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable

__all__ = ["Guardian"]

_REMOVE_ADVERTISING = 0x003F
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_CLOSE_SECONDS = 5.0
_LONGEST_WAIT_SECONDS = 10.0


class Guardian:
    """The agent's end: it says how long the next advertisement may last.

    Parameters
    ----------
    index, instance
        Which adapter's advertisement to remove.
    connect
        Opens the management channel that the process will hold.
    """

    def __init__(self, index: int, instance: int, connect: Callable[[], socket.socket]) -> None:
        with connect() as channel:
            descriptor = channel.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__, str(descriptor), str(index), str(instance)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=[descriptor],
                start_new_session=True,
            )

    def allow(self, seconds: float) -> None:
        """Let an advertisement last so many seconds of real time from now on; 0 for none.

        Raises
        ------
        OSError
            When the process has ended.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds!r}\n".encode())
        self._process.stdin.flush()

    async def close(self) -> None:
        """Let it remove what is left, and end."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            await asyncio.to_thread(self._process.wait, _CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)


def _watch(channel: int, index: int, instance: int) -> None:
    """Remove the advertisement whenever its time is up, and when standard input ends."""
    removal = struct.pack("<HHHB", _REMOVE_ADVERTISING, index, 1, instance)
    orders = sys.stdin.fileno()
    ends_at: float | None = None
    pending = b""
    while True:
        wait = None
        if ends_at is not None:
            # A suspended machine's time does not count for select, so it is looked at often.
            wait = min(max(0.0, ends_at - time.clock_gettime(_CLOCK)), _LONGEST_WAIT_SECONDS)
        ready, _, _ = select.select([orders, channel], [], [], wait)
        if channel in ready and not os.read(channel, 65536):
            return
        if orders in ready:
            received = os.read(orders, 4096)
            if not received:
                os.write(channel, removal)
                return
            *lines, pending = (pending + received).split(b"\n")
            if lines:
                seconds = float(lines[-1])
                ends_at = time.clock_gettime(_CLOCK) + seconds if seconds else None
        elif ends_at is not None and time.clock_gettime(_CLOCK) >= ends_at:
            os.write(channel, removal)
            ends_at = None


if __name__ == "__main__":
    # A service manager that ends the agent signals every process of it, and this one must outlive
    # the agent by a moment. The end of its standard input ends it in any case.
    for number in (signal.SIGABRT, signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _watch(*map(int, sys.argv[1:4]))
