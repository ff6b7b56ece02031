"""Logs of one JSON object per line, gzipped or not, in bounded memory."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

from tracing_core.errors import InvalidLog, InvalidValue, LogFault
from tracing_core.store.files import file_errors, whole_file
from tracing_core.store.left_out import LeftOut

__all__ = ["BYTE_ORDER_MARK", "LONGEST_LINE", "ObjectReader", "read_objects", "write_objects"]

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""What some editors and spreadsheets write before the first line."""

LONGEST_LINE = 1 << 20
"""The most bytes that a line of a log may have."""

_Entry = TypeVar("_Entry")


class ObjectReader(Generic[_Entry]):
    """Reader of the lines of one log.

    Parameters
    ----------
    path
        The log, for errors.
    left_out
        Counts the lines that cannot be read; None to raise an error at the first.
    parse
        Makes an entry of what the JSON parser returned; raises `InvalidValue` if it cannot.
    note
        Called with the counts, each entry and its place, unless lines raise errors.
    """

    def __init__(
        self,
        path: Path,
        left_out: LeftOut | None,
        parse: Callable[[Any], _Entry],
        note: Callable[[LeftOut, _Entry, str], None],
    ) -> None:
        self._path = path
        self._left_out = left_out
        self._parse = parse
        self._note = note

    def read(self, line: bytes, number: int) -> _Entry | None:
        """Return the entry of a line, counted from 1; None if it is blank or left out.

        Raises
        ------
        InvalidLog
            When the line cannot be read, unless such lines are counted.
        """
        text = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
        if not text or (text.isspace() and len(line) <= LONGEST_LINE):
            return None
        try:
            if len(line) > LONGEST_LINE:
                raise InvalidValue(f"longer than {LONGEST_LINE} bytes")
            entry = self._parse(json.loads(text))
        except (ValueError, RecursionError) as error:
            reason = error if isinstance(error, InvalidValue) else _not_json(line)
            self._refuse(f", line {number}: {reason}", LogFault.LINE, number, error)
            return None
        if self._left_out is not None:
            self._note(self._left_out, entry, f"line {number}")
        return entry

    def end_early(self, last: int, error: Exception) -> None:
        """Leave out the rest of a damaged file, after so many lines.

        Raises
        ------
        InvalidLog
            Unless what cannot be read is counted.
        """
        self._refuse(f" is damaged after line {last}: {error}", LogFault.DAMAGED, 0, error)

    def _refuse(self, text: str, fault: LogFault, line: int, cause: Exception) -> None:
        refused = InvalidLog(f"{self._path}{text}", fault, path=self._path, line=line)
        if self._left_out is None:
            raise refused from cause
        refused.__cause__ = cause
        self._left_out.skip(refused)


def _not_json(line: bytes) -> str:
    whole = line.endswith(b"\n") or not line.lstrip().startswith(b"{")
    return "not JSON" if whole else "not JSON, as the line is cut off"


def read_objects(
    path: Path, reader: ObjectReader[_Entry], left_out: LeftOut | None
) -> Iterator[_Entry]:
    """Read a log, gzipped or not.

    Parameters
    ----------
    path
        The log.
    reader
        Reads its lines.
    left_out
        The counts that the reader fills; None if it raises an error at the first line.

    Raises
    ------
    InvalidLog
        At the first line that cannot be read, with its number. If such lines are counted, only at
        the end, and only if no line could be read.
    StoreError
        When the file cannot be read.
    """
    read = number = 0
    with file_errors(path), path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        lines: io.BufferedIOBase = gzip.GzipFile(fileobj=raw) if zipped else raw
        while True:
            try:
                line = _next_line(lines)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                reader.end_early(number, error)
                break
            if not line:
                break
            number += 1
            entry = reader.read(line, number)
            if entry is not None:
                read += 1
                yield entry
    if left_out is not None:
        left_out.check(read)


def _next_line(lines: io.BufferedIOBase) -> bytes:
    """Return the next line; of one that is too long, only enough to see that."""
    line = lines.readline(LONGEST_LINE + 1)
    rest = line
    while len(rest) > LONGEST_LINE and not rest.endswith(b"\n"):
        rest = lines.readline(LONGEST_LINE + 1)
    return line


def write_objects(path: Path, lines: Iterable[str], *, overwrite: bool) -> int:
    """Write a log, gzipped if the name ends in ``.gz``; the file appears whole or not at all.

    Parameters
    ----------
    path
        The file.
    lines
        The lines, without their ends.
    overwrite
        Whether to replace a file of that name.

    Returns
    -------
    int
        How many lines were written.

    Raises
    ------
    FileIsThere
        When there is such a file and `overwrite` is False.
    StoreError
        When the file cannot be written.
    """
    count = 0
    with whole_file(path, overwrite=overwrite) as raw:
        # With a fixed mtime the same log gives the same bytes.
        zipped = path.suffix == ".gz"
        with (
            gzip.GzipFile(fileobj=raw, mode="wb", mtime=0)
            if zipped
            else contextlib.nullcontext(raw)
        ) as out:
            for line in lines:
                out.write(line.encode() + b"\n")
                count += 1
    return count
