"""LevelDB folders, read only: the manifest, the tables it names, and the logs after them.

Nothing is written or locked, so a copy of a folder is read as it was copied. Every block's
checksum is verified. Each table takes the memory of one block, and the logs take that of all their
blocks. Source of the format: LevelDB's ``doc/{impl,log_format,table_format}.md``.
"""

from __future__ import annotations

import contextlib
import heapq
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ble_agent.store.importers.cursor import Cursor
from ble_agent.store.importers.leveldb.crc32c import masked_crc32c
from ble_agent.store.importers.leveldb.snappy import decompress
from tracing_core.errors import InvalidLog, LogFault
from tracing_core.store.files import file_errors

__all__ = ["is_leveldb", "read_leveldb"]

_LOG_BLOCK = 32_768
_LOG_HEADER = 7
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4

_FOOTER = 48
_MAGIC = 0xDB47_7524_8B80_FB57
_UNCOMPRESSED, _SNAPPY = 0, 1

_BLOCK_TRAILER = 5

_DELETION, _VALUE = 0, 1
_KEY_TRAILER = 8

_COMPARATOR = b"leveldb.BytewiseComparator"

# A block has 4 kB unless a value is longer, and a log grows to 4 MB.
_LARGEST_BLOCK = 8 << 20
_LARGEST_LOGS = 128 << 20
_MOST_TABLES = 10_000

_Entry = tuple[bytes, int, bytes | None]
"""Key, sequence number, value; None where the key was deleted."""


@dataclass
class _Version:
    tables: set[int] = field(default_factory=set)
    log_number: int = 0
    previous_log_number: int = 0


def is_leveldb(path: Path) -> bool:
    """Check whether a path is a LevelDB folder, by its file ``CURRENT``."""
    try:
        return _current(path) is not None
    except OSError:
        return False


def read_leveldb(folder: Path) -> Iterator[tuple[bytes, bytes]]:
    """Read every key and its latest value, in the order of the keys.

    Raises
    ------
    InvalidLog
        When a file is missing, damaged, or of a kind this reader does not know; the text names it.
    StoreError
        When a file cannot be read.
    """
    version = _read_manifest(folder)
    sources = [_read_table(_table_path(folder, number)) for number in sorted(version.tables)]
    sources.append(iter(_read_logs(folder, version)))
    last = None
    for key, _, value in heapq.merge(*sources, key=lambda entry: (entry[0], -entry[1])):
        if key != last:
            last = key
            if value is not None:
                yield key, value


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        with file_errors(path):
            yield
    except ValueError as error:
        if isinstance(error, InvalidLog):
            raise
        text = f"{path} is damaged ({error}): copy the folder again"
        raise InvalidLog(text, LogFault.DAMAGED, path=path) from error


def _current(folder: Path) -> str | None:
    with (folder / "CURRENT").open("rb") as file:
        match = re.fullmatch(rb"(MANIFEST-\d{1,20})\n", file.read(64))
    return match[1].decode() if match else None


def _missing(path: Path) -> InvalidLog:
    text = f"{path} is missing: copy the whole folder, while the phone is switched off"
    return InvalidLog(text, LogFault.MISSING, path=path)


def _read_manifest(folder: Path) -> _Version:
    with _reading(folder / "CURRENT"):
        name = _current(folder)
    if name is None:
        text = f"{folder} is not a LevelDB folder: its CURRENT names no manifest"
        raise InvalidLog(text, LogFault.UNKNOWN, path=folder)
    path = folder / name
    if not path.is_file():
        raise _missing(path)
    version = _Version()
    with _reading(path):
        if path.stat().st_size > _LARGEST_LOGS:
            raise ValueError(f"larger than {_LARGEST_LOGS} bytes")
        for record in _log_records(path):
            _apply(Cursor(record), version)
        if len(version.tables) > _MOST_TABLES:
            raise ValueError(f"it names more than {_MOST_TABLES} tables")
    return version


def _apply(edit: Cursor, version: _Version) -> None:
    while edit:
        tag = edit.varint()
        if tag == 1:
            comparator = edit.lump()
            if comparator != _COMPARATOR:
                raise ValueError("its keys are in an unknown order")
        elif tag == 2:
            version.log_number = edit.varint()
        elif tag in (3, 4):  # the next file number, the last sequence number
            edit.varint()
        elif tag == 5:  # where compaction goes on: a level, a key
            edit.varint()
            edit.lump()
        elif tag == 6:  # a deleted table: its level, its number
            edit.varint()
            version.tables.discard(edit.varint())
        elif tag == 7:  # a new table: its level, number, size, first and last key
            edit.varint()
            version.tables.add(edit.varint())
            edit.varint()
            edit.lump()
            edit.lump()
        elif tag == 9:
            version.previous_log_number = edit.varint()
        else:
            raise ValueError(f"unknown tag {tag}")


def _log_records(path: Path) -> Iterator[bytes]:
    record = bytearray()
    is_open = False
    with path.open("rb") as file:
        while block := file.read(_LOG_BLOCK):
            for kind, fragment in _log_fragments(block):
                if (kind in (_MIDDLE, _LAST)) != is_open:
                    raise ValueError("its records are out of order")
                record += fragment
                is_open = kind in (_FIRST, _MIDDLE)
                if not is_open:
                    yield bytes(record)
                    record.clear()
    # A record that was being written when the copy was made is missing.


