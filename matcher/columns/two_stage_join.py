"""Two-stage join: a compiled kernel selects candidate keys, the portable `Join` decides.

The problem: the rules of a match (replay, revision, revocation over several files) take a page of
Python and change with the protocol, and millions of keys need machine code. If the rules were
written twice, once in Numba, the two would drift apart, and a test would find that late.

But a key can match only if one of its identifiers was heard within the tolerance. That one
condition is what the kernel checks, and few keys of millions fulfil it. Their records go on to
`matcher.portable.join`, with all sightings of their identifiers, within the tolerance or not: the
first of them decides when an identifier was first heard. So every rule is written once.

Of all other keys only the 16 bytes are kept, in a set without Python objects
(`matcher.columns.value_set`): a later record of a key is a revision, and matters only if the key
was near.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from matcher.columns.days import distinct_days
from matcher.columns.index import ColumnIndex
from matcher.columns.join import derive_columns, match_columns
from matcher.columns.key_columns import KeyColumns
from matcher.columns.key_records import KeyObjects, KeyRecords
from matcher.columns.log import LogColumns
from matcher.columns.value_set import KnownKeys, ValueSet
from matcher.definition import KeyMatch
from matcher.kernels.processor import Kernel
from matcher.portable.clock_offset import MOST_KEYS_TRIED, ClockOffset, clock_offset
from matcher.portable.join import Join
from matcher.portable.sightings import SightingIndex
from tracing_core.export_file import ExportFile
from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.protocol.interval import TEK_ROLLING_PERIOD
from tracing_core.protocol.rolling_proximity_identifier import RPI_LENGTH

__all__ = ["TwoStageJoin"]


class TwoStageJoin:
    """The counterpart of `Join` for columns.

    Parameters
    ----------
    log
        The log.
    kernel
        The kernel that derives and compares.
    threads
        Number of threads.
    expected_keys
        About how many keys there will be; 0 if unknown.
    """

    def __init__(
        self, log: LogColumns, kernel: Kernel, *, threads: int = 1, expected_keys: int = 0
    ) -> None:
        self._log = log
        self._index = ColumnIndex(log.columns(), kernel)
        self._threads = threads
        self._known = KnownKeys(expected_keys)
        self._near, self._heard = ValueSet(), ValueSet()
        self._records: list[Iterable[tuple[int, DiagnosisKey]]] = []
        self._log_days = np.array(log.days(), np.int64)
        self._key_days: set[int] = set()
        self._untried: list[Iterable[tuple[int, DiagnosisKey]]] = []
        self._untried_count = 0
        self._decided: Join | None = None

    @property
    def diagnosis_keys(self) -> int:
        """Number of different keys given, including revoked ones."""
        return self._known.count

    def add(self, file: KeyRecords) -> None:
        """Add the next file; keep only the records that may matter."""
        keys = file.columns()
        first = self._known.add(keys.key_data)
        rows = np.flatnonzero(first)
        new = keys if len(rows) == len(keys) else _taken(keys, rows)
        found = match_columns(new, self._index, threads=self._threads)
        self._note_days(file, new, rows)
        near = rows[np.unique(found.key_row)]
        self._near.add(keys.key_data[near])
        self._heard.add(self._log.rpi[np.unique(found.sighting_row)])
        # A later record may revise a key that was near, and no other.
        later = np.flatnonzero(~first)
        later = later[self._near.contains(keys.key_data[later])]
        self._records.append(file.records(np.sort(np.concatenate([near, later]))))

    def _note_days(self, file: KeyRecords, new: KeyColumns, rows: NDArray[np.int64]) -> None:
        """Note the days of new keys, and some keys to try if none matches."""
        starts = new.rolling_start.astype(np.int64)
        first = starts // TEK_ROLLING_PERIOD
        last = (starts + new.rolling_period - 1) // TEK_ROLLING_PERIOD
        self._key_days.update(distinct_days(first), distinct_days(last))
        room = MOST_KEYS_TRIED - self._untried_count
        if room > 0 and len(self._log_days):
            at = self._log_days.searchsorted(first - 1)
            next_days = np.append(self._log_days, np.iinfo(np.int64).max)[at]
            close = np.flatnonzero(next_days <= last + 1)[:room]
            self._untried.append(file.records(rows[close]))
            self._untried_count += len(close)

    def key_days(self) -> list[int]:
        """Return the UTC days on which the keys were used, in order."""
        return sorted(self._key_days)

    @property
    def revoked(self) -> int:
        """Number of keys that matched until a later record revoked them; as `Join.revoked`."""
        return self._join().revoked

    def offset(self) -> ClockOffset | None:
        """Return by how much the log's clock was off; None if no identifier says."""
        join = self._join()
        found = join.matches()
        if found:
            return clock_offset((), found, SightingIndex(()))
        untried = [key for records in self._untried for _, key in records]
        keys = KeyObjects(ExportFile(0, 600, "", untried)).columns()
        derived = derive_columns(keys, self._index.kernel).reshape(-1, RPI_LENGTH)
        heard = ValueSet(len(derived))
        heard.add(derived)
        rows = np.flatnonzero(heard.contains(self._log.rpi))
        if not len(rows):
            return None
        log = SightingIndex(self._log.sightings(rows))
        return clock_offset([key for key in untried if not join.has_found(key)], (), log)

    def matches(self) -> list[KeyMatch]:
        """Return the matches, in the order their keys first appeared, once all files are added."""
        return self._join().matches()

    def _join(self) -> Join:
        """Return the portable join of what may match; it is made once."""
        if self._decided is None:
            rows = np.flatnonzero(self._heard.contains(self._log.rpi))
            self._decided = Join(SightingIndex(self._log.sightings(rows)))
            for records in self._records:
                self._decided.add_numbered(records)
        return self._decided


def _taken(keys: KeyColumns, rows: NDArray[np.int64]) -> KeyColumns:
    # Indexing copies a key byte by byte, `take` in one piece.
    data = keys.key_data.take(rows, 0)
    return KeyColumns(data, keys.rolling_start[rows], keys.rolling_period[rows])
