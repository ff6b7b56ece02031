"""The kernel's end of the management channel, with the layouts that Linux 6.12 answered with."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from ble_agent.radio.mgmt.channel import NO_INDEX, MgmtCommand, MgmtEvent, MgmtStatus

_HEADER = struct.Struct("<HHH")
# Read Advertising Features as recorded: flags, longest data and scan response, instances, used.
LEGACY_FEATURES = bytes.fromhex("7ff001001f1f0500")
EXTENDED_FEATURES = bytes.fromhex("ffff0100fbfb0800")
# Four of the values of Read Default System Configuration, as recorded.
DEFAULTS = bytes.fromhex("0a00020008 0b00020008 1300026000 1400023000")
_INFO = "<6xBHII260x"
_LE, _POWERED = 1 << 9, 1 << 0


class FakeKernel:
    """Adapters as the management channel shows them; `connect` opens another channel to it."""

    def __init__(self, *, extended: bool = False, indices: tuple[int, ...] = (0,)) -> None:
        self.indices = list(indices)
        self.features = EXTENDED_FEATURES if extended else LEGACY_FEATURES
        self.supported = _LE | 0x7F
        self.settings = dict.fromkeys(indices, 0)
        self.advertising: dict[tuple[int, int], tuple[int, bytes]] = {}
        """Timeout and data by adapter and instance."""
        self.monitors: set[int] = set()
        self.defaults = DEFAULTS
        self.commands: list[MgmtCommand] = []
        self.refusals: dict[MgmtCommand, int] = {}
        self.silent: set[MgmtCommand] = set()
        self.channels: list[socket.socket] = []

    def connect(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self.channels.append(ours)
        asyncio.get_running_loop().add_reader(ours, self._readable, ours)
        return theirs

    def close(self) -> None:
        """End every channel, as the kernel does when it is told to shut down."""
        while self.channels:
            self._drop(self.channels[0])

    def event(self, event: int, index: int, body: bytes = b"", *, but: Any = None) -> None:
        for channel in self.channels:
            if channel is not but:
                channel.send(_HEADER.pack(event, index, len(body)) + body)

    def found(self, index: int, data: bytes, rssi_dbm: int, *, monitored: bool = True) -> None:
        """Report an advertisement."""
        body = struct.pack("<6sBbIH", bytes(range(1, 7)), 2, rssi_dbm, 0, len(data)) + data
        if monitored:
            self.event(MgmtEvent.MONITOR_DEVICE_FOUND, index, b"\0\0" + body)
        else:
            self.event(MgmtEvent.DEVICE_FOUND, index, body)

    def unplug(self, index: int) -> None:
        self.indices.remove(index)
        self.monitors.clear()
        self.advertising.clear()
        self.event(MgmtEvent.INDEX_REMOVED, index)

    def switch_off(self, index: int) -> None:
        self.settings[index] &= ~_POWERED
        self.event(MgmtEvent.NEW_SETTINGS, index, struct.pack("<I", self.settings[index]))

    def _drop(self, channel: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(channel)
        self.channels.remove(channel)
        channel.close()

    def _readable(self, channel: socket.socket) -> None:
        try:
            message = channel.recv(65536)
        except OSError:
            message = b""
        if not message:
            self._drop(channel)
            return
        code, index, length = _HEADER.unpack_from(message)
        body = message[_HEADER.size :]
        assert len(body) == length
        command = MgmtCommand(code)
        self.commands.append(command)
        if command in self.silent:
            return
        status, answer = self._answer(command, index, body, channel)
        event = MgmtEvent.COMMAND_STATUS if status else MgmtEvent.COMMAND_COMPLETE
        reply = struct.pack("<HB", command, status) + answer
        channel.send(_HEADER.pack(event, index, len(reply)) + reply)

    def _answer(
        self, command: MgmtCommand, index: int, body: bytes, channel: socket.socket
    ) -> tuple[int, bytes]:
        if command in self.refusals:
            return self.refusals[command], b""
        if command is MgmtCommand.READ_INDEX_LIST:
            assert index == NO_INDEX
            return 0, struct.pack(f"<H{len(self.indices)}H", len(self.indices), *self.indices)
        if index not in self.indices:
            return MgmtStatus.INVALID_INDEX, b""
        handler = getattr(self, f"_on_{command.name.lower()}")
        answer: tuple[int, bytes] = handler(index, body, channel)
        return answer

    def _on_read_info(self, index: int, *_: Any) -> tuple[int, bytes]:
        return 0, struct.pack(_INFO, 9, 2, self.supported, self.settings[index])

    def _on_set_le(self, index: int, body: bytes, _: Any) -> tuple[int, bytes]:
        self.settings[index] |= _LE
        return 0, struct.pack("<I", self.settings[index])

    def _on_set_powered(self, index: int, body: bytes, _: Any) -> tuple[int, bytes]:
        self.settings[index] |= _POWERED
        return 0, struct.pack("<I", self.settings[index])

    def _on_read_adv_features(self, index: int, *_: Any) -> tuple[int, bytes]:
        used = bytes(instance for adapter, instance in self.advertising if adapter == index)
        return 0, self.features[:-1] + bytes([len(used)]) + used

    def _on_add_advertising(self, index: int, body: bytes, _: Any) -> tuple[int, bytes]:
        instance, _flags, _duration, timeout, length, scan_response = struct.unpack_from(
            "<BIHHBB", body
        )
        assert scan_response == 0
        assert len(body) == 11 + length
        if self.monitors:
            # What a legacy controller's refusal of a new address becomes.
            return MgmtStatus.FAILED, b""
        self.advertising[index, instance] = (timeout, body[11:])
        return 0, bytes([instance])

    def _on_remove_advertising(
        self, index: int, body: bytes, channel: socket.socket
    ) -> tuple[int, bytes]:
        if self.advertising.pop((index, body[0]), None) is None:
            return MgmtStatus.INVALID_PARAMETERS, b""
        self.event(MgmtEvent.ADVERTISING_REMOVED, index, body, but=channel)
        return 0, body

    def _on_read_defaults(self, *_: Any) -> tuple[int, bytes]:
        return 0, self.defaults

    def _on_set_defaults(self, index: int, body: bytes, _: Any) -> tuple[int, bytes]:
        self.defaults = body
        return 0, b""

    def _on_read_monitor_features(self, *_: Any) -> tuple[int, bytes]:
        handles = struct.pack(f"<{len(self.monitors)}H", *sorted(self.monitors))
        return 0, bytes.fromhex("0000000000000000200010") + struct.pack(
            "<H", len(self.monitors)
        ) + handles

    def _on_add_patterns_monitor(self, index: int, body: bytes, _: Any) -> tuple[int, bytes]:
        assert len(body) == 1 + 34 * body[0]
        assert body[1:6] == b"\x16\x00\x02\x6f\xfd"
        handle = max(self.monitors, default=0) + 1
        self.monitors.add(handle)
        return 0, struct.pack("<H", handle)

    def _on_remove_monitor(self, index: int, body: bytes, _: Any) -> tuple[int, bytes]:
        self.monitors.remove(int.from_bytes(body, "little"))
        return 0, body

    def _on_start_discovery(self, index: int, body: bytes, _: Any) -> tuple[int, bytes]:
        return 0, body

    def _on_stop_discovery(self, index: int, body: bytes, _: Any) -> tuple[int, bytes]:
        return 0, body
