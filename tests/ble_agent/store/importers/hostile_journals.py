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
    connection.executemany("INSERT INTO filler VALUES (?)", [[bytes(900)]] * 60)
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
    # The number of records is only written with the next sync; SQLite takes this for "all".
    journal = left[:8] + _NO_SYNC + left[12:]
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
