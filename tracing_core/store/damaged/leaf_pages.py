"""Leaf pages of SQLite tables, read one by one without the pages above them.

A page holds whole rows, and says of itself that it is a leaf of a table. So its rows can be read
whatever became of the schema and of the pages that lead to it. Which table they belong to is not
written there. Source: sqlite.org/fileformat2.html, 1.6 and 2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

__all__ = ["PAGE_BYTES", "LeafPages", "StoredRow"]

PAGE_BYTES = 4096
"""Size of a page in the databases of this project."""

_TABLE_LEAF = 13
_HEADER_BYTES = 8
_LARGEST_LOCAL = PAGE_BYTES - 35
_SMALLEST_LOCAL = (PAGE_BYTES - 12) * 32 // 255 - 23
_OVERFLOW_BYTES = PAGE_BYTES - 4
_INTEGER_BYTES = (0, 1, 2, 3, 4, 6, 8)
_REAL, _ZERO, _ONE = 7, 8, 9
_FIRST_BLOB, _FIRST_TEXT = 12, 13
# What a varint of nine bytes means is a signed number.
_SIGN, _RANGE = 1 << 63, 1 << 64


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row as a page holds it."""

    number: int
    """The rowid. A column that stands for it is None in `values`."""
    values: tuple[int | float | str | bytes | None, ...]


class LeafPages:
    """The leaf pages of a database's tables, by their number from 1.

    Parameters
    ----------
    file
        The database, whose write-ahead log was moved into it.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._bytes = file.seek(0, 2)

    def numbers(self) -> Iterator[int]:
        """Yield the numbers of the pages that say they are leaves of a table."""
        for number in range(1, -(-self._bytes // PAGE_BYTES) + 1):
            self._file.seek((number - 1) * PAGE_BYTES)
            if self._file.read(1) == bytes([_TABLE_LEAF]):
                yield number

    def rows(self, number: int) -> Iterator[StoredRow]:
        """Yield the rows of a page, leaving out what is not a row."""
        page = self._page(number)
        count = min(int.from_bytes(page[3:5]), (PAGE_BYTES - _HEADER_BYTES) // 2)
        for (at,) in struct.iter_unpack(">H", page[_HEADER_BYTES : _HEADER_BYTES + 2 * count]):
            try:
                row = self._row(page, at)
            except (IndexError, ValueError):
                continue
            yield row

    def _page(self, number: int) -> bytes:
        self._file.seek((number - 1) * PAGE_BYTES)
        return self._file.read(PAGE_BYTES).ljust(PAGE_BYTES, b"\0")

    def _row(self, page: bytes, at: int) -> StoredRow:
        size, at = _varint(page, at)
        number, at = _varint(page, at)
        if size > self._bytes:
            raise ValueError("a row is larger than its database")
        record = page[at : at + size]
        if size > _LARGEST_LOCAL:
            local = _SMALLEST_LOCAL + (size - _SMALLEST_LOCAL) % _OVERFLOW_BYTES
            if local > _LARGEST_LOCAL:
                local = _SMALLEST_LOCAL
            more = int.from_bytes(page[at + local : at + local + 4])
            record = page[at : at + local] + self._overflow(more, size - local)
        if len(record) != size:
            raise ValueError("a row ends beyond its page")
        return StoredRow(number - _RANGE if number >= _SIGN else number, _values(record))

    def _overflow(self, number: int, size: int) -> bytes:
        """Return what a row holds beyond its page: a chain of pages, each with the next number."""
        parts = []
        for _ in range(-(-size // _OVERFLOW_BYTES)):
            if not 1 < number <= self._bytes // PAGE_BYTES:
                raise ValueError("a chain of pages ends too early")
            page = self._page(number)
            number = int.from_bytes(page[:4])
            parts.append(page[4:])
        return b"".join(parts)[:size]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of one to nine bytes, and where it ends."""
    value = 0
    for end in range(at, at + 8):
        byte = data[end]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, end + 1
    return value << 8 | data[at + 8], at + 9


def _values(record: bytes) -> tuple[int | float | str | bytes | None, ...]:
    end, at = _varint(record, 0)
    body, values = end, list[int | float | str | bytes | None]()
    while at < end:
        kind, at = _varint(record, at)
        size = _size(kind)
        data = record[body : body + size]
        body += size
        if len(data) != size:
            raise ValueError("a value ends beyond its row")
        values.append(_value(kind, data))
    if at != end or body != len(record):
        raise ValueError("a row has bytes that belong to no value")
    return tuple(values)


def _size(kind: int) -> int:
    if kind >= _FIRST_BLOB:
        return (kind - _FIRST_BLOB) // 2
    if kind in (_ZERO, _ONE):
        return 0
    if kind == _REAL:
        return 8
    return _INTEGER_BYTES[kind]


def _value(kind: int, data: bytes) -> int | float | str | bytes | None:
    if kind >= _FIRST_TEXT and kind % 2:
        return data.decode(errors="replace")
    if kind >= _FIRST_BLOB:
        return data
    if kind in (_ZERO, _ONE):
        return kind - _ZERO
    if kind == _REAL:
        real: float = struct.unpack(">d", data)[0]
        return real
    return int.from_bytes(data, signed=True) if kind else None