def _log_fragments(block: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _LOG_HEADER <= len(block):
        header = Cursor(block, at)
        checksum, length, kind = header.fixed(4), header.fixed(2), header.fixed(1)
        at += _LOG_HEADER + length
        if kind == 0 and length == 0:
            return  # space that was reserved, not written
        if at > len(block):
            if len(block) == _LOG_BLOCK:
                raise ValueError("one of its records is longer than its block")
            return
        if masked_crc32c(block[at - length - 1 : at]) != checksum:
            raise ValueError("one of its checksums is wrong")
        if not _FULL <= kind <= _LAST:
            raise ValueError(f"a record of unknown kind {kind}")
        yield kind, block[at - length : at]


def _read_logs(folder: Path, version: _Version) -> list[_Entry]:
    with _reading(folder):
        numbers = {int(path.stem): path for path in folder.glob("*.log") if path.stem.isdecimal()}
    latest: dict[bytes, _Entry] = {}
    size = 0
    for number, path in sorted(numbers.items()):
        if number < version.log_number and number != version.previous_log_number:
            continue
        with _reading(path):
            size += path.stat().st_size
            if size > _LARGEST_LOGS:
                raise ValueError(f"the logs are larger than {_LARGEST_LOGS} bytes")
            for record in _log_records(path):
                for entry in _batch(Cursor(record)):
                    if entry[0] not in latest or latest[entry[0]][1] <= entry[1]:
                        latest[entry[0]] = entry
    return sorted(latest.values(), key=lambda entry: entry[0])


def _batch(batch: Cursor) -> Iterator[_Entry]:
    sequence, count = batch.fixed(8), batch.fixed(4)
    for position in range(count):
        kind = batch.fixed(1)
        if kind not in (_DELETION, _VALUE):
            raise ValueError(f"a change of unknown kind {kind}")
        yield batch.lump(), sequence + position, batch.lump() if kind == _VALUE else None
    if batch:
        raise ValueError("one of its batches contains more than it states")


def _table_path(folder: Path, number: int) -> Path:
    for suffix in ("ldb", "sst"):
        path = folder / f"{number:06}.{suffix}"
        if path.is_file():
            return path
    raise _missing(folder / f"{number:06}.ldb")


def _read_table(path: Path) -> Iterator[_Entry]:
    last: tuple[bytes, int] | None = None
    with _reading(path), path.open("rb") as file:
        for _, handle in _block_entries(_index(file)):
            for internal_key, value in _block_entries(_block(file, Cursor(handle))):
                # An internal key ends in its kind and its sequence number.
                trailer = Cursor(internal_key, max(0, len(internal_key) - _KEY_TRAILER))
                kind, sequence = trailer.fixed(1), trailer.fixed(_KEY_TRAILER - 1)
                key = internal_key[:-_KEY_TRAILER]
                if last is not None and last >= (key, -sequence):
                    raise ValueError("its keys are out of order")
                last = key, -sequence
                yield key, sequence, value if kind == _VALUE else None


def _index(file: BinaryIO) -> bytes:
    size = file.seek(0, io.SEEK_END)
    if size < _FOOTER:
        raise ValueError("it ends too early")
    file.seek(size - _FOOTER)
    footer = file.read(_FOOTER)
    if int.from_bytes(footer[-8:], "little") != _MAGIC:
        raise ValueError("it does not end as a table does")
    cursor = Cursor(footer)
    cursor.varint()  # offset and size of an index of filters
    cursor.varint()
    return _block(file, cursor)


def _block(file: BinaryIO, handle: Cursor) -> bytes:
    offset, size = handle.varint(), handle.varint()
    if size > _LARGEST_BLOCK:
        raise ValueError(f"one of its blocks is larger than {_LARGEST_BLOCK} bytes")
    if offset + size + _BLOCK_TRAILER > file.seek(0, io.SEEK_END):
        raise ValueError("it ends too early")
    file.seek(offset)
    stored = file.read(size + _BLOCK_TRAILER)
    if masked_crc32c(stored[: size + 1]) != int.from_bytes(stored[size + 1 :], "little"):
        raise ValueError("one of its checksums is wrong")
    compression, contents = stored[size], stored[:size]
    if compression == _UNCOMPRESSED:
        return contents
    if compression == _SNAPPY:
        return decompress(contents, _LARGEST_BLOCK)
    raise ValueError(f"it is compressed by unknown method {compression}")


def _block_entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    # After the entries stand the offsets of those with whole keys, then their number.
    if len(block) < 4:
        raise ValueError("one of its blocks is too short")
    end = len(block) - 4 - 4 * int.from_bytes(block[-4:], "little")
    if end < 0:
        raise ValueError("one of its blocks is too short")
    cursor = Cursor(block[:end])
    key = b""
    while cursor:
        shared, rest, length = cursor.varint(), cursor.varint(), cursor.varint()
        if shared > len(key):
            raise ValueError("one of its keys lacks its beginning")
        key = key[:shared] + cursor.take(rest)
        yield key, cursor.take(length)
