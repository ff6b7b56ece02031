"""A whole log as columns, the counterpart of `matcher.portable.sightings` for the kernels."""

from __future__ import annotations

import array
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matcher.columns.days import distinct_days
from matcher.columns.sighting_columns import SightingColumns
from matcher.columns.strengths import unmeasured_rows
from matcher.kernels.loops.log_parsing import LEAST_LINE_BYTES, NO_SCAN, parse_lines_function
from matcher.portable.sightings import is_database, read_log
from tracing_core.protocol.interval import INTERVAL_SECONDS, TEK_ROLLING_PERIOD
from tracing_core.store.field_values import LATEST_MOMENT
from tracing_core.store.files import file_errors
from tracing_core.store.json_lines import BYTE_ORDER_MARK, LONGEST_LINE
from tracing_core.store.left_out import LeftOut
from tracing_core.store.sighting import SIGHTING_TABLE, LineReader, Sighting, read_row
from tracing_core.store.sqlite import database_errors, open_readonly, path_of

__all__ = ["BLOCK_BYTES", "BLOCK_ROWS", "LogColumns", "read_columns"]

BLOCK_BYTES = 4 << 20
"""Bytes of JSON Lines parsed together."""

BLOCK_ROWS = 1 << 14
"""Rows of a database fetched together."""

_DAY_SECONDS = TEK_ROLLING_PERIOD * INTERVAL_SECONDS


