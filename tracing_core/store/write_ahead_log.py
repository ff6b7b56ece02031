"""Write-ahead logs of SQLite: whether one lost commits, and its pages without a working schema.

SQLite reads a log up to the first frame whose checksum is wrong, and silently drops the rest: after
a power cut, that is the commit under way. But a later commit is only written once the one before it
is on the disk (``synchronous=FULL``). So a log with two commits after a wrong frame was damaged.
Source: sqlite.org/fileformat2.html, 4.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["lost_commits", "move_pages"]

_HEADER = struct.Struct(">8I")
_FRAME = struct.Struct(">6I")
_MAGIC = 0x377F0682
_PAGE_SIZES = tuple(1 << power for power in range(9, 17))
_MOST_BYTES = 16 << 20
_SUMS = tuple[int, int]


def lost_commits(log: Path) -> bool:
    """Return whether a log holds commits that SQLite does not read; no connection may be open.

    Raises
    ------
    OSError
        When the log cannot be read.
    """
    if not log.is_file():
        return False
    with log.open("rb") as file:
        data = file.read(_MOST_BYTES)
    if len(data) < _HEADER.size:
        return False
    magic, _, page_bytes, _, *salts, first, second = _HEADER.unpack_from(data)
    order = ">" if magic & 1 else "<"
    sums = _add(data[:24], (0, 0), order)
    if magic & ~1 != _MAGIC or sums != (first, second) or page_bytes not in _PAGE_SIZES:
        return _commits_without_header(data)
    lost, is_whole = 0, True
    for at, size, salt in _frames(data, page_bytes):
        if list(salt) != salts:
            break
        if is_whole:
            sums = _add(data[at : at + 8], sums, order)
            sums = _add(data[at + _FRAME.size : at + _FRAME.size + page_bytes], sums, order)
            is_whole = _FRAME.unpack_from(data, at)[4:] == sums
        lost += not is_whole and size > 0
    return lost > 1


def move_pages(log: Path, database: Path) -> None:
    """Write the pages of all commits in a log to its database, which no connection may have open.

    SQLite does the same, but only for a database whose schema it can read.

    Raises
    ------
    OSError
        When the log cannot be read, or the database cannot be written to.
    """
    if not log.is_file():
        return
    with log.open("rb") as file, database.open("r+b") as target:
        page_bytes, size, offsets = _committed(file)
        for page, offset in offsets.items():
            file.seek(offset)
            target.seek((page - 1) * page_bytes)
            target.write(file.read(page_bytes))
        if size:
            target.truncate(size * page_bytes)


def _committed(file: BinaryIO) -> tuple[int, int, dict[int, int]]:
    """Return the page size, the last commit's number of pages, and each page's newest offset."""
    head = file.read(_HEADER.size)
    offsets, pending, size = dict[int, int](), dict[int, int](), 0
    if len(head) < _HEADER.size:
        return 0, size, offsets
    magic, _, page_bytes, _, *salts, first, second = _HEADER.unpack(head)
    order = ">" if magic & 1 else "<"
    sums = _add(head[:24], (0, 0), order)
    if magic & ~1 != _MAGIC or sums != (first, second) or page_bytes not in _PAGE_SIZES:
        return 0, size, offsets
    while len(frame := file.read(_FRAME.size + page_bytes)) == _FRAME.size + page_bytes:
        page, commit, *salt, one, other = _FRAME.unpack_from(frame)
        sums = _add(frame[_FRAME.size :], _add(frame[:8], sums, order), order)
        if salt != salts or sums != (one, other) or not page:
            break
        pending[page] = file.tell() - page_bytes
        if commit:
            size = commit
            offsets |= pending
            pending.clear()
    return page_bytes, size, offsets


def _frames(data: bytes, page_bytes: int) -> Iterator[tuple[int, int, _SUMS]]:
    """Yield each frame's offset, its size field, nonzero at a commit's end, and its salts."""
    length = _FRAME.size + page_bytes
    for at in range(_HEADER.size, len(data) - length + 1, length):
        _, size, one, other, _, _ = _FRAME.unpack_from(data, at)
        yield at, size, (one, other)


def _commits_without_header(data: bytes) -> bool:
    """Return whether frames of two commits follow a header that is damaged."""
    frames = list(_frames(data, 4096))
    if not frames or not any(frames[0][2]):
        return False
    return sum(salt == frames[0][2] and size > 0 for _, size, salt in frames) > 1


def _add(data: bytes, sums: _SUMS, order: str) -> _SUMS:
    first, second = sums
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for one, other in zip(words, words, strict=True):
        first = (first + one + second) & 0xFFFF_FFFF
        second = (second + other + first) & 0xFFFF_FFFF
    return first, second
