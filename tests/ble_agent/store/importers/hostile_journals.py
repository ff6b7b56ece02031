"""Makes rollback journals and write-ahead logs that SQLite wrote, and hostile ones out of them."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

SUPER_MAGIC = bytes.fromhex("d9d505f920a163d7")
_NO_SYNC = b"\xff\xff\xff\xff"


def super_record(victim: Path) -> bytes:
    """The end of a journal by which SQLite deletes the victim after the rollback."""
    name = bytes(victim)
    page = struct.pack(">I", 0x40000000 // 4096 + 1)
    return page + name + struct.pack(">II", len(name), sum(name)) + SUPER_MAGIC


def _left_behind(path: Path, mode: str, companion: str) -> bytes:
    """Change a database as an app that is killed does; return what it leaves beside it."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA journal_mode = {mode}")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("PRAGMA cache_size = 2")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("CREATE TABLE filler (text BLOB)")
    count = 4 if mode == "WAL" else 60
    connection.executemany("INSERT INTO filler VALUES (?)", [[bytes(900)]] * count)
    if mode == "WAL":
        connection.execute("COMMIT")
    left, database = Path(f"{path}{companion}").read_bytes(), path.read_bytes()
    if mode != "WAL":
        connection.execute("ROLLBACK")
    connection.close()
    path.write_bytes(database)
    return left


def leave_journal(path: Path) -> bytes:
    """Leave a database in the middle of a change, and return its hot rollback journal."""
    left = _left_behind(path, "DELETE", "-journal")
    # The number of records is only written with the next sync; SQLite takes the other for "all".
    journal = left if any(left[8:12]) else left[:8] + _NO_SYNC + left[12:]
    Path(f"{path}-journal").write_bytes(journal)
    return journal


def leave_wal(path: Path) -> bytes:
    """Leave a database with a write-ahead log, and return it."""
    wal = _left_behind(path, "WAL", "-wal")
    Path(f"{path}-wal").write_bytes(wal)
    return wal


def _two_headers(journal: bytes) -> bytes:
    return journal.ljust((len(journal) + 511) // 512 * 512, b"\0") + journal[:512]


JOURNALS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "at the end": lambda journal, name: journal + name,
    "after two headers": lambda journal, name: _two_headers(journal) + name,
    "after a cut": lambda journal, name: journal[: len(journal) // 2] + name,
    "after the header alone": lambda journal, name: journal[:512] + name,
    "after a byte that is no header": lambda _, name: b"x" + name,
    "with zeros before": lambda journal, name: journal + bytes(4096) + name,
    "twice": lambda journal, name: journal + name + name,
    "in the middle": lambda journal, name: journal + name + journal[512:],
    "with padding behind": lambda journal, name: journal + name + b"\x5a" * 13,
    "with one byte behind": lambda journal, name: journal + name + b"\0",
    "cut short": lambda journal, name: journal + name[:-1],
    "nowhere": lambda journal, _: journal,
}
"""Journals by where they name the victim, made from a real one and from `super_record`."""


def with_right_checksums(data: bytes) -> bytes:
    """Return a write-ahead log or a rollback journal whose checksums are right.

    Source: sqlite.org/fileformat2.html, 4.2 and 3.
    """
    if data[:4] in (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83") and len(data) >= 32:
        return _checked_wal(data)
    if data[:8] == SUPER_MAGIC and len(data) >= 28:
        return _checked_journal(data)
    return data


def _checked_wal(data: bytes) -> bytes:
    out = bytearray(data)
    order = ">" if data[3] & 1 else "<"
    size = int.from_bytes(data[8:12])
    sums = _wal_sums(data[:24], (0, 0), order)
    out[24:32] = struct.pack(">II", *sums)
    if not 512 <= size <= 65536:
        return bytes(out)
    for at in range(32, len(data) - 23 - size, 24 + size):
        out[at + 8 : at + 16] = data[16:24]
        sums = _wal_sums(data[at : at + 8], sums, order)
        sums = _wal_sums(data[at + 24 : at + 24 + size], sums, order)
        out[at + 16 : at + 24] = struct.pack(">II", *sums)
    return bytes(out)


def _wal_sums(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data[: len(data) // 4 * 4])
    for one, other in zip(words[::2], words[1::2], strict=False):
        first = (first + one + second) & 0xFFFF_FFFF
        second = (second + other + first) & 0xFFFF_FFFF
    return first, second


def _checked_journal(data: bytes) -> bytes:
    out = bytearray(data)
    head = 0
    while data[head : head + 8] == SUPER_MAGIC and len(data) >= head + 28:
        count, start, _, sector, size = struct.unpack_from(">5I", data, head + 8)
        if not 32 <= sector <= 65536 or not 512 <= size <= 65536:
            break
        end = min(head + sector + count * (size + 8), len(data))
        for at in range(head + sector, end - 7 - size, size + 8):
            page = data[at + 4 : at + 4 + size]
            total = start + sum(page[place] for place in range(size - 200, 0, -200))
            out[at + 4 + size : at + 8 + size] = struct.pack(">I", total & 0xFFFF_FFFF)
        head = -(-end // sector) * sector
    return bytes(out)
