"""A folder of logs, one file per log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from matcher.many.source import LoadedLogs, LogId, Tally, Unreadable
from matcher.portable.sightings import is_database
from tracing_core.errors import InvalidLog, StoreError
from tracing_core.store.files import file_errors
from tracing_core.store.left_out import LeftOut
from tracing_core.store.sighting import Sighting

if TYPE_CHECKING:
    from matcher.columns.log import LogColumns

__all__ = ["FolderPart", "check_all_parquet", "folder_parts"]

# A gzipped line takes about 40 bytes, others more. Loaded, it takes twice `BYTES_A_SIGHTING`, with
# the columns that matter only once it matched.
_FILE_BYTES, _LOADED_BYTES = 40, 160
_SIDECARS = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class FolderPart:
    """Some logs, a file each."""

    paths: tuple[Path, ...]

    def read(self) -> LoadedLogs:
        """Read the logs whole; the id of each is its file's name."""
        return _LogFiles(self.paths)


class _LogFiles:
    """Logs read whole, without their sightings under a suspect clock and what cannot be read."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._logs: list[LogColumns] = []
        self.log_ids: list[LogId] = []
        self.unreadable: dict[LogId | None, Unreadable] = {}
        self._unmeasured: list[int] = []
        for path in paths:
            self._read(path)
        self._starts = np.cumsum([0, *map(len, self._logs)])
        self.log = np.repeat(np.arange(len(self._logs), dtype="int32"), np.diff(self._starts))
        self.rpi = np.concatenate([np.empty((0, 16), "uint8"), *(log.rpi for log in self._logs)])
        self.seen_at = np.concatenate([np.empty(0, "int64"), *(log.seen_at for log in self._logs)])
        self.clock_suspect = np.zeros(len(self.rpi), "bool")

    def _read(self, path: Path) -> None:
        """Read a log; one that cannot be read never takes the others with it."""
        from matcher.columns.log import read_columns

        left_out = LeftOut()
        try:
            log = read_columns(path, left_out)
        except (InvalidLog, StoreError) as error:
            count = max(1, left_out.unreadable)
            self.unreadable[path.name] = Unreadable(count, _placed(path, error))
            return
        self._logs.append(log)
        self.log_ids.append(path.name)
        self._unmeasured.append(left_out.unmeasured)
        if (first := left_out.first_unreadable) is not None:
            self.unreadable[path.name] = Unreadable(left_out.unreadable, _placed(path, first))

    def tally(self) -> Tally:
        """Return the totals of every log."""
        from matcher.many.join import tally_logs

        *_, last, past = tally_logs(len(self._logs), self.log, self.seen_at, self.clock_suspect)
        return Tally(
            np.array([log.count for log in self._logs], "int64"),
            np.array([log.suspect_count for log in self._logs], "int64"),
            last,
            past,
            np.array(self._unmeasured, "int64"),
        )

    def sightings(self, rows: NDArray[np.int64]) -> list[Sighting]:
        """Return some rows as objects."""
        found: list[Sighting] = []
        bounds = rows.searchsorted(self._starts)
        for number, log in enumerate(self._logs):
            of_log = rows[bounds[number] : bounds[number + 1]]
            found += log.sightings(of_log - self._starts[number])
        return found


def _placed(path: Path, error: Exception) -> str:
    text = str(error)
    return text if str(path) in text else f"{path}: {text}"


def folder_parts(folder: Path, memory: int, workers: int = 1) -> list[FolderPart]:
    """Divide the logs of a folder, or one log, into parts that fit into so much memory.

    Parts are smaller if some workers would otherwise have none; a larger log is a part of its own.

    Raises
    ------
    InvalidLog
        When the folder holds no log.
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
            raise InvalidLog(f"{folder}: rename {path.name!a:.80}, as its name is not valid text")
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
    """Raise an error if a folder of Parquet files also holds a log of another form.

    Raises
    ------
    InvalidLog
        When there is such a log, since it would not be read.
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
            continue  # it is not a log, but perhaps a description
        raise InvalidLog(
            f"{path} is not Parquet like the others: give each form in a folder of its own"
        )


def _is_log(path: Path) -> bool:
    hidden = path.name.startswith(".") or path.name.endswith((*_SIDECARS, ".part"))
    return path.is_file() and not hidden
