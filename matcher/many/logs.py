"""Sightings of many logs as columns, and the parts that larger collections are read in."""

from __future__ import annotations

import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from matcher.portable.sightings import is_database
from tracing_core.errors import InvalidLog, InvalidValue
from tracing_core.protocol.associated_encrypted_metadata import AEM_LENGTH
from tracing_core.protocol.interval import INTERVAL_SECONDS
from tracing_core.protocol.rolling_proximity_identifier import RPI_LENGTH
from tracing_core.store.files import file_errors
from tracing_core.store.sighting import Sighting

__all__ = [
    "BYTES_A_SIGHTING",
    "LATEST",
    "FolderPart",
    "LogId",
    "LogPart",
    "ManyLogs",
    "PartOfLogs",
    "Tally",
    "check_all_parquet",
    "folder_parts",
]

LogId = str | int
"""What a log is called: a file's name, or what stands in a column ``log_id``."""

BYTES_A_SIGHTING = 64
"""What a worker needs for each sighting of a part; docs/many-logs.md has the measurement."""

LATEST = 2**32 * INTERVAL_SECONDS
"""The first second whose interval does not fit 32 bits."""

_UNKNOWN = -1
# A gzipped line takes about 40 bytes, others more; loaded it takes twice what is said above, with
# the columns that only matter once it matched.
_FILE_BYTES, _LOADED_BYTES = 40, 160
_SIDECARS = ("-wal", "-shm", "-journal")


class Tally(NamedTuple):
    """What is told of logs that match nothing too; one entry a log."""

    sightings: NDArray[np.int64]
    suspect_sightings: NDArray[np.int64]
    """How many of them are under a suspect clock."""
    last_seen_at: NDArray[np.int64]
    """When the last of the others was heard (UTC Unix seconds); −1 without one."""

    def __repr__(self) -> str:
        return f"<Tally of {len(self.sightings)} logs>"


class LogPart(Protocol):
    """Some logs, or parts of logs, in memory; the rest of a row is asked for when it matched."""

    @property
    def log_ids(self) -> Sequence[LogId]:
        """The logs, each once."""

    @property
    def log(self) -> NDArray[np.int32]:
        """For each sighting, which of them it is of."""

    @property
    def rpi(self) -> NDArray[np.uint8]:
        """Shape (n, 16)."""

    @property
    def seen_at(self) -> NDArray[np.int64]:
        """UTC Unix seconds."""

    @property
    def clock_suspect(self) -> NDArray[np.bool_]:
        """Whether the device's clock had jumped back."""

    def tally(self) -> Tally:
        """Return what is told of every log."""

    def sightings(self, rows: NDArray[np.int64]) -> list[Sighting]:
        """Return some rows, which rise, as they were logged."""


class PartOfLogs(Protocol):
    """What a unit of work is made of: small, picklable, and where to read."""

    def read(self) -> LogPart:
        """Read what decides which sightings match.

        Raises
        ------
        InvalidLog, StoreError
            When it cannot be read.
        """


