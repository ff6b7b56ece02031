"""Plugs controllers of a virtual air into this machine's kernel, and unplugs them when told to.

It reads lines from standard input: ``plug NAME`` and ``unplug NAME``; it answers each with a line
``NAME hciN`` or ``NAME unplugged`` when that has happened. It ends with its input.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path

from bumble.transport.common import PacketParser

from ble_agent.virtual_air.air import Air
from ble_agent.virtual_air.scenario import Scenario
from tracing_core.clock import Clock

_VENDOR_PACKET = 0xFF
_LONGEST_PACKET = 4096


class Plug:
    """One controller of the air as an adapter of the kernel."""

    def __init__(self, host: str, port: int) -> None:
        self._where = (host, port)
        self._parser = PacketParser()
        self._parser.set_packet_sink(self)

    async def connect(self) -> int:
        """Create the adapter, and return its number."""
        self._reader, self._writer = await asyncio.open_connection(*self._where)
        self._file = os.open("/dev/vhci", os.O_RDWR | os.O_NONBLOCK)
        loop = asyncio.get_running_loop()
        self._number: asyncio.Future[int] = loop.create_future()
        loop.add_reader(self._file, self._from_kernel)
        os.write(self._file, bytes([_VENDOR_PACKET, 0]))
        self._pump = asyncio.create_task(self._from_controller())
        return await self._number

    async def disconnect(self) -> None:
        """Take the adapter away from the kernel."""
        self._pump.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._pump
        asyncio.get_running_loop().remove_reader(self._file)
        os.close(self._file)
        self._writer.close()

    def on_packet(self, packet: bytes) -> None:
        """Hand the kernel one packet of the controller's."""
        os.write(self._file, packet)

    async def _from_controller(self) -> None:
        while data := await self._reader.read(_LONGEST_PACKET):
            self._parser.feed_data(data)

    def _from_kernel(self) -> None:
        packet = os.read(self._file, _LONGEST_PACKET)
        if packet[0] == _VENDOR_PACKET:
            self._number.set_result(int.from_bytes(packet[2:4], "little"))
        else:
            self._writer.write(packet)


async def main(scenario: Path, trace: Path) -> None:
    """Serve an air until the input ends."""
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    plugs: dict[str, Plug] = {}
    async with Air(Scenario.read(scenario), Clock(), trace=trace) as air:
        while line := await orders.readline():
            order, name = line.decode().split()
            if order == "plug":
                _, host, port = air.transports[name].split(":")
                plugs[name] = Plug(host, int(port))
                _answer(f"{name} hci{await plugs[name].connect()}")
            else:
                await plugs.pop(name).disconnect()
                _answer(f"{name} unplugged")
        for plug in plugs.values():
            await plug.disconnect()
        await asyncio.sleep(0.2)


def _answer(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
