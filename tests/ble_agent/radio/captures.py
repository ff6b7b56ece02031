"""Writes recordings of our own in every format that is read."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

Packet = tuple[float, int, bytes]
"""Time in Unix seconds, kind as in H4 (1 command, 2 data, 4 event), the packet without its kind."""


def legacy_report(*reports: tuple[bytes, int]) -> bytes:
    """An LE Advertising Report event of (data, RSSI) pairs."""
    body = bytes([2, len(reports)])
    for data, rssi in reports:
        body += bytes([3, 1, 6, 5, 4, 3, 2, 1, len(data)]) + data + rssi.to_bytes(1, signed=True)
    return bytes([0x3E, len(body)]) + body


def extended_report(
    *reports: tuple[bytes, int], status: int = 0, advertiser: int = 1, event_type: int = 0x10
) -> bytes:
    """An LE Extended Advertising Report event; status 1 announces more, 2 says truncated."""
    body = bytes([0x0D, len(reports)])
    for data, rssi in reports:
        body += (event_type | status << 5).to_bytes(2, "little")
        body += bytes([1, advertiser, 5, 4, 3, 2, 1, 1, 0, 0xFF, 0x7F])
        body += rssi.to_bytes(1, signed=True) + bytes(9) + bytes([len(data)]) + data
    return bytes([0x3E, len(body)]) + body


def write_btsnoop(path: Path, packets: Iterable[Packet], *, datalink: int = 1002) -> Path:
    with path.open("wb") as out:
        out.write(b"btsnoop\0" + struct.pack(">II", 1, datalink))
        for moment, kind, packet in packets:
            body = bytes([kind]) + packet if datalink == 1002 else packet
            flags = {1: 2, 4: 3, 2: 5 if datalink == 2001 else 1}[kind]
            microseconds = round(moment * 1_000_000) + 0x00DCDDB30F2F8000
            out.write(struct.pack(">IIIIq", len(body), len(body), flags, 0, microseconds) + body)
    return path


def write_packet_logger(path: Path, packets: Iterable[Packet], *, order: str = ">") -> Path:
    with path.open("wb") as out:
        for moment, kind, packet in packets:
            seconds, microseconds = divmod(round(moment * 1_000_000), 1_000_000)
            apple = {1: 0, 4: 1, 2: 3}[kind]
            out.write(struct.pack(f"{order}IIIB", 9 + len(packet), seconds, microseconds, apple))
            out.write(packet)
        out.write(struct.pack(f"{order}IIIB", 9 + 4, 1_700_000_000, 0, 0xFC) + b"note")
    return path
