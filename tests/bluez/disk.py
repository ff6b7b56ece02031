"""A disk with a volatile cache, for a virtual machine whose power is cut: an NBD server.

It answers every write at once and keeps it only after the next flush, as disks and SD cards do; at
the cut it forgets what it was told to. The facts are of the NBD protocol's own text (doc/proto.md):
fixed newstyle, simple replies, one client.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random

SECTOR = 512

_MAGIC, _OPTION_MAGIC, _REPLY_MAGIC = b"NBDMAGIC", b"IHAVEOPT", 0x0003E889045565A9
_FIXED_NEWSTYLE_NO_ZEROES = 3
_GO, _ACK, _INFO, _UNSUPPORTED = 7, 1, 3, (1 << 31) + 1
_HAS_FLAGS_SEND_FLUSH = 1 | 1 << 2
_REQUEST_MAGIC, _SIMPLE_REPLY_MAGIC = 0x25609513, 0x67446698
_READ, _WRITE, _FLUSH = 0, 1, 3
_REQUEST = struct.Struct(">IHHQQI")


class Disk:
    """A disk image, what of it a flush has made lasting, and what was only written."""

    def __init__(self, image: Path) -> None:
        self._image = image
        self._shown = bytearray(image.read_bytes())
        self._unflushed: list[tuple[int, bytes]] = []
        self._is_off = True
        self._is_free = asyncio.Event()
        self._is_free.set()
        self.writes = 0
        """Writes and flushes of this run."""
        self.on_write: Callable[[], None] = lambda: None
        """Called when a write or a flush has come, before it is answered."""

    @contextlib.asynccontextmanager
    async def serve(self, socket: Path) -> AsyncIterator[None]:
        """Switch the disk on, at a path where nothing is; its user must be gone at the end."""
        self._is_off = False
        self.writes = 0
        async with await asyncio.start_unix_server(self._client, socket):
            yield
            await self._is_free.wait()

    def cut(self, random: Random | None) -> tuple[int, int]:
        """Switch it off at once, and put into the image what it will hold from now on.

        Without `random` that is every write that arrived; else each sector of every write since the
        last flush stays or not by chance. Returns how many sectors were not flushed, and how many
        of these are lost.
        """
        self._is_off = True
        waiting = lost = 0
        share = 0.0 if random is None else random.random()
        with self._image.open("r+b") as file:
            for offset, data in self._unflushed:
                for start in range(0, len(data), SECTOR):
                    waiting += 1
                    if random is not None and random.random() < share:
                        lost += 1
                        continue
                    file.seek(offset + start)
                    file.write(data[start : start + SECTOR])
        self._unflushed.clear()
        self._shown[:] = self._image.read_bytes()
        return waiting, lost

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._is_free.clear()
        try:
            await self._negotiate(reader, writer)
            while await self._answer(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # Whoever reads the disk was killed.
        finally:
            writer.close()
            self._is_free.set()

    async def _negotiate(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_MAGIC + _OPTION_MAGIC + struct.pack(">H", _FIXED_NEWSTYLE_NO_ZEROES))
        await reader.readexactly(4)
        option = 0
        while option != _GO:
            magic, option, length = struct.unpack(">8sII", await reader.readexactly(16))
            if magic != _OPTION_MAGIC:
                raise ConnectionError("the client does not speak NBD")
            await reader.readexactly(length)
            if option == _GO:
                about = struct.pack(">HQH", 0, len(self._shown), _HAS_FLAGS_SEND_FLUSH)
                writer.write(struct.pack(">QIII", _REPLY_MAGIC, option, _INFO, len(about)) + about)
            kind = _ACK if option == _GO else _UNSUPPORTED
            writer.write(struct.pack(">QIII", _REPLY_MAGIC, option, kind, 0))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = _REQUEST.unpack(await reader.readexactly(_REQUEST.size))
        magic, _, command, handle, offset, length = request
        if magic != _REQUEST_MAGIC or command not in (_READ, _WRITE, _FLUSH):
            return False
        if command == _WRITE:
            data = await reader.readexactly(length)
            self._shown[offset : offset + length] = data
            self._unflushed.append((offset, data))
        if command != _READ:
            self.writes += 1
            self.on_write()
        if self._is_off:
            return False
        if command == _FLUSH:
            self._keep()
        answer = self._shown[offset : offset + length] if command == _READ else b""
        writer.write(struct.pack(">IIQ", _SIMPLE_REPLY_MAGIC, 0, handle) + answer)
        await writer.drain()
        return True

    def _keep(self) -> None:
        with self._image.open("r+b") as file:
            for offset, data in self._unflushed:
                file.seek(offset)
                file.write(data)
        self._unflushed.clear()
