"""A TCP proxy that notes what an observer of the network sees: connections, sizes, directions."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Connection:
    """What went over one connection: runs of bytes in one direction, up (+) or down (-)."""

    runs: list[int] = field(default_factory=list)
    began: list[float] = field(default_factory=list)
    received: bytearray = field(default_factory=bytearray)
    sent: bytearray = field(default_factory=bytearray)
    arrivals: list[tuple[int, float]] = field(default_factory=list)
    """How many bytes were sent before each piece, and the system's time at which it came."""
    is_closed_by_client: bool = False


class RecordingProxy:
    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.connections: list[Connection] = []
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            self._open += [client, server]
            seen = Connection()
            self.connections.append(seen)
            for source, sink, way in ((client, server, 1), (server, client, -1)):
                thread = threading.Thread(target=self._pass, args=(source, sink, way, seen))
                thread.daemon = True
                self._threads.append(thread)
                thread.start()

    def _pass(self, source: socket.socket, sink: socket.socket, way: int, seen: Connection) -> None:
        while True:
            try:
                data = source.recv(1 << 16)
            except OSError:
                data = b""
            with self._lock:
                if data:
                    self._note(seen, way, data)
                elif way == 1 and not seen.is_closed_by_client:
                    seen.is_closed_by_client = True
            with contextlib.suppress(OSError):
                if data:
                    sink.sendall(data)
                    continue
                sink.shutdown(socket.SHUT_WR)
            return

    def _note(self, seen: Connection, way: int, data: bytes) -> None:
        if way == 1:
            seen.arrivals.append((len(seen.sent), time.time()))
            seen.sent += data
        else:
            seen.received += data
        if not seen.runs or (seen.runs[-1] > 0) != (way > 0):
            seen.runs.append(0)
            seen.began.append(time.monotonic())
        seen.runs[-1] += way * len(data)

    def close(self) -> None:
        # Closing alone does not wake a thread that waits for a connection.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RD)
        for thread in self._threads:
            thread.join(10)
        for each in self._open:
            each.close()


@contextlib.contextmanager
def recording_proxy(url: str) -> Iterator[RecordingProxy]:
    host, _, port = url.rpartition("/")[2].partition(":")
    proxy = RecordingProxy((host, int(port)))
    try:
        yield proxy
    finally:
        proxy.close()