@dataclass(frozen=True, slots=True, repr=False)
class LogColumns:
    """The sightings of a log in order, without those under a suspect clock; about 45 bytes each."""

    count: int
    """Number of sightings in the log."""
    suspect_count: int
    """Number of those that were left out."""
    rpi: NDArray[np.uint8]
    """Shape (n, 16)."""
    aem: NDArray[np.uint8]
    """Shape (n, 4)."""
    seen_at: NDArray[np.int64]
    """UTC Unix seconds."""
    previous_scan_at: NDArray[np.int64]
    """UTC Unix seconds; `NO_SCAN` if unknown."""
    rssi_dbm: NDArray[np.int8]
    """All samples."""
    rssi_end: NDArray[np.int64]
    """Where each sighting's samples end in them."""

    def __len__(self) -> int:
        return len(self.rpi)

    def days(self) -> list[int]:
        """Return the UTC days of the sightings, in order."""
        return distinct_days(self.seen_at // _DAY_SECONDS)

    def heard_after(self, moment: float) -> int:
        """Return the number of sightings after a moment (UTC Unix seconds)."""
        return int(np.count_nonzero(self.seen_at > moment))

    @property
    def last_seen_at(self) -> int | None:
        """Time of the last sighting (UTC Unix seconds); None without one."""
        return int(self.seen_at.max()) if len(self) else None

    def columns(self) -> SightingColumns:
        """Return the columns that a join needs."""
        return SightingColumns.of(self.rpi, (self.seen_at // INTERVAL_SECONDS).astype(np.uint32))

    def sightings(self, rows: NDArray[np.int64]) -> Iterator[Sighting]:
        """Return some sightings as they were logged."""
        begin = np.where(rows > 0, self.rssi_end[rows - 1], 0) if len(rows) else rows
        for row, first, end, seen_at, previous in zip(
            rows.tolist(),
            begin.tolist(),
            self.rssi_end[rows].tolist(),
            self.seen_at[rows].tolist(),
            self.previous_scan_at[rows].tolist(),
            strict=True,
        ):
            yield Sighting(
                self.rpi[row].tobytes(),
                self.aem[row].tobytes(),
                tuple(self.rssi_dbm[first:end].tolist()),
                seen_at,
                None if previous == NO_SCAN else previous,
            )

    def unmeasured(self) -> NDArray[np.int64]:
        """Return the rows without a known strength."""
        return unmeasured_rows(self.rssi_dbm, self.rssi_end)

    @classmethod
    def from_sightings(cls, sightings: Iterable[Sighting]) -> LogColumns:
        """Make columns of sighting objects."""
        rpi, aem = bytearray(), bytearray()
        seen_at, previous, end = array.array("q"), array.array("q"), array.array("q")
        rssi = array.array("b")
        count = 0
        for sighting in sightings:
            count += 1
            if sighting.clock_suspect:
                continue
            rpi += sighting.rpi
            aem += sighting.aem
            seen_at.append(sighting.seen_at)
            moment = sighting.previous_scan_at
            previous.append(NO_SCAN if moment is None else moment)
            rssi.extend(sighting.rssi_dbm)
            end.append(len(rssi))
        return cls(
            count,
            count - len(seen_at),
            np.frombuffer(rpi, np.uint8).reshape(-1, 16),
            np.frombuffer(aem, np.uint8).reshape(-1, 4),
            np.frombuffer(seen_at, np.int64),
            np.frombuffer(previous, np.int64),
            np.frombuffer(rssi, np.int8),
            np.frombuffer(end, np.int64),
        )


def read_columns(path: Path, left_out: LeftOut | None = None) -> LogColumns:
    """Read a log as `matcher.portable.sightings.read_log` does, without an object per sighting.

    Parameters
    ----------
    path, left_out
        As for `read_log`.

    Raises
    ------
    InvalidLog, SchemaMismatch, StoreError
        As for `read_log`.
    """
    found = LeftOut()
    if is_database(path):
        columns = _joined(_database_blocks(path, found))
    else:
        columns = _joined(_line_blocks(path, found))
    if columns is None or (left_out is None and found.unreadable):
        # A damaged or wrong log is read again by `read_log`, which raises the right error.
        return LogColumns.from_sightings(read_log(path, left_out))
    if left_out is not None:
        left_out.add(found)
        left_out.check(columns.count)
    return columns


def _joined(blocks: Iterator[LogColumns | None]) -> LogColumns | None:
    """Join blocks; return None if a block is missing."""
    parts = []
    samples = 0
    for block in blocks:
        if block is None:
            return None
        block.rssi_end[:] += samples
        samples += len(block.rssi_dbm)
        parts.append(block)
    if not parts:
        return LogColumns.from_sightings(())

    def column(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    return LogColumns(
        sum(part.count for part in parts),
        sum(part.suspect_count for part in parts),
        column("rpi"),
        column("aem"),
        column("seen_at"),
        column("previous_scan_at"),
        column("rssi_dbm"),
        column("rssi_end"),
    )


def _line_blocks(path: Path, left_out: LeftOut) -> Iterator[LogColumns | None]:
    """Yield the columns of some lines at a time; None if the file is damaged."""
    with file_errors(path), path.open("rb") as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        lines: Any = gzip.GzipFile(fileobj=raw) if zipped else raw
        parser = _LineParser(path, left_out)
        rest = b""
        while True:
            try:
                block = lines.read(BLOCK_BYTES)
            except (EOFError, zlib.error, gzip.BadGzipFile):
                yield None
                return
            if not block:
                break
            whole, line_end, part = block.rpartition(b"\n")
            if line_end:
                yield parser.parse(rest + whole + line_end)
                rest = part
            else:
                rest += block
            if len(rest) > LONGEST_LINE:
                yield None
                return
        if rest:
            yield parser.parse(rest)


class _LineParser:
    """Parser of a log's lines, a block at a time."""

    def __init__(self, path: Path, left_out: LeftOut) -> None:
        self._left_out = left_out
        self._reader = LineReader(path, left_out)
        self._lines = 0

    def parse(self, text: bytes) -> LogColumns:
        """Return the columns of whole lines; only the last line of the log may lack its end."""
        before = self._lines
        kept = text.removeprefix(BYTE_ORDER_MARK) if before == 0 else text
        kept += b"" if kept.endswith(b"\n") else b"\n"
        usual = _parsed(kept)
        if usual is None:
            columns = LogColumns.from_sightings(self._unusual(text))
        else:
            columns, unmeasured, first = usual
            self._lines += text.count(b"\n")
            if unmeasured:
                self._left_out.note_unmeasured(unmeasured, f"line {before + first}")
        return columns

    def _unusual(self, text: bytes) -> Iterator[Sighting]:
        for line in io.BytesIO(text):
            self._lines += 1
            sighting = self._reader.read(line, self._lines)
            if sighting is not None:
                yield sighting


def _parsed(text: bytes) -> tuple[LogColumns, int, int] | None:
    """Parse whole lines; return None if one is unusual.

    Returns
    -------
    tuple
        The columns, how many sightings have no known strength, and the line of the first of them.
    """
    rows = len(text) // LEAST_LINE_BYTES + 1
    rpi, aem = np.empty((rows, 16), np.uint8), np.empty((rows, 4), np.uint8)
    seen_at, previous, end = (np.empty(rows, np.int64) for _ in range(3))
    rssi, counts = np.empty(len(text), np.int8), np.zeros(5, np.int64)
    usual = parse_lines_function()(
        np.frombuffer(text, np.uint8),
        LONGEST_LINE,
        rpi,
        aem,
        seen_at,
        previous,
        rssi,
        end,
        counts,
    )
    if not usual:
        return None
    count, samples, left_out, unmeasured, first = counts.tolist()
    columns = LogColumns(
        count + left_out,
        left_out,
        # Copies, because the unused rest of the arrays is larger.
        rpi[:count].copy(),
        aem[:count].copy(),
        seen_at[:count].copy(),
        previous[:count].copy(),
        rssi[:samples].copy(),
        end[:count].copy(),
    )
    return columns, unmeasured, first


def _database_blocks(path: Path, left_out: LeftOut) -> Iterator[LogColumns | None]:
    db = open_readonly(path, [SIGHTING_TABLE])
    try:
        with database_errors(path):
            cursor = db.conn.execute(
                "SELECT id, rpi, aem, rssi_dbm, seen_at, previous_scan_at, clock_suspect"
                " FROM sighting ORDER BY id"
            )
            while rows := cursor.fetchmany(BLOCK_ROWS):
                yield _of_rows(rows, path_of(db), left_out)
    finally:
        db.close()


def _of_rows(rows: list[tuple[Any, ...]], path: str, left_out: LeftOut) -> LogColumns:
    """Convert rows to columns; count those that lie outside the protocol, and leave them out."""
    columns = None if any(row[6] for row in rows) else _usual_rows(rows)
    if columns is None:
        found = (read_row(row, path, left_out) for row in rows)
        return LogColumns.from_sightings(each for each in found if each is not None)
    unmeasured = columns.unmeasured()
    if len(unmeasured):
        left_out.note_unmeasured(len(unmeasured), f"row {rows[unmeasured[0]][0]}")
    return columns


def _usual_rows(rows: list[tuple[Any, ...]]) -> LogColumns | None:
    """Convert rows to columns; return None if one lies outside the protocol."""
    try:
        _, rpis, aems, samples, seen_at, previous_scans, _ = zip(*rows, strict=True)
        lengths = [len(each) for each in samples]
        columns = LogColumns(
            len(rows),
            0,
            np.frombuffer(b"".join(rpis), np.uint8).reshape(len(rows), 16),
            np.frombuffer(b"".join(aems), np.uint8).reshape(len(rows), 4),
            np.array(seen_at, np.int64),
            np.array([NO_SCAN if each is None else each for each in previous_scans], np.int64),
            np.frombuffer(b"".join(samples), np.int8),
            np.fromiter(accumulate(lengths), np.int64, len(lengths)),
        )
        known = [each for each in previous_scans if each is not None]
    except (TypeError, ValueError, OverflowError):
        return None
    fine = (
        {int} == set(map(type, seen_at)) >= set(map(type, known))
        and set(map(len, rpis)) == {16}
        and set(map(len, aems)) == {4}
        and min(lengths) > 0
        and 0 <= min(seen_at) <= max(seen_at) < LATEST_MOMENT
        and 0 <= min(known, default=0) <= max(known, default=0) < LATEST_MOMENT
    )
    return columns if fine else None
