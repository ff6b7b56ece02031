"""All data of another agent: a page of `truyvet agent export --all`, with every row inside.

Between ``<template id="data">`` and ``</template>`` lies gzipped text in base64, one JSON value per
line: an object about the file; before the rows of each table an object with its name and columns;
each row as an array, its bytes as hex digits; at the end an object with the number of rows of each
table. So a part that is missing is seen.
"""

from __future__ import annotations

import binascii
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ble_agent.store.importers.source import Refusal, Tally
from tracing_core.errors import InvalidLog, InvalidValue, LogFault, SchemaMismatch
from tracing_core.json_object import is_unicode, parse_json
from tracing_core.store.files import file_errors
from tracing_core.store.json_lines import BYTE_ORDER_MARK
from tracing_core.store.other_sighting import OtherSighting, other_sighting_of_row
from tracing_core.store.sighting import Sighting, sighting_of_row

__all__ = [
    "ALL_DATA_MARK",
    "ALL_DATA_VERSION",
    "DATA_BEGINS",
    "DATA_ENDS",
    "LONGEST_RECORD",
    "AllData",
    "TableHead",
    "is_all_data",
    "other_sighting_of",
    "sighting_of",
]

ALL_DATA_VERSION = 1
"""Version of the form of the data."""

ALL_DATA_MARK = f"<!-- truyvet all data {ALL_DATA_VERSION} -->"
"""Line by which such a page is recognised, within its first bytes."""

DATA_BEGINS = '<template id="data">'
"""What stands before the data."""

DATA_ENDS = "</template>"
"""What stands behind the data."""

LONGEST_RECORD = 4 << 20
"""The most bytes of one JSON value."""

_MARK = re.compile(rb"<!-- truyvet all data ([0-9]{1,6}) -->")
_LONGEST_LINE = 64 << 10
_PIECE_BYTES = 64 << 10
# Hex digits of random bytes become half as long; a bomb becomes a thousand times shorter.
_MOST_TIMES_LONGER = 100
_ALLOWANCE_BYTES = 8 << 20
_LARGEST_NUMBER = 1 << 53
_SIGHTING = ("rpi", "aem", "rssi_dbm", "seen_at", "previous_scan_at", "clock_suspect")
_OTHER = ("protocol", "identifier", "rssi_dbm", "tx_power", "seen_at", "previous_scan_at")


def is_all_data(beginning: bytes) -> bool:
    """Return whether a file that begins so is a page with all data, of any version."""
    text = beginning.removeprefix(BYTE_ORDER_MARK).lstrip()
    return text[:9].lower() == b"<!doctype" and _MARK.search(text) is not None


@dataclass(frozen=True, slots=True)
class TableHead:
    """Name and columns of the table whose rows follow."""

    name: str
    columns: tuple[str, ...]
    blobs: tuple[int, ...]
    """Places of the columns whose values are bytes."""

    def choose(self, row: Sequence[Any], names: Sequence[str]) -> list[Any]:
        """Return a row's values of some columns.

        Raises
        ------
        InvalidValue
            When the table lacks one.
        """
        missing = set(names) - set(self.columns)
        if missing:
            raise InvalidValue(f"{self.name} lacks {', '.join(sorted(missing))}")
        return [row[self.columns.index(name)] for name in names]


def sighting_of(head: TableHead, row: Sequence[Any]) -> Sighting:
    """Make a sighting of a row of the table ``sighting``.

    Raises
    ------
    InvalidValue
        When it lies outside the protocol.
    """
    values = head.choose(row, _SIGHTING)
    if not all(isinstance(value, bytes) for value in values[:3]):
        raise InvalidValue("rpi, aem and rssi_dbm must be bytes")
    return sighting_of_row(*values)


def other_sighting_of(head: TableHead, row: Sequence[Any]) -> OtherSighting:
    """Make a sighting of a row of the table ``other_sighting``.

    Raises
    ------
    InvalidValue
        When it lies outside its protocol.
    """
    return other_sighting_of_row(*head.choose(row, _OTHER))


