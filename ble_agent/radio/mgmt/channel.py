"""The kernel's Bluetooth management channel: commands, answers and events as bytes.

The layouts are those of BlueZ's ``doc/mgmt-api.txt``. No message is trusted to be complete.
"""

from __future__ import annotations

import asyncio
import ctypes
import enum
import os
import socket
import struct
from collections.abc import Callable
from typing import NamedTuple

__all__ = [
    "NO_INDEX",
    "AdvFeatures",
    "ControllerInfo",
    "DeviceFound",
    "MgmtChannel",
    "MgmtCommand",
    "MgmtEvent",
    "MgmtRefusedError",
    "MgmtStatus",
    "is_powered",
    "open_control_channel",
    "read_adv_features",
    "read_controller_info",
    "read_device_found",
    "read_monitors",
    "read_tlvs",
]

NO_INDEX = 0xFFFF
"""Index of commands that concern no controller."""

_AF_BLUETOOTH, _BTPROTO_HCI, _HCI_CHANNEL_CONTROL = 31, 1, 3
_HEADER = struct.Struct("<HHH")
_ANSWER = struct.Struct("<HB")
_INFO = struct.Struct("<6xBHII")
_FOUND = struct.Struct("<6xBbIH")
_TLV = struct.Struct("<HB")
_LONGEST_MESSAGE = 65536
_SECONDARY_CHANNELS = 0x7 << 7  # 1M, 2M or coded PHY
_LE_SETTING, _POWERED_SETTING = 1 << 9, 1 << 0


class MgmtCommand(enum.IntEnum):
    """Commands that are sent."""

    READ_INDEX_LIST = 0x0003
    READ_INFO = 0x0004
    SET_POWERED = 0x0005
    SET_LE = 0x000D
    START_DISCOVERY = 0x0023
    STOP_DISCOVERY = 0x0024
    READ_ADV_FEATURES = 0x003D
    ADD_ADVERTISING = 0x003E
    REMOVE_ADVERTISING = 0x003F
    READ_DEFAULTS = 0x004B
    SET_DEFAULTS = 0x004C
    READ_MONITOR_FEATURES = 0x0051
    ADD_PATTERNS_MONITOR = 0x0052
    REMOVE_MONITOR = 0x0053


class MgmtEvent(enum.IntEnum):
    """Events that are handled."""

    COMMAND_COMPLETE = 0x0001
    COMMAND_STATUS = 0x0002
    INDEX_ADDED = 0x0004
    INDEX_REMOVED = 0x0005
    NEW_SETTINGS = 0x0006
    DEVICE_FOUND = 0x0012
    DISCOVERING = 0x0013
    ADVERTISING_REMOVED = 0x0024
    CONTROLLER_RESUME = 0x002E
    MONITOR_DEVICE_FOUND = 0x002F


class MgmtStatus(enum.IntEnum):
    """The kernel's reasons for refusing that are handled differently."""

    UNKNOWN_COMMAND = 0x01
    FAILED = 0x03
    BUSY = 0x0A
    REJECTED = 0x0B
    NOT_SUPPORTED = 0x0C
    INVALID_PARAMETERS = 0x0D
    NOT_POWERED = 0x0F
    INVALID_INDEX = 0x11
    RFKILLED = 0x12
    PERMISSION_DENIED = 0x14


class MgmtRefusedError(Exception):
    """The kernel refused a command; `status` says why."""

    def __init__(self, command: int, status: int) -> None:
        super().__init__(f"command {command:#06x} refused with {status:#04x}")
        self.status = status


class ControllerInfo(NamedTuple):
    """State of a controller."""

    has_low_energy: bool
    low_energy_on: bool
    powered: bool


class AdvFeatures(NamedTuple):
    """Advertising features of a controller."""

    is_extended: bool
    """Whether the controller keeps advertising sets and their timeouts itself."""
    most_instances: int
    used_instances: bytes


class DeviceFound(NamedTuple):
    """One advertisement reported by the kernel."""

    data: bytes
    """Advertising data, possibly malformed."""
    rssi_dbm: int
    """Signal strength, −128 to 127; 127 means unknown."""


def open_control_channel() -> socket.socket:
    """Open the management channel; without CAP_NET_ADMIN it refuses most commands.

    Raises
    ------
    OSError
        When the kernel has no Bluetooth or refuses the channel.
    """
    channel = socket.socket(
        _AF_BLUETOOTH, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, _BTPROTO_HCI
    )
    # Python's own bind cannot name a channel before 3.14.
    address = struct.pack("<HHH", _AF_BLUETOOTH, NO_INDEX, _HCI_CHANNEL_CONTROL)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.bind(channel.fileno(), address, len(address)) != 0:
        number = ctypes.get_errno()
        channel.close()
        raise OSError(number, os.strerror(number))
    return channel


