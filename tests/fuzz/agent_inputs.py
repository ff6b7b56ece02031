"""The parsers of what an agent is given, which may refuse it only in the way that they say."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import ANY, patch

from ble_agent.radio.replay.capture import read_capture
from ble_agent.store.importers.leveldb import files as leveldb
from tests.ble_agent.radio.captures import (
    Packet,
    extended_report,
    legacy_report,
    write_btsnoop,
    write_packet_logger,
)
from tests.ble_agent.store.importers.leveldb_writer import write_leveldb
from tracing_core.errors import InvalidAdvertisement, InvalidLog, RadioError
from tracing_core.protocol.advertisement import Advertisement

ADVERTISEMENT = Advertisement(bytes(range(16)), bytes(4))


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="truyvet-fuzz-")


def check_advertisement(data: bytes) -> str:
    try:
        heard = Advertisement.decode(data)
    except InvalidAdvertisement:
        return "refused"
    assert Advertisement.decode(heard.encode()) == heard
    assert heard.service_data in data
    return "taken"


def advertisements() -> Iterator[bytes]:
    yield ADVERTISEMENT.encode()
    yield ADVERTISEMENT.encode(flags=None) + bytes(3)


def check_capture(data: bytes) -> str:
    path = Path(_folder().name, "capture")
    path.write_bytes(data)
    try:
        packets = list(read_capture(path))
    except RadioError:
        return "refused"
    assert sum(len(packet.data) for packet in packets) < len(data)
    return "taken"


def captures() -> Iterator[bytes]:
    path = Path(_folder().name, "example")
    heard = (ADVERTISEMENT.encode(), -60)
    packets: list[Packet] = [
        (1_590_019_200.5, 4, legacy_report(heard)),
        (1_590_019_201.0, 1, b"\x0c\x20\x02\x01\x00"),
        (1_590_019_202.25, 4, extended_report(heard)),
        (1_590_019_203.0, 2, b"data"),
    ]
    for datalink in (1001, 1002, 2001):
        yield write_btsnoop(path, packets, datalink=datalink).read_bytes()
    for order in "<>":
        yield write_packet_logger(path, packets, order=order).read_bytes()


@functools.cache
def _database() -> tuple[tuple[Path, bytes], ...]:
    """Write a folder; return its manifest, its log and a table with what they hold."""
    folder = Path(_folder().name, "leveldb")
    keys = [b"key%d" % number for number in range(12)]
    generations = [
        [(key, key * 4) for key in keys],
        [(key, None) for key in keys[::3]],
        [(key, b"changed") for key in keys[::4]],
    ]
    write_leveldb(folder, generations, compression=1)
    names = ("MANIFEST-000004", "000050.log", "000010.sst")
    return tuple((folder / name, (folder / name).read_bytes()) for name in names)


def check_leveldb(data: bytes) -> str:
    """Read a folder one file of which is replaced: the first byte says which."""
    path, whole = _database()[(data[:1] or b"\0")[0] % 3]
    path.write_bytes(data[1:])
    try:
        # Every checksum is right, or fuzzing would end at the first.
        with patch.object(leveldb, "masked_crc32c", lambda _: ANY):
            found = [key for key, _ in leveldb.read_leveldb(path.parent)]
    except InvalidLog:
        return "refused"
    finally:
        path.write_bytes(whole)
    assert found == sorted(set(found))
    return "taken"


def leveldb_files() -> Iterator[bytes]:
    for which, (_, contents) in enumerate(_database()):
        yield bytes([which]) + contents