class AllData:
    """A page with all data, as a source of sightings and of all rows.

    Parameters
    ----------
    path
        The page.
    beginning
        Its first bytes.

    Raises
    ------
    SchemaMismatch
        When a newer version wrote it.
    """

    name = "all-data"
    title = "truyvet, all data"
    is_one_per_moment = False

    def __init__(self, path: Path, beginning: bytes) -> None:
        self._path = path
        found = _MARK.search(beginning)
        if found is None or int(found[1]) != ALL_DATA_VERSION:
            raise self.newer_version()

    def newer_version(self) -> SchemaMismatch:
        """Return the error for data that a newer version wrote."""
        text = f"{self._path} was written by a newer version of truyvet: install that version"
        return SchemaMismatch(text, str(self._path))

    def damaged(self, why: object, line: int = 0) -> InvalidLog:
        """Return the error for data that is not as this program writes it."""
        text = f"{self._path} is damaged ({why}), so nothing was added: copy all of it again"
        return InvalidLog(text, LogFault.DAMAGED, path=self._path, line=line)

    def sightings(self, tally: Tally) -> Iterator[Sighting | OtherSighting]:
        """Yield the sightings of every protocol, as `Source.sightings` describes.

        Raises
        ------
        InvalidLog
            When the data is damaged.
        """
        readers: dict[str, Callable[[TableHead, Any], Sighting | OtherSighting]] = {
            "sighting": sighting_of,
            "other_sighting": other_sighting_of,
        }
        for head, row in self.rows():
            if head is None or head.name not in readers:
                continue
            tally.read += 1
            try:
                yield readers[head.name](head, row)
            except (InvalidValue, OverflowError):
                tally.refuse(Refusal.UNREADABLE)

    def rows(self) -> Iterator[tuple[TableHead | None, Any]]:
        """Yield the object about the file without a table, then each row with its table.

        Memory is bounded whatever the file holds.

        Raises
        ------
        InvalidLog
            When the data is damaged, or parts of it are missing.
        """
        records = self._records()
        about = next(records, None)
        if not isinstance(about, dict) or about.get("truyvet") != "all data":
            raise self.damaged("its data does not begin as it should")
        yield None, about
        head: TableHead | None = None
        counts: Counter[str] = Counter()
        for record in records:
            if isinstance(record, dict):
                if "end" in record:
                    if record["end"] != dict(counts) or next(records, None) is not None:
                        raise self.damaged("rows are missing")
                    return
                head = self._head(record, counts)
                counts[head.name] = 0
            elif head is None:
                raise self.damaged("a row stands before its table")
            else:
                counts[head.name] += 1
                yield head, self._row(head, record)
        raise self.damaged("its end is missing")

    def _head(self, record: dict[str, Any], counts: Counter[str]) -> TableHead:
        name, columns = record.get("table"), record.get("columns")
        blobs = record.get("bytes", [])
        if not (
            isinstance(name, str)
            and name not in counts
            and isinstance(columns, list)
            and all(isinstance(each, str) for each in columns)
            and len(set(columns)) == len(columns)
            and isinstance(blobs, list)
            and all(isinstance(each, str) and each in columns for each in blobs)
        ):
            raise self.damaged("a table is not named as it should be")
        return TableHead(name, tuple(columns), tuple(map(columns.index, blobs)))

    def _row(self, head: TableHead, record: Any) -> list[Any]:
        if not isinstance(record, list) or len(record) != len(head.columns):
            raise self.damaged("a row has too many or too few values")
        for at in head.blobs:
            if record[at] is not None:
                try:
                    record[at] = bytes.fromhex(record[at])
                except (ValueError, TypeError) as error:
                    raise self.damaged("bytes are not written as hex digits") from error
        if not all(map(_can_be_stored, record)):
            raise self.damaged("a value is of no kind that a table holds")
        return record

    def _records(self) -> Iterator[Any]:
        for number, line in enumerate(self._lines(), start=1):
            try:
                yield parse_json(line)
            except (ValueError, RecursionError) as error:
                raise self.damaged(f"line {number} of its data is not JSON", number) from error

    def _lines(self) -> Iterator[bytes]:
        """Yield the lines of the text; at most one of them and one piece are in memory."""
        rest = bytearray()
        for piece in self._text():
            start = 0
            while (end := piece.find(b"\n", start)) >= 0:
                rest += piece[start:end]
                yield bytes(rest)
                rest.clear()
                start = end + 1
            rest += piece[start:]
            if len(rest) > LONGEST_RECORD:
                raise self.damaged(f"a line is longer than {LONGEST_RECORD} bytes")
        if rest:
            raise self.damaged("its last line is cut off")

    def _text(self) -> Iterator[bytes]:
        unpacking = zlib.decompressobj(wbits=31)
        packed = unpacked = 0
        for data in self._packed():
            packed += len(data)
            while data:
                try:
                    piece = unpacking.decompress(data, _PIECE_BYTES)
                except zlib.error as error:
                    raise self.damaged("its data cannot be unpacked") from error
                unpacked += len(piece)
                if unpacked > packed * _MOST_TIMES_LONGER + _ALLOWANCE_BYTES:
                    raise self.damaged("it unpacks to far more than such a file holds")
                if piece:
                    yield piece
                if unpacking.unused_data:
                    raise self.damaged("there is something behind its data")
                data = unpacking.unconsumed_tail
        if not unpacking.eof:
            raise self.damaged("its data is cut off")

    def _packed(self) -> Iterator[bytes]:
        is_inside = False
        with file_errors(self._path), self._path.open("rb") as file:
            while line := file.readline(_LONGEST_LINE):
                if not is_inside:
                    _, begins, line = line.partition(DATA_BEGINS.encode())
                    is_inside = bool(begins)
                    if not is_inside:
                        continue
                line, ends, _ = line.partition(DATA_ENDS.encode())
                try:
                    yield binascii.a2b_base64(line.strip(), strict_mode=True)
                except binascii.Error as error:
                    raise self.damaged("its data is not base64") from error
                if ends:
                    return
        raise self.damaged("the end of its data is missing" if is_inside else "it holds no data")


def _can_be_stored(value: Any) -> bool:
    if isinstance(value, str):
        return is_unicode(value)
    if isinstance(value, int):
        return abs(value) <= _LARGEST_NUMBER
    return value is None or isinstance(value, bytes)