@dataclass(frozen=True, slots=True, repr=False)
class ManyLogs:
    """Sightings of many logs in memory, one a row, in each log's order.

    Raises
    ------
    InvalidValue
        When a column has another type, length or layout than it says, or a time is outside the
        protocol.
    """

    log_ids: Sequence[LogId]
    """The logs, each once; those without a sighting too."""
    log: NDArray[np.int32]
    """For each sighting, which of `log_ids` it is of."""
    rpi: NDArray[np.uint8]
    """Rolling Proximity Identifiers, shape (n, 16)."""
    aem: NDArray[np.uint8]
    """Associated Encrypted Metadata, shape (n, 4)."""
    seen_at: NDArray[np.int64]
    """UTC Unix seconds."""
    previous_scan_at: NDArray[np.int64]
    """UTC Unix seconds; −1 if unknown."""
    clock_suspect: NDArray[np.bool_]
    """Whether the device's clock had jumped back; such a sighting never matches."""
    rssi_dbm: NDArray[np.int8]
    """All samples, one sighting's after the other's."""
    rssi_end: NDArray[np.int64]
    """Where in `rssi_dbm` each sighting's samples begin and end, shape (n + 1)."""

    def __post_init__(self) -> None:
        rows = len(self.rpi)
        for name, shape, kind in (
            ("log", (rows,), "int32"),
            ("rpi", (rows, RPI_LENGTH), "uint8"),
            ("aem", (rows, AEM_LENGTH), "uint8"),
            ("seen_at", (rows,), "int64"),
            ("previous_scan_at", (rows,), "int64"),
            ("clock_suspect", (rows,), "bool"),
            ("rssi_dbm", (len(self.rssi_dbm),), "int8"),
            ("rssi_end", (rows + 1,), "int64"),
        ):
            column = getattr(self, name)
            if column.shape != shape or column.dtype != kind or not column.flags.c_contiguous:
                raise InvalidValue(f"column {name} must be a contiguous {kind} array of {shape}")
        if not rows:
            return
        if self.log.min() < 0 or self.log.max() >= len(self.log_ids):
            raise InvalidValue("column log must hold places of log_ids")
        if self.seen_at.min() < 0 or self.seen_at.max() >= LATEST:
            raise InvalidValue("column seen_at must be UTC Unix seconds")

    def __len__(self) -> int:
        return len(self.rpi)

    @classmethod
    def from_sightings(cls, logs: Mapping[LogId, Iterable[Sighting]]) -> ManyLogs:
        """Make columns of logs of sighting objects."""
        # Of machine numbers: lists of Python's would take more than the columns.
        rpis, aems, suspects = bytearray(), bytearray(), bytearray()
        log, rssi = array.array("i"), array.array("b")
        seen_at, previous, ends = array.array("q"), array.array("q"), array.array("q", [0])
        for number, sightings in enumerate(logs.values()):
            for one in sightings:
                log.append(number)
                rpis += one.rpi
                aems += one.aem
                suspects.append(one.clock_suspect)
                rssi.extend(one.rssi_dbm)
                ends.append(len(rssi))
                seen_at.append(one.seen_at)
                previous.append(_UNKNOWN if one.previous_scan_at is None else one.previous_scan_at)
        return cls(
            list(logs),
            np.frombuffer(log, "int32"),
            np.frombuffer(rpis, "uint8").reshape(len(log), RPI_LENGTH),
            np.frombuffer(aems, "uint8").reshape(len(log), AEM_LENGTH),
            np.frombuffer(seen_at, "int64"),
            np.frombuffer(previous, "int64"),
            np.frombuffer(suspects, "bool"),
            np.frombuffer(rssi, "int8"),
            np.frombuffer(ends, "int64"),
        )

    def read(self) -> LogPart:
        """Return itself: it is a part that is already read."""
        return self

    def tally(self) -> Tally:
        """Return what is told of every log."""
        from matcher.many.join import tally_logs

        return Tally(*tally_logs(len(self.log_ids), self.log, self.seen_at, self.clock_suspect))

    def sightings(self, rows: NDArray[np.int64]) -> list[Sighting]:
        """Return some rows as objects."""
        return [self._sighting(row) for row in rows.tolist()]

    def _sighting(self, row: int) -> Sighting:
        previous = int(self.previous_scan_at[row])
        samples = self.rssi_dbm[self.rssi_end[row] : self.rssi_end[row + 1]]
        return Sighting(
            self.rpi[row].tobytes(),
            self.aem[row].tobytes(),
            tuple(samples.tolist()),
            int(self.seen_at[row]),
            None if previous == _UNKNOWN else previous,
            bool(self.clock_suspect[row]),
        )

    def parts(self, sightings: int) -> Iterator[ManyLogs]:
        """Yield parts of at most so many sightings or, where a log is longer, of that log."""
        start = 0
        while start < len(self):
            end = self._log_end(min(start + sightings, len(self)), start)
            yield self._part(start, end)
            start = end

    def _log_end(self, at: int, start: int) -> int:
        """Return where, before or after a place, one log ends and another begins."""
        if at == len(self) or self.log[at] != self.log[at - 1]:
            return at
        for part, base in ((self.log[start:at][::-1], -1), (self.log[at:], 1)):
            others = part != self.log[at]
            steps = int(others.argmax())
            if others.any():
                return at + base * steps
        return len(self)

    def _part(self, start: int, end: int) -> ManyLogs:
        rows = slice(start, end)
        first, last = self.rssi_end[start], self.rssi_end[end]
        return ManyLogs(
            self.log_ids,
            self.log[rows],
            self.rpi[rows],
            self.aem[rows],
            self.seen_at[rows],
            self.previous_scan_at[rows],
            self.clock_suspect[rows],
            self.rssi_dbm[first:last],
            self.rssi_end[start : end + 1] - first,
        )