def read_controller_info(answer: bytes) -> ControllerInfo:
    """Read the answer to Read Controller Information.

    Raises
    ------
    struct.error
        When the answer is cut short.
    """
    _, _, supported, current = _INFO.unpack_from(answer)
    return ControllerInfo(
        bool(supported & _LE_SETTING), bool(current & _LE_SETTING), bool(current & _POWERED_SETTING)
    )


def is_powered(settings: bytes) -> bool:
    """Return whether the settings of a New Settings event include power; True when cut short."""
    return len(settings) < 4 or bool(settings[0] & _POWERED_SETTING)


def read_adv_features(answer: bytes) -> AdvFeatures:
    """Read the answer to Read Advertising Features.

    Raises
    ------
    struct.error
        When the answer is cut short.
    """
    flags, _, _, most, count = struct.unpack_from("<IBBBB", answer)
    return AdvFeatures(bool(flags & _SECONDARY_CHANNELS), most, answer[8 : 8 + count])


def read_monitors(answer: bytes) -> list[bytes]:
    """Read the handles in use from the answer to Read Advertisement Monitor Features.

    Raises
    ------
    struct.error
        When the answer is cut short.
    """
    _, _, _, _, count = struct.unpack_from("<IIHBH", answer)
    return [answer[at : at + 2] for at in range(13, min(13 + 2 * count, len(answer) - 1), 2)]


def read_device_found(event: int, body: bytes) -> DeviceFound | None:
    """Read a Device Found or Advertisement Monitor Device Found event; None when cut short."""
    at = 2 if event == MgmtEvent.MONITOR_DEVICE_FOUND else 0
    if len(body) < at + _FOUND.size:
        return None
    _, rssi_dbm, _, length = _FOUND.unpack_from(body, at)
    data = body[at + _FOUND.size : at + _FOUND.size + length]
    return DeviceFound(data, rssi_dbm) if len(data) == length else None


def read_tlvs(answer: bytes) -> dict[int, bytes]:
    """Read the answer to Read Default System Configuration, as far as it is complete."""
    values, at = {}, 0
    while at + _TLV.size <= len(answer):
        kind, length = _TLV.unpack_from(answer, at)
        at += _TLV.size
        if at + length > len(answer):
            break
        values[kind] = answer[at : at + length]
        at += length
    return values


class MgmtChannel:
    """Commands to the kernel, one at a time, and its events as they arrive.

    Parameters
    ----------
    channel
        A socket that preserves message boundaries; `close` closes it.
    on_event
        Called with event, controller's index and body.
    on_lost
        Called once, when the socket ends.
    """

    def __init__(
        self,
        channel: socket.socket,
        on_event: Callable[[int, int, bytes], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._channel = channel
        self._on_event = on_event
        self._on_lost = on_lost
        self._turn = asyncio.Lock()
        self._waiting: tuple[int, int, asyncio.Future[bytes]] | None = None
        channel.setblocking(False)
        asyncio.get_running_loop().add_reader(channel, self._readable)

    async def command(
        self, command: MgmtCommand, index: int, body: bytes = b"", *, seconds: float
    ) -> bytes:
        """Send a command and return its answer.

        Raises
        ------
        MgmtRefusedError
            When the kernel refuses.
        TimeoutError
            When the kernel does not answer within `seconds` of real time.
        OSError
            When the socket has ended.
        """
        async with self._turn:
            answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
            self._waiting = (command, index, answer)
            try:
                self._channel.send(_HEADER.pack(command, index, len(body)) + body)
                async with asyncio.timeout(seconds):
                    return await answer
            finally:
                self._waiting = None

    def close(self) -> None:
        """Close the socket; no callback is called after that."""
        if self._channel.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._channel)
            self._channel.close()

    def _readable(self) -> None:
        try:
            message = self._channel.recv(_LONGEST_MESSAGE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            message = b""
        if not message:
            asyncio.get_running_loop().remove_reader(self._channel)
            if self._waiting is not None and not self._waiting[2].done():
                self._waiting[2].set_exception(ConnectionResetError("the channel has ended"))
            self._on_lost()
            return
        if len(message) < _HEADER.size:
            return
        event, index, length = _HEADER.unpack_from(message)
        body = message[_HEADER.size : _HEADER.size + length]
        if event in (MgmtEvent.COMMAND_COMPLETE, MgmtEvent.COMMAND_STATUS):
            self._answered(index, body)
        else:
            self._on_event(event, index, body)

    def _answered(self, index: int, body: bytes) -> None:
        if len(body) < _ANSWER.size or self._waiting is None:
            return
        command, status = _ANSWER.unpack_from(body)
        expected, its_index, answer = self._waiting
        if (command, index) != (expected, its_index) or answer.done():
            return
        if status:
            answer.set_exception(MgmtRefusedError(command, status))
        else:
            answer.set_result(body[_ANSWER.size :])
