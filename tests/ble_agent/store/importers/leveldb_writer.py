"""Writes LevelDB folders as the format's documents describe them, and Snappy."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from pathlib import Path

from ble_agent.store.importers.leveldb.crc32c import masked_crc32c

Change = tuple[bytes, bytes | None]
"""A key and its new value; None deletes it."""
MAGIC = 0xDB4775248B80FB57


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def lump(data: bytes) -> bytes:
    return varint(len(data)) + data


def snappy(data: bytes, seed: int = 0) -> bytes:
    """Compress with every kind of literal and copy, chosen at random."""
    chance = random.Random(seed)
    out = bytearray(varint(len(data)))
    at = 0
    while at < len(data):
        offset = chance.randint(1, at) if at else 0
        size = 0
        while (
            offset
            and size < 64
            and data[at + size : at + size + 1]
            == (data[at - offset + size % offset : at - offset + size % offset + 1])
        ):
            size += 1
        if 4 <= size <= 11 and offset < 2048:
            out += bytes([1 | size - 4 << 2 | offset >> 8 << 5, offset & 0xFF])
        elif size and offset < 65536 and chance.random() < 0.7:
            out += bytes([2 | size - 1 << 2]) + offset.to_bytes(2, "little")
        elif size:
            out += bytes([3 | size - 1 << 2]) + offset.to_bytes(4, "little")
        else:
            size = min(chance.choice([1, 60, 61, 300, 70_000]), len(data) - at)
            extra = 0 if size <= 60 else chance.randint((size - 1).bit_length() + 7 >> 3, 4)
            tag = size - 1 if not extra else 59 + extra
            out += bytes([tag << 2])
            out += (size - 1).to_bytes(extra, "little") if extra else b""
            out += data[at : at + size]
        at += size
    return bytes(out)


def block(contents: bytes, compression: int) -> bytes:
    stored = snappy(contents) if compression == 1 else contents
    checked = stored + bytes([compression])
    return checked + masked_crc32c(checked).to_bytes(4, "little")


def entries_block(entries: Sequence[tuple[bytes, bytes]], restart_every: int = 4) -> bytes:
    out, restarts, last = bytearray(), [], b""
    for number, (key, value) in enumerate(entries):
        shared = 0
        if number % restart_every == 0:
            restarts.append(len(out))
        else:
            while shared < min(len(key), len(last)) and key[shared] == last[shared]:
                shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value))
        out += key[shared:] + value
        last = key
    restarts = restarts or [0]
    for offset in [*restarts, len(restarts)]:
        out += offset.to_bytes(4, "little")
    return bytes(out)


def table(changes: Sequence[tuple[bytes, int, bytes | None]], compression: int = 0) -> bytes:
    """A table of key, sequence number and value, already in its order."""
    out, index = bytearray(), []
    for start in range(0, len(changes), 7):
        part = [
            (key + (sequence << 8 | (value is not None)).to_bytes(8, "little"), value or b"")
            for key, sequence, value in changes[start : start + 7]
        ]
        stored = block(entries_block(part), compression)
        index.append((part[-1][0], varint(len(out)) + varint(len(stored) - 5)))
        out += stored
    handles = b""
    for contents in (entries_block([]), entries_block(index)):
        stored = block(contents, 0)
        handles += varint(len(out)) + varint(len(stored) - 5)
        out += stored
    return bytes(out) + handles.ljust(40, b"\0") + MAGIC.to_bytes(8, "little")


def log(records: Iterable[bytes]) -> bytes:
    out = bytearray()
    for record in records:
        rest, is_first = record, True
        while is_first or rest:
            room = 32768 - len(out) % 32768
            if room < 7:
                out += bytes(room)
                room = 32768
            part, rest = rest[: room - 7], rest[room - 7 :]
            kind = bytes([(1 if not rest else 2) if is_first else (4 if not rest else 3)])
            out += masked_crc32c(kind + part).to_bytes(4, "little")
            out += len(part).to_bytes(2, "little") + kind + part
            is_first = False
    return bytes(out)


def batch(sequence: int, changes: Sequence[Change]) -> bytes:
    out = sequence.to_bytes(8, "little") + len(changes).to_bytes(4, "little")
    for key, value in changes:
        out += bytes([value is not None]) + lump(key) + (b"" if value is None else lump(value))
    return out


def manifest(tables: Iterable[int], log_number: int, *, more: bytes = b"") -> bytes:
    edit = varint(1) + lump(b"leveldb.BytewiseComparator")
    edit += varint(2) + varint(log_number) + varint(9) + varint(0)
    edit += varint(3) + varint(99) + varint(4) + varint(1 << 40) + more
    ends = varint(1) + lump(b"a") + lump(b"b")
    return log([edit, *(varint(7) + varint(0) + varint(number) + ends for number in tables)])


def write_leveldb(
    folder: Path, generations: Sequence[Sequence[Change]], *, compression: int = 0
) -> Path:
    """Write a folder: all generations of changes but the last as tables, the last as a log."""
    folder.mkdir(exist_ok=True)
    sequence, numbers = 1, []
    for number, changes in enumerate(generations[:-1], 10):
        versions = [
            (key, sequence + position, value) for position, (key, value) in enumerate(changes)
        ]
        sequence += len(changes)
        if versions:
            versions.sort(key=lambda version: (version[0], -version[1]))
            suffix = "ldb" if number % 2 else "sst"
            (folder / f"{number:06}.{suffix}").write_bytes(table(versions, compression))
            numbers.append(number)
    last = generations[-1] if generations else []
    batches = [batch(sequence + at, last[at : at + 3]) for at in range(0, len(last), 3)]
    (folder / "000050.log").write_bytes(log(batches))
    # What an earlier log holds stands in the tables already.
    (folder / "000049.log").write_bytes(log([batch(1 << 41, [(b"stale", b"stale")])]))
    (folder / "000009.ldb").write_bytes(table([(b"stale", 1 << 41, b"stale")]))
    (folder / "MANIFEST-000004").write_bytes(manifest(numbers, 50))
    (folder / "CURRENT").write_bytes(b"MANIFEST-000004\n")
    return folder