@dataclass(frozen=True, slots=True)
class FolderPart:
    """Some logs, a file each."""

    paths: tuple[Path, ...]

    def read(self) -> LogPart:
        """Read them whole; each is called by its file's name."""
        return _LogFiles(self.paths)


class _LogFiles:
    """Logs that were read whole, without their sightings under a suspect clock."""

    def __init__(self, paths: Sequence[Path]) -> None:
        from matcher.columns.log import read_columns

        self._logs = [read_columns(path) for path in paths]
        self._starts = np.cumsum([0, *map(len, self._logs)])
        self.log_ids: list[LogId] = [path.name for path in paths]
        self.log = np.repeat(np.arange(len(paths), dtype="int32"), np.diff(self._starts))
        self.rpi = np.concatenate([log.rpi for log in self._logs])
        self.seen_at = np.concatenate([log.seen_at for log in self._logs])
        self.clock_suspect = np.zeros(len(self.rpi), "bool")

    def tally(self) -> Tally:
        """Return what is told of every log."""
        last = (log.last_seen_at for log in self._logs)
        return Tally(
            np.array([log.count for log in self._logs], "int64"),
            np.array([log.suspect_count for log in self._logs], "int64"),
            np.array([-1 if moment is None else moment for moment in last], "int64"),
        )

    def sightings(self, rows: NDArray[np.int64]) -> list[Sighting]:
        """Return some rows as objects."""
        found: list[Sighting] = []
        bounds = rows.searchsorted(self._starts)
        for number, log in enumerate(self._logs):
            of_log = rows[bounds[number] : bounds[number + 1]]
            found += log.sightings(of_log - self._starts[number])
        return found


def folder_parts(folder: Path, memory: int, workers: int = 1) -> list[FolderPart]:
    """Share the logs of a folder, or one log, out to parts that fit some bytes of memory.

    Of fewer, if some workers would else have none; a log that is larger is a part of its own.

    Raises
    ------
    InvalidLog
        When there is none.
    StoreError
        When the folder cannot be read.
    """
    with file_errors(folder):
        paths = sorted(folder.iterdir()) if folder.is_dir() else [folder]
        logs = [path for path in paths if _is_log(path)]
        sizes = [path.stat().st_size for path in logs]
    if not logs:
        raise InvalidLog(f"{folder} holds no log: give a folder of logs, or Parquet files")
    for path in logs:
        if path.name.encode(errors="replace").decode() != path.name:
            raise InvalidLog(f"{folder} holds a log whose name is no text: {path.name!a:.80}")
    share = min(memory * _FILE_BYTES // _LOADED_BYTES, -(-sum(sizes) // workers))
    parts: list[list[Path]] = []
    room = 0
    for path, size in zip(logs, sizes, strict=True):
        if not parts or size > room:
            parts.append([])
            room = share
        parts[-1].append(path)
        room -= size
    return [FolderPart(tuple(part)) for part in parts]


def check_all_parquet(folder: Path) -> None:
    """Refuse a folder of Parquet files in which there is a log of another form too.

    Raises
    ------
    InvalidLog
        When there is; it would not be read.
    StoreError
        When the folder cannot be read.
    """
    with file_errors(folder):
        others = [
            path
            for path in sorted(folder.iterdir())
            if path.suffix != ".parquet" and _is_log(path) and path.stat().st_size
        ]
    for path in others:
        try:
            is_database(path)
        except InvalidLog:
            continue  # it is none, but a description perhaps
        raise InvalidLog(f"{path} is no Parquet, as others there are: give each form alone")


def _is_log(path: Path) -> bool:
    hidden = path.name.startswith(".") or path.name.endswith((*_SIDECARS, ".part"))
    return path.is_file() and not hidden
