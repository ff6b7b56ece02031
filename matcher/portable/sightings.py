"""A log of sightings, read from any of its forms and indexed by identifier."""

from __future__ import annotations

import array
import bisect
from collections.abc import Iterable, Iterator, Sized
from pathlib import Path

from tracing_core.errors import ExportFileError, InvalidLog, LogFault
from tracing_core.export_file import find_exports
from tracing_core.export_file.file_kind import FileKind, advice_for_log, file_kind
from tracing_core.paths import is_folder, is_there
from tracing_core.protocol.interval import TEK_ROLLING_PERIOD, interval_number
from tracing_core.store.files import file_errors
from tracing_core.store.json_lines import BYTE_ORDER_MARK
from tracing_core.store.left_out import LeftOut
from tracing_core.store.sighting import SIGHTING_TABLE, Sighting, read_json_lines, select_sightings
from tracing_core.store.sqlite import beginning_of, database_errors, open_readonly

__all__ = ["SightingIndex", "estimated_sightings", "is_database", "read_log"]

_SQLITE = b"SQLite format 3\0"
_GZIP = b"\x1f\x8b"
_UNKNOWN = -1
# A line and a row take 60 to 110 bytes, a gzipped line about 40.
_SIGHTING_BYTES = 80


def read_log(path: str | Path, left_out: LeftOut | None = None) -> Iterator[Sighting]:
    """Read a log in its order: an agent's database, or JSON Lines, gzipped or not.

    Its first bytes decide which, not its name. Nothing is written or removed.

    Parameters
    ----------
    path
        The log.
    left_out
        Counts the lines or rows that cannot be read; None to raise an error at the first.

    Raises
    ------
    InvalidLog
        When the log is neither, or at the first line or row that cannot be read. If such lines are
        counted, only at the end, and only if none could be read.
    SchemaMismatch
        When a newer version wrote the database.
    StoreError
        When the log cannot be opened.
    """
    path = Path(path)
    if is_database(path):
        return _read_database(path, left_out)
    return read_json_lines(path, left_out)


def is_database(path: Path) -> bool:
    """Return whether a log is an agent's database, by its first bytes; else it is JSON Lines.

    Raises
    ------
    InvalidLog
        When the log is neither.
    StoreError
        When the log cannot be opened.
    """
    with file_errors(path):
        if is_folder(path):
            raise _unreadable(path, _folder_advice(path))
        if path.is_fifo():  # a pipe gives its bytes only once, but a log is read twice
            wrong = f"{path} is a pipe: write it to a file first"
            raise InvalidLog(wrong, LogFault.UNKNOWN, path=path)
        beginning = beginning_of(path)
    if beginning.startswith(_SQLITE):
        return True
    text = beginning.removeprefix(BYTE_ORDER_MARK).lstrip()
    is_checks = file_kind(beginning) is FileKind.CHECKS
    if beginning.startswith(_GZIP) or (text.startswith(b"{") and not is_checks) or not text:
        return False
    advice = advice_for_log(beginning)
    raise _unreadable(path, _neither(beginning) if advice is None else advice.en)


def _unreadable(path: Path, why: str) -> InvalidLog:
    return InvalidLog(f"{path} is not a log: {why}", LogFault.UNKNOWN, path=path)


def _folder_advice(folder: Path) -> str:
    if is_there(folder / "CURRENT"):
        return "it is a phone's database: import it first, with truyvet agent import"
    try:
        find_exports([folder])
    except ExportFileError:
        return "it is a folder: name the log in it, or use truyvet match-many for many logs"
    return "it is a folder of key files: the log comes first, then the key files"


def _neither(beginning: bytes) -> str:
    why = "neither an agent's database nor JSON Lines"
    if beginning.startswith((b"\xff\xfe", b"\xfe\xff")):
        return f"{why}; save it as UTF-8, not UTF-16"
    if beginning.lstrip().startswith(b"["):
        return f"{why}; write each object of the array on a line of its own"
    return why


def estimated_sightings(log: Path | Iterable[Sighting]) -> int:
    """Return about how many sightings a log holds, by its size; 0 if unknown."""
    if isinstance(log, Path):
        try:
            return log.stat().st_size // _SIGHTING_BYTES
        except OSError:
            return 0  # reading it will raise the right error
    return len(log) if isinstance(log, Sized) else 0


