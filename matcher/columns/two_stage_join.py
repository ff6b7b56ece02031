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

from matcher.columns.index import ColumnIndex
from matcher.columns.join import match_columns
from matcher.columns.key_columns import KeyColumns
from matcher.columns.key_records import KeyRecords
from matcher.columns.log import LogColumns
from matcher.columns.value_set import KnownKeys, ValueSet
from matcher.definition import KeyMatch
from matcher.kernels.processor import Kernel
from matcher.portable.join import Join
from matcher.portable.sightings import SightingIndex
from tracing_core.protocol.diagnosis_key import DiagnosisKey

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
        near = rows[np.unique(found.key_row)]
        self._near.add(keys.key_data[near])
        self._heard.add(self._log.rpi[np.unique(found.sighting_row)])
        # A later record may revise a key that was near, and no other.
        later = np.flatnonzero(~first)
        later = later[self._near.contains(keys.key_data[later])]
        self._records.append(file.records(np.sort(np.concatenate([near, later]))))

    def matches(self) -> list[KeyMatch]:
        """Return the matches, in the order their keys first appeared; call it once, at the end."""
        rows = np.flatnonzero(self._heard.contains(self._log.rpi))
        join = Join(SightingIndex(self._log.sightings(rows)))
        for records in self._records:
            join.add_numbered(records)
        return join.matches()


def _taken(keys: KeyColumns, rows: NDArray[np.int64]) -> KeyColumns:
    # Indexing copies a key byte by byte, `take` in one piece.
    data = keys.key_data.take(rows, 0)
    return KeyColumns(data, keys.rolling_start[rows], keys.rolling_period[rows])
