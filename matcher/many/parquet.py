"""Logs in Parquet files, read a few row groups at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matcher.many.source import LogId, Tally, Unreadable
from matcher.many.wrong_rows import MOMENTS, reason_of, unmeasured_rows, wrong_rows
from tracing_core.errors import InvalidLog, InvalidValue, require
from tracing_core.paths import is_folder
from tracing_core.protocol.associated_encrypted_metadata import AEM_LENGTH
from tracing_core.protocol.rolling_proximity_identifier import RPI_LENGTH
from tracing_core.protocol.signal_strength import STRONGEST_DBM, WEAKEST_DBM
from tracing_core.store.field_values import LATEST_MOMENT, sample
from tracing_core.store.files import file_errors
from tracing_core.store.sighting import Sighting
from tracing_core.store.sqlite import beginning_of

__all__ = ["LARGEST_ROW_GROUP", "ParquetPart", "ParquetPiece", "is_parquet", "parquet_parts"]

LARGEST_ROW_GROUP = 1 << 24
"""Rows; a row group is decoded whole, and writers make them of a million or less."""

_LARGEST_GROUP_BYTES = 1 << 31
_MAGIC = b"PAR1"
_REQUIRED = ("log_id", "rpi", "aem", "rssi_dbm", "seen_at")
_FIRST = ("log_id", "rpi", "seen_at", "clock_suspect")
_REST = ("aem", "rssi_dbm", "previous_scan_at")


@dataclass(frozen=True, slots=True)
class ParquetPiece:
    """A row group of a file."""

    path: Path
    group: int
    rows: int
    is_usual: bool
    """Whether the file's statistics show that nothing of a row's rest is unusual."""


@dataclass(frozen=True, slots=True)
class ParquetPart:
    """Some row groups, of one file or several."""

    pieces: tuple[ParquetPiece, ...]

    def read(self) -> _ParquetRows:
        """Read the columns that decide what matches."""
        return _ParquetRows(self.pieces)


def is_parquet(path: Path) -> bool:
    """Return whether a file, or any file of a folder, is Parquet."""
    with file_errors(path):
        if is_folder(path):
            return next(_files(path), None) is not None
        return beginning_of(path).startswith(_MAGIC)


def _files(path: Path) -> Iterator[Path]:
    if not is_folder(path):
        yield path
        return
    for file in sorted(path.rglob("*.parquet")):
        # Writers of datasets mark files that are not data by such names.
        if not any(part.startswith((".", "_")) for part in file.relative_to(path).parts):
            yield file


def parquet_parts(path: Path, sightings: int, workers: int = 1) -> list[ParquetPart]:
    """Divide the row groups of a file or folder into parts of at most so many sightings.

    Parts are smaller if some workers would otherwise have none; a larger row group is a part of its
    own.

    Raises
    ------
    InvalidLog
        When a file is not Parquet, lacks a column, or has one of another type.
    MissingExtra
        When pyarrow is not installed.
    """
    pieces = [piece for file in _files(path) for piece in _pieces(file)]
    share = min(sightings, -(-sum(piece.rows for piece in pieces) // workers))
    parts: list[list[ParquetPiece]] = []
    room = 0
    for piece in pieces:
        if not parts or piece.rows > room:
            parts.append([])
            room = share
        parts[-1].append(piece)
        room -= piece.rows
    return [ParquetPart(tuple(part)) for part in parts]


def _pieces(path: Path) -> Iterator[ParquetPiece]:
    with _opened(path) as file:
        _check_schema(path, file.schema_arrow)
        for group in range(file.num_row_groups):
            facts = file.metadata.row_group(group)
            if (
                not 0 <= facts.num_rows <= LARGEST_ROW_GROUP
                or not 0 <= facts.total_byte_size <= _LARGEST_GROUP_BYTES
            ):
                raise InvalidLog(
                    f"{path}, row group {group}: more than {LARGEST_ROW_GROUP} rows or"
                    f" {_LARGEST_GROUP_BYTES} bytes: write it again with smaller row groups"
                )
            yield ParquetPiece(path, group, facts.num_rows, _is_usual(facts))


def _is_usual(group: Any) -> bool:
    """Return whether a row group's statistics show that the rest of each row is as it should be.

    Then it is decoded only where a row matched. Null and empty lists count as null.
    """
    columns = map(group.column, range(group.num_columns))
    return all(
        _is_within(name, column)
        for column in columns
        if (name := column.path_in_schema.partition(".")[0]) in _REST
    )


def _is_within(name: str, column: Any) -> bool:
    facts = column.statistics
    if facts is None or not facts.has_null_count:
        return False
    if name == "previous_scan_at":
        if facts.null_count == column.num_values:
            return True
        low, high = 0, LATEST_MOMENT - 1
    elif facts.null_count or name == "aem":
        return not facts.null_count
    else:
        low, high = WEAKEST_DBM, STRONGEST_DBM
    return bool(facts.has_min_max and low <= facts.min and facts.max <= high)


@contextlib.contextmanager
def _opened(path: Path, **options: Any) -> Iterator[Any]:
    """Open a file; any error of Arrow, now or later, becomes an `InvalidLog` of one line."""
    arrow = require("pyarrow", extra="arrow")
    parquet = require("pyarrow.parquet", extra="arrow")
    try:
        with parquet.ParquetFile(path, pre_buffer=False, **options) as file:
            yield file
    except (arrow.ArrowException, OSError, OverflowError, MemoryError, UnicodeError) as error:
        if isinstance(error, InvalidValue):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InvalidLog(f"{path} cannot be read as Parquet: {reason:.160}") from error


def _is_number(kind: Any) -> bool:
    types = require("pyarrow.types", extra="arrow")
    return bool(types.is_integer(kind.value_type if types.is_dictionary(kind) else kind))


def _check_schema(path: Path, schema: Any) -> None:
    types = require("pyarrow.types", extra="arrow")

    def is_samples(kind: Any) -> bool:
        is_list = types.is_list(kind) or types.is_large_list(kind)
        return bool(types.is_integer(kind.value_type if is_list else kind))

    def is_name(kind: Any) -> bool:
        kind = kind.value_type if types.is_dictionary(kind) else kind
        return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_integer(kind))

    def is_bytes(length: int) -> Any:
        return lambda kind: types.is_fixed_size_binary(kind) and kind.byte_width == length

    kinds = {
        "log_id": (is_name, "text or an integer"),
        "rpi": (is_bytes(RPI_LENGTH), f"fixed_size_binary[{RPI_LENGTH}]"),
        "aem": (is_bytes(AEM_LENGTH), f"fixed_size_binary[{AEM_LENGTH}]"),
        "rssi_dbm": (is_samples, "int8 or list<int8>"),
        "seen_at": (types.is_integer, "int64"),
        "previous_scan_at": (types.is_integer, "int64"),
        "clock_suspect": (types.is_boolean, "bool"),
    }
    for name, (fits, wanted) in kinds.items():
        count = schema.names.count(name)
        if count > 1 or (not count and name in _REQUIRED):
            raise InvalidLog(f"{path} has {count or 'no'} column{'s' * (count > 1)} {name}")
        if count and not fits(schema.field(name).type):
            found = str(schema.field(name).type)
            raise InvalidLog(f"{path}: column {name} must be {wanted}, not {found:.60}")


class _ParquetRows:
    """The sightings of a part; one row group is decoded at a time."""

    def __init__(self, pieces: Sequence[ParquetPiece]) -> None:
        self._pieces = pieces
        rows = sum(piece.rows for piece in pieces)
        self.log: NDArray[np.int32] = np.empty(rows, "int32")
        self.rpi: NDArray[np.uint8] = np.empty((rows, RPI_LENGTH), "uint8")
        self.seen_at: NDArray[np.int64] = np.empty(rows, "int64")
        self.clock_suspect: NDArray[np.bool_] = np.zeros(rows, "bool")
        self.unreadable: dict[LogId | None, Unreadable] = {}
        self._numbers: dict[LogId, int] = {}
        self._kept: list[NDArray[np.int64] | None] = []  # None for all rows of a piece
        self._unmeasured = [np.empty(0, "int64")]
        self._starts = np.zeros(len(pieces) + 1, "int64")
        for number, piece in enumerate(pieces):
            start = int(self._starts[number])
            self._starts[number + 1] = start + self._read(piece, start)
        rows = int(self._starts[-1])
        self.log, self.rpi, self.seen_at = self.log[:rows], self.rpi[:rows], self.seen_at[:rows]
        self.clock_suspect = self.clock_suspect[:rows]
        self.log_ids: list[LogId] = list(self._numbers)

    def _read(self, piece: ParquetPiece, start: int) -> int:
        """Read a row group into the rows from `start` on; return how many of its rows are kept."""
        columns = _columns(piece, _FIRST if piece.is_usual else (*_FIRST, *_REST))
        wrong = wrong_rows(columns)
        self._kept.append(None if wrong is None else np.flatnonzero(~wrong))
        if wrong is not None:
            self._leave_out(piece, columns, np.flatnonzero(wrong))
            columns = {name: column.take(self._kept[-1]) for name, column in columns.items()}
        rpi = columns["rpi"]
        rows = slice(start, start + len(rpi))
        self.log[rows] = self._log_numbers(columns["log_id"])
        data = np.frombuffer(rpi.buffers()[1] or b"", "uint8")
        first = RPI_LENGTH * rpi.offset
        self.rpi[rows] = data[first : first + RPI_LENGTH * len(rpi)].reshape(-1, RPI_LENGTH)
        self.seen_at[rows] = columns["seen_at"].to_numpy()
        if "clock_suspect" in columns:
            self.clock_suspect[rows] = columns["clock_suspect"].to_numpy(zero_copy_only=False)
        if not piece.is_usual:
            unmeasured = unmeasured_rows(columns["rssi_dbm"]) & ~self.clock_suspect[rows]
            self._unmeasured.append(start + np.flatnonzero(unmeasured))
        return len(rpi)

    def _leave_out(
        self, piece: ParquetPiece, columns: dict[str, Any], rows: NDArray[np.int64]
    ) -> None:
        """Count some rows by their logs, and note where the first of each is."""
        of_logs: dict[LogId | None, list[int]] = {}
        log_ids = columns["log_id"].take(rows).to_pylist()
        for log_id, row in zip(log_ids, rows.tolist(), strict=True):
            of_logs.setdefault(log_id, []).append(row)
        for log_id, wrong in of_logs.items():
            log = "" if log_id is None else f", log {log_id}"
            place = f"{piece.path}{log}, row group {piece.group}, row {wrong[0]}"
            found = Unreadable(len(wrong), f"{place}: {reason_of(columns, wrong[0])}")
            before = self.unreadable.get(log_id)
            self.unreadable[log_id] = found if before is None else before.and_later(found)

    def _log_numbers(self, log_ids: Any) -> Any:
        types = require("pyarrow.types", extra="arrow")
        if not types.is_dictionary(log_ids.type):
            log_ids = log_ids.dictionary_encode()
        numbers = self._numbers
        indices = log_ids.indices.to_numpy()
        # A file's dictionary may name logs that are not in this row group.
        used = np.unique(indices)
        known = np.zeros(len(log_ids.dictionary), "int32")
        known[used] = [
            numbers.setdefault(name, len(numbers))
            for name in log_ids.dictionary.take(used).to_pylist()
        ]
        return known[indices]

    def tally(self) -> Tally:
        """Return the totals of every log."""
        from matcher.many.join import tally_logs

        logs = len(self.log_ids)
        totals = tally_logs(logs, self.log, self.seen_at, self.clock_suspect)
        unmeasured = self.log[np.concatenate(self._unmeasured)]
        return Tally(*totals, np.bincount(unmeasured, minlength=logs))

    def sightings(self, rows: NDArray[np.int64]) -> list[Sighting]:
        """Return some rows; only the row groups that hold them are read."""
        found: list[Sighting] = []
        bounds = rows.searchsorted(self._starts)
        for number, piece in enumerate(self._pieces):
            of_piece = rows[bounds[number] : bounds[number + 1]]
            if len(of_piece):
                kept, places = self._kept[number], of_piece - self._starts[number]
                found += self._sightings(piece, of_piece, places if kept is None else kept[places])
        return found

    def _sightings(self, piece: ParquetPiece, rows: Any, places: Any) -> Iterator[Sighting]:
        taken = {name: column.take(places) for name, column in _columns(piece, _REST).items()}
        previous = taken.get("previous_scan_at")
        samples = taken["rssi_dbm"].to_pylist()
        for number, row in enumerate(rows.tolist()):
            heard = samples[number]
            try:
                yield Sighting(
                    self.rpi[row].tobytes(),
                    taken["aem"][number].as_py(),
                    tuple(map(sample, heard if isinstance(heard, list) else [heard])),
                    int(self.seen_at[row]),
                    None if previous is None else previous[number].as_py(),
                    bool(self.clock_suspect[row]),
                )
            except (InvalidValue, TypeError) as error:
                # Only statistics that were wrong let such a row come so far.
                reason = error if isinstance(error, InvalidValue) else "aem is missing"
                place = f"{piece.path}, row group {piece.group}, row {places[number]}"
                raise InvalidLog(f"{place}: {reason}") from error


def _columns(piece: ParquetPiece, names: Sequence[str]) -> dict[str, Any]:
    """Decode some columns of a row group; an optional one may be missing."""
    with _opened(piece.path, read_dictionary=["log_id"]) as file:
        there = [name for name in names if name in file.schema_arrow.names]
        table = file.read_row_group(piece.group, columns=there, use_threads=False)
        if table.num_rows != piece.rows:
            raise InvalidLog(f"{piece.path} changed while it was read")
        # Decoding trusts the text and dictionary places of a damaged page; this checks them.
        table.validate(full=True)
        columns = {name: table.column(name).combine_chunks() for name in there}
        arrow = require("pyarrow", extra="arrow")
        for name, column in columns.items():
            if name in MOMENTS:
                # An unsigned time that does not fit becomes negative, which is wrong too.
                columns[name] = column.cast("int64", safe=False)
            elif name == "log_id" and _is_number(column.type):
                columns[name] = column.cast("int64")
            if isinstance(column, arrow.ChunkedArray):
                # Arrow returns several chunks if one cannot hold them, as for text beyond 2 GB.
                raise InvalidLog(f"{piece.path}, row group {piece.group}: too large a {name}")
    return columns