def _read_database(path: Path, left_out: LeftOut | None) -> Iterator[Sighting]:
    db = open_readonly(path, [SIGHTING_TABLE])
    try:
        with database_errors(path):
            yield from select_sightings(db, left_out)
    finally:
        db.close()


class SightingIndex:
    """An index of a log's sightings by identifier; about 30 bytes each besides the identifiers.

    Sightings under a suspect clock are counted and left out: they never match, and they do not
    decide when an identifier was first heard.
    """

    def __init__(self, sightings: Iterable[Sighting]) -> None:
        self.count = 0
        """Number of sightings in the log."""
        self.suspect_count = 0
        """Number of sightings left out."""
        # A chain through `_before` links the sightings of one identifier, the last one first.
        self._last: dict[bytes, int] = {}
        self._before = array.array("q")
        self._seen_at = array.array("q")
        self._previous_scan_at = array.array("q")
        self._aem = array.array("I")
        self._rssi_dbm = array.array("b")
        self._rssi_end = array.array("q", [0])
        intervals: set[int] = set()
        for sighting in sightings:
            self.count += 1
            if sighting.clock_suspect:
                self.suspect_count += 1
            else:
                self._append(sighting)
                intervals.add(interval_number(sighting.seen_at))
        self._intervals = sorted(intervals)
        self._days = sorted({interval // TEK_ROLLING_PERIOD for interval in intervals})

    @property
    def kept_count(self) -> int:
        """Number of sightings that can match."""
        return len(self._seen_at)

    @property
    def last_seen_at(self) -> int | None:
        """Time of the last sighting that was kept (UTC Unix seconds); None without one."""
        return max(self._seen_at, default=None)

    def days(self) -> list[int]:
        """Return the UTC days of the sightings that were kept, in order."""
        return [*self._days]

    def has_day(self, first: int, last: int) -> bool:
        """Return whether anything was heard on the UTC days from `first` to `last`."""
        at = bisect.bisect_left(self._days, first)
        return at < len(self._days) and self._days[at] <= last

    def heard_after(self, moment: float) -> int:
        """Return the number of sightings after a moment (UTC Unix seconds) that were kept."""
        return sum(seen_at > moment for seen_at in self._seen_at)

    def _append(self, sighting: Sighting) -> None:
        previous = sighting.previous_scan_at
        self._before.append(self._last.get(sighting.rpi, _UNKNOWN))
        self._last[sighting.rpi] = len(self._seen_at)
        self._seen_at.append(sighting.seen_at)
        self._previous_scan_at.append(_UNKNOWN if previous is None else previous)
        self._aem.append(int.from_bytes(sighting.aem))
        self._rssi_dbm.extend(sighting.rssi_dbm)
        self._rssi_end.append(len(self._rssi_dbm))

    def heard_between(self, first: int, end: int) -> bool:
        """Return whether anything was heard in the intervals from `first` to before `end`."""
        at = bisect.bisect_left(self._intervals, first)
        return at < len(self._intervals) and self._intervals[at] < end

    def heard(self, rpis: Iterable[bytes]) -> set[bytes]:
        """Return the identifiers that were heard."""
        return self._last.keys() & rpis

    def positions(self, rpi: bytes) -> list[int]:
        """Return the positions of an identifier in the log, in order; empty if it was not heard."""
        at = self._last.get(rpi, _UNKNOWN)
        found = []
        while at != _UNKNOWN:
            found.append(at)
            at = self._before[at]
        found.reverse()
        return found

    def seen_at(self, position: int) -> int:
        """Return when the sighting at `position` was heard (UTC Unix seconds)."""
        return self._seen_at[position]

    def sighting(self, rpi: bytes, position: int) -> Sighting:
        """Return the sighting at `position` as it was logged."""
        previous = self._previous_scan_at[position]
        samples = self._rssi_dbm[self._rssi_end[position] : self._rssi_end[position + 1]]
        return Sighting(
            rpi=rpi,
            aem=self._aem[position].to_bytes(4),
            rssi_dbm=tuple(samples),
            seen_at=self._seen_at[position],
            previous_scan_at=None if previous == _UNKNOWN else previous,
        )
