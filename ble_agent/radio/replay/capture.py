"""Recordings of the traffic between a host and its Bluetooth controller.

Two formats: btsnoop, which Android and Linux write (datalinks 1001, 1002 and 2001), and Apple's
PacketLogger. Both are read as streams; a record cannot make the reader allocate more than 64 KiB.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO, NamedTuple, NoReturn

from ble_agent.messages.radio import radio_error
from tracing_core.errors import RadioFault

__all__ = ["CapturedPacket", "PacketKind", "read_capture"]

_BTSNOOP_MAGIC = b"btsnoop\0"
_BTSNOOP_HEADER = struct.Struct(">II")
_BTSNOOP_RECORD = struct.Struct(">IIIIq")
# Microseconds from the format's "midnight, 1 January, year 0" to the Unix epoch, as its writers
# (Android, BlueZ) and readers count them.
_BTSNOOP_EPOCH = 0x00DCDDB30F2F8000
_LONGEST_RECORD = 1 << 16
_LATEST = 2**32 * 600


class PacketKind(enum.IntEnum):
    """Kind of a packet; the values are those of HCI's UART transport (H4)."""

    COMMAND = 1
    ACL_DATA = 2
    SYNCHRONOUS_DATA = 3
    EVENT = 4
    ISO_DATA = 5


class CapturedPacket(NamedTuple):
    """One packet and its time."""

    time: float
    """UTC Unix seconds by the recording device's clock."""
    kind: PacketKind
    data: bytes
    """The packet without the byte for its kind; the recorder may have cut it short."""


def read_capture(path: Path) -> Generator[CapturedPacket]:
    """Yield the packets of a recording in file order.

    Raises
    ------
    RadioError
        With `RadioFault.UNREADABLE_CAPTURE`, when the file cannot be opened, has another format or
        is damaged. With `RadioFault.CUT_CAPTURE`, when it ends inside a record, as it does when its
        recorder was killed. Every packet before that has been yielded.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(len(_BTSNOOP_MAGIC))
            if head == _BTSNOOP_MAGIC:
                yield from _read_btsnoop(path, stream)
            else:
                yield from _read_packet_logger(path, stream, head)
    except OSError as error:
        raise radio_error(
            RadioFault.UNREADABLE_CAPTURE,
            "capture_unreadable",
            path=path,
            reason=error.strerror or error,
        ) from error


def _refuse(path: Path, name: str, /, **values: object) -> NoReturn:
    raise radio_error(RadioFault.UNREADABLE_CAPTURE, name, path=path, **values)


def _cut(path: Path) -> NoReturn:
    raise radio_error(RadioFault.CUT_CAPTURE, "capture_record", path=path)


def _only_zeros(stream: BinaryIO) -> bool:
    """Return whether the rest of a recording is zeros, as after a power cut."""
    return all(not any(part) for part in iter(lambda: stream.read(_LONGEST_RECORD), b""))


def _read_btsnoop(path: Path, stream: BinaryIO) -> Generator[CapturedPacket]:
    header = stream.read(_BTSNOOP_HEADER.size)
    if len(header) < _BTSNOOP_HEADER.size:
        _refuse(path, "capture_header")
    version, datalink = _BTSNOOP_HEADER.unpack(header)
    if version != 1 or datalink not in (1001, 1002, 2001):
        _refuse(path, "capture_version", version=version, datalink=datalink)
    while record := stream.read(_BTSNOOP_RECORD.size):
        if len(record) < _BTSNOOP_RECORD.size:
            _cut(path)
        if not any(record) and _only_zeros(stream):
            _cut(path)
        _, length, flags, _, microseconds = _BTSNOOP_RECORD.unpack(record)
        if length > _LONGEST_RECORD:
            _refuse(path, "capture_length", length=length)
        data = stream.read(length)
        if len(data) < length:
            _cut(path)
        kind = _btsnoop_kind(datalink, flags, data)
        if kind is not None:
            body = data[1:] if datalink == 1002 else data
            yield CapturedPacket(_time(path, microseconds - _BTSNOOP_EPOCH), kind, body)


def _btsnoop_kind(datalink: int, flags: int, data: bytes) -> PacketKind | None:
    if datalink == 1002:
        return PacketKind(data[0]) if data and 1 <= data[0] <= 5 else None
    if datalink == 2001:
        # The Linux monitor: the low half of the flags is its opcode.
        return {2: PacketKind.COMMAND, 3: PacketKind.EVENT}.get(flags & 0xFFFF)
    if flags & 2:
        return PacketKind.EVENT if flags & 1 else PacketKind.COMMAND
    return PacketKind.ACL_DATA


_PACKET_LOGGER_KINDS = {
    0x00: PacketKind.COMMAND,
    0x01: PacketKind.EVENT,
    0x02: PacketKind.ACL_DATA,
    0x03: PacketKind.ACL_DATA,
    0x08: PacketKind.SYNCHRONOUS_DATA,
    0x09: PacketKind.SYNCHRONOUS_DATA,
}


def _read_packet_logger(path: Path, stream: BinaryIO, head: bytes) -> Generator[CapturedPacket]:
    # There is no magic number. A record is its length, seconds, microseconds and one byte of kind;
    # older versions of the tool write them big-endian, newer ones little-endian.
    head += stream.read(13 - len(head))
    if len(head) < 13:
        _refuse(path, "capture_format")
    record = struct.Struct(">IIIB")
    if not _plausible(*record.unpack(head)):
        record = struct.Struct("<IIIB")
        if not _plausible(*record.unpack(head)):
            _refuse(path, "capture_format")
    while head:
        if len(head) < record.size:
            _cut(path)
        if not any(head) and _only_zeros(stream):
            _cut(path)
        length, seconds, microseconds, kind = record.unpack(head)
        if not _plausible(length, seconds, microseconds, kind):
            _refuse(path, "capture_damaged")
        data = stream.read(length - 9)
        if len(data) < length - 9:
            _cut(path)
        if kind in _PACKET_LOGGER_KINDS:
            moment = _time(path, seconds * 1_000_000 + microseconds)
            yield CapturedPacket(moment, _PACKET_LOGGER_KINDS[kind], data)
        head = stream.read(record.size)


def _plausible(length: int, _seconds: int, microseconds: int, _kind: int) -> bool:
    return 9 <= length <= _LONGEST_RECORD and microseconds < 1_000_000


def _time(path: Path, microseconds: int) -> float:
    seconds = microseconds / 1e6
    if not 0 <= seconds < _LATEST:
        _refuse(path, "capture_time")
    return seconds
