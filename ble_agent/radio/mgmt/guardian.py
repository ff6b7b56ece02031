"""Guardian: a small process that removes from the kernel what a dead agent left there.

This file is also run by itself, with the standard library alone, to stay small.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable

__all__ = ["Guardian"]

# Silence after death.
#
# An agent that dies must not leave its identifier on the air: it would be sent for hours under one
# address. But advertisements and monitors of the management channel belong to the adapter, not to
# the program. The kernel does not remove them when the program's socket closes.
#
# The simple ways fail one by one. A signal handler or `finally` does not run after kill -9, or
# when memory runs out. The kernel's own timeout ends an advertisement, but with extended
# advertising Linux passes it on as milliseconds in 16 bits, and 20 minutes become 20 seconds.
# Nothing at all ends a monitor, which keeps the adapter listening and a legacy controller from
# taking another address.
#
# So a second process holds a management channel of its own and the end of a pipe to the agent. The
# agent names there what is to be undone: an advertisement before it is added, a monitor as soon as
# its handle is known. When the pipe ends, for whatever reason, the process removes both; when an
# advertisement's time is up, it removes the advertisement. It must outlive the agent by a moment,
# so it ignores the signals that a service manager sends to all processes of a service. If one thing
# cannot be removed, it still removes the other. The agent watches in turn: without its guardian it
# sends nothing.

_REMOVE_ADVERTISING, _REMOVE_MONITOR = 0x003F, 0x0053
_ANSWERS, _BUSY = (0x0001, 0x0002), 0x0A
_HEADER, _ANSWER = struct.Struct("<HHH"), struct.Struct("<HHHHB")
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_ANSWER_SECONDS, _BUSY_SECONDS = 5.0, 0.1
_LONGEST_WAIT_SECONDS = 10.0


class Guardian:
    """The agent's end of the pipe: it names what is to be undone.

    Parameters
    ----------
    index, instance
        Which adapter's advertisement to remove.
    connect
        Opens the management channel that the process will hold.
    on_end
        Called when the process ends before `close`.
    closing_seconds
        How long `close` waits for the process.
    """

    def __init__(
        self,
        index: int,
        instance: int,
        connect: Callable[[], socket.socket],
        on_end: Callable[[], None],
        *,
        closing_seconds: float = 5.0,
    ) -> None:
        self._closing_seconds = closing_seconds
        with connect() as channel:
            descriptor = channel.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__, str(descriptor), str(index), str(instance)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=[descriptor],
                start_new_session=True,
            )
        # It prints nothing, so its output becomes readable only when it ends.
        assert self._process.stdout is not None
        self._output = self._process.stdout
        asyncio.get_running_loop().add_reader(self._output, self._note_end, on_end)

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def watch_advertisement(self, seconds: float) -> None:
        """Let an advertisement last for `seconds` of real time from now on; 0 for none.

        Raises
        ------
        OSError
            When the process has ended.
        """
        self._write(f"advertisement {seconds!r}\n")

    def watch_monitor(self, handle: int) -> None:
        """Remove this monitor when the agent is gone; 0 for none.

        Raises
        ------
        OSError
            When the process has ended.
        """
        self._write(f"monitor {handle}\n")

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode())
        self._process.stdin.flush()

    def _note_end(self, on_end: Callable[[], None]) -> None:
        asyncio.get_running_loop().remove_reader(self._output)
        on_end()

    def hang_up(self) -> None:
        """Close the pipe to the process, as the death of the agent does."""
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def close(self) -> None:
        """Let the process remove what is left and end; a busy machine may take a little longer."""
        asyncio.get_running_loop().remove_reader(self._output)
        self._output.close()
        with contextlib.suppress(OSError):
            self.hang_up()
        try:
            await asyncio.to_thread(self._process.wait, self._closing_seconds)
        except subprocess.TimeoutExpired:
            # Killed, it would undo nothing.
            threading.Thread(target=self._process.wait, daemon=True).start()


class _Watch:
    """The process: what is on the adapter, and how it is removed."""

    def __init__(self, channel: int, index: int, instance: int) -> None:
        self._channel = channel
        self._index = index
        self._instance = instance
        self._ends_at = math.inf
        self._advertising = False
        self._monitor = 0

    def run(self) -> None:
        """Watch until standard input or the channel ends, or anything fails; then remove."""
        try:
            self._watch()
        finally:
            self._undo()

    def _watch(self) -> None:
        orders, pending = sys.stdin.fileno(), b""
        while True:
            ready, _, _ = select.select([orders, self._channel], [], [], self._wait())
            if self._channel in ready and not os.read(self._channel, 65536):
                return
            if orders in ready:
                received = os.read(orders, 4096)
                if not received:
                    return
                *lines, pending = (pending + received).split(b"\n")
                for line in lines:
                    self._note(*line.decode().split())
            elif self._advertising and time.clock_gettime(_CLOCK) >= self._ends_at:
                self._end_advertisement()

    def _wait(self) -> float | None:
        if not self._advertising:
            return None
        # select does not count the time of a suspended machine, so the clock is read often.
        return min(max(0.0, self._ends_at - time.clock_gettime(_CLOCK)), _LONGEST_WAIT_SECONDS)

    def _note(self, what: str, value: str) -> None:
        if what == "monitor":
            self._monitor = int(value)
        else:
            self._advertising = float(value) > 0
            self._ends_at = time.clock_gettime(_CLOCK) + float(value)

    def _undo(self) -> None:
        if self._advertising:
            self._end_advertisement()
        if self._monitor:
            self._order(_REMOVE_MONITOR, struct.pack("<H", self._monitor))

    def _end_advertisement(self) -> None:
        self._advertising = False
        self._order(_REMOVE_ADVERTISING, bytes([self._instance]))

    def _order(self, command: int, body: bytes) -> None:
        """Send a command, and again while the kernel is busy with a dead agent's last command."""
        order = _HEADER.pack(command, self._index, len(body)) + body
        until = time.monotonic() + _ANSWER_SECONDS
        with contextlib.suppress(OSError):
            os.write(self._channel, order)
            while self._has_message(until) and (message := os.read(self._channel, 65536)):
                message = message.ljust(_ANSWER.size, b"\0")
                event, index, _, answered, status = _ANSWER.unpack_from(message)
                if (index, answered) != (self._index, command) or event not in _ANSWERS:
                    continue
                if status != _BUSY:
                    return
                time.sleep(_BUSY_SECONDS)
                os.write(self._channel, order)

    def _has_message(self, until: float) -> bool:
        return bool(select.select([self._channel], [], [], max(0.0, until - time.monotonic()))[0])


if __name__ == "__main__":
    # A service manager that ends the agent signals every process of it, and this one must outlive
    # the agent by a moment. The end of its standard input ends it in any case.
    for number in (signal.SIGABRT, signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _Watch(*map(int, sys.argv[1:4])).run()
