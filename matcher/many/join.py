"""Join of keys with the sightings of many logs, as pairs of rows.

The problem: 10⁸ sightings of many logs and 10⁵ keys with 144 identifiers each. The join of one log
(`matcher.columns.join`) indexes all sightings. Here such an index would take 5 GB and leave every
cache: each sighting would cost a cache miss to enter, and each identifier another to look up.

A sighting can match an identifier only if it was heard within two hours of the identifier's time.
So both are sorted by UTC day, and the days are joined one after another; a sighting within two
hours of midnight is in two days. Then the smaller side of the day is indexed, and nothing is kept
after it:

- the *logs*, if they are few: the day's sightings go into a filter and a table, and the kernel of
  `matcher.columns.join` derives the day's keys and probes them;
- the *keys*, if the sightings are many: the identifiers of the day's keys go into a filter of 12
  bits each, and the sightings stream past it, at a few ns each. About one in a hundred passes the
  filter. Those are then joined by the first way, which is exact.

The result is the same either way (`KEYS_SIDE_FACTOR` has the threshold and its measurement).
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matcher.columns.index import ColumnIndex, DayIndex
from matcher.columns.join import Pairs, match_columns
from matcher.columns.key_columns import KeyColumns
from matcher.columns.sighting_columns import SightingColumns, check_count
from matcher.definition import TOLERANCE_INTERVALS
from matcher.kernels.layout import GROUP
from matcher.kernels.processor import Kernel, choose_kernel
from matcher.notes import first_future_day
from tracing_core.protocol.interval import INTERVAL_SECONDS, TEK_ROLLING_PERIOD

__all__ = [
    "KEYS_SIDE_FACTOR",
    "DayPartition",
    "join_many_logs",
    "smaller_side",
    "tally_logs",
]

KEYS_SIDE_FACTOR = 0.25
"""The keys are indexed if there are at least this many sightings per identifier of a key. An
identifier in a filter costs less than a sighting in a table, but each key is derived twice;
docs/many-logs.md has the measurement."""

_KEY_BITS = 12  # for each identifier of a key: eleven of a thousand others pass
_DERIVED_AT_ONCE = 256  # keys; their identifiers take 590 KB, which stay in the second cache
_GROUPS_PER_DAY = TEK_ROLLING_PERIOD // GROUP
_MANY = 4096  # with more sightings, every group of a day has some
_DAY_SECONDS = TEK_ROLLING_PERIOD * INTERVAL_SECONDS


class DayPartition(ColumnIndex):
    """Rows of sightings by UTC day; those near midnight are in two days. No day is kept."""

    def __init__(
        self,
        rpi: NDArray[np.uint64],
        seen_at: NDArray[np.int64],
        days: NDArray[np.int64],
        rows: list[NDArray[np.int32]],
        kernel: Kernel,
    ) -> None:
        self.kernel = kernel
        self._rpi, self._seen_at = rpi, seen_at
        some = [number for number, part in enumerate(rows) if len(part)]
        self.days, self.rows = days[some], [rows[number] for number in some]
        self.group_masks = np.array(list(map(self._group_mask, self.days, self.rows)), np.uint8)
        self.secret = np.frombuffer(secrets.token_bytes(16), np.uint64)

    @classmethod
    def of(
        cls,
        keys: KeyColumns,
        rpi: NDArray[np.uint64],
        seen_at: NDArray[np.int64],
        suspect: NDArray[np.bool_],
        kernel: Kernel,
    ) -> DayPartition:
        """Sort the sightings by day; leave out those that no key can match by time."""
        from matcher.kernels.loops.many_logs import count_days_function, place_days_function

        key_days = _days_of(keys)
        first = int(key_days[0])
        numbers = np.zeros(int(key_days[-1]) - first + 1, np.int32)
        numbers[key_days - first] = np.arange(1, len(key_days) + 1)
        counts = np.zeros(len(key_days) + 1, np.int64)
        by_day = (seen_at, suspect, first * _DAY_SECONDS, numbers)
        count_days_function()(*by_day, counts)
        bounds = np.cumsum(counts)
        rows = np.empty(bounds[-1], np.int32)
        place_days_function()(*by_day, bounds - counts, rows)
        parts = [rows[start:end] for start, end in itertools.pairwise(bounds)]
        return cls(rpi, seen_at, key_days, parts, kernel)

    def __len__(self) -> int:
        return sum(map(len, self.rows))

    def _group_mask(self, day: int, rows: NDArray[np.int32]) -> int:
        """Return bits of the groups of 24 intervals within the tolerance of a sighting."""
        if len(rows) > _MANY:
            return (1 << _GROUPS_PER_DAY) - 1
        heard = self._seen_at[rows] // INTERVAL_SECONDS - day * TEK_ROLLING_PERIOD
        low = (heard - TOLERANCE_INTERVALS).clip(0) // GROUP
        high = (heard + TOLERANCE_INTERVALS).clip(max=TEK_ROLLING_PERIOD - 1) // GROUP
        return int(np.bitwise_or.reduce((2 << high) - (1 << low)))

    def day(self, day: int) -> DayIndex:
        """Return a UTC day; it is built each time."""
        from matcher.kernels.loops.many_logs import gather_function

        rows = self.rows[int(self.days.searchsorted(day))]
        identifiers, intervals = np.empty((len(rows), 2), np.uint64), np.empty(len(rows), np.uint32)
        gather_function()(self._rpi, self._seen_at, rows, identifiers, intervals)
        return self._filled(day, identifiers, intervals, rows.astype(np.int64))

    def sifted(self, keys: KeyColumns) -> DayPartition:
        """Return the sightings that pass the filter of their day's identifiers."""
        from matcher.kernels.loops.many_logs import probe_function

        kept = []
        for words, rows in zip(self._key_filters(keys), self.rows, strict=True):
            passed = np.empty(len(rows), np.int32)
            kept.append(passed[: probe_function()(self._rpi, rows, words, passed)].copy())
        return DayPartition(self._rpi, self._seen_at, self.days, kept, self.kernel)

    def _key_filters(self, keys: KeyColumns) -> Iterator[NDArray[np.uint64]]:
        from matcher.kernels.loops.many_logs import set_bits_function

        starts = keys.rolling_start.astype(np.int64)
        ends = starts + keys.rolling_period
        for day in self.days.tolist():
            first = day * TEK_ROLLING_PERIOD
            rows = np.flatnonzero((starts < first + TEK_ROLLING_PERIOD) & (ends > first))
            from_ = np.maximum(starts[rows], first)
            counts = np.minimum(ends[rows], first + TEK_ROLLING_PERIOD) - from_
            words = np.zeros(int(counts.sum()) * _KEY_BITS // 64 + 64, np.uint64)
            data = keys.key_data.take(rows, 0)
            for at in range(0, len(rows), _DERIVED_AT_ONCE):
                part = slice(at, at + _DERIVED_AT_ONCE)
                derived = _derive(data[part], from_[part].astype(np.uint32), self.kernel)
                set_bits_function()(derived, counts[part], words)
            yield words


def _days_of(keys: KeyColumns) -> NDArray[np.int64]:
    starts = keys.rolling_start.astype(np.int64)
    last = (starts + keys.rolling_period - 1) // TEK_ROLLING_PERIOD
    return np.union1d(starts // TEK_ROLLING_PERIOD, last)


def _derive(data: NDArray[np.uint8], firsts: NDArray[np.uint32], kernel: Kernel) -> Any:
    from matcher.kernels.loops.scan import SCRATCH_BYTES
    from matcher.kernels.registry import derive_function

    out = np.empty((len(data), _GROUPS_PER_DAY, GROUP, 16), np.uint8)
    derive_function(kernel)(data, firsts, _GROUPS_PER_DAY, np.zeros(SCRATCH_BYTES, np.uint8), out)
    return out.view(np.uint64).reshape(len(data), TEK_ROLLING_PERIOD, 2)


def smaller_side(keys: int, sightings: int) -> str:
    """Return which side to index, ``keys`` or ``logs``, by how many there are of each."""
    return "keys" if sightings >= KEYS_SIDE_FACTOR * TEK_ROLLING_PERIOD * keys else "logs"


def join_many_logs(
    keys: KeyColumns,
    rpi: NDArray[np.uint8],
    seen_at: NDArray[np.int64],
    clock_suspect: NDArray[np.bool_],
    *,
    side: str | None = None,
    kernel: Kernel | None = None,
) -> Pairs:
    """Find every pair of a key and a sighting of one of its identifiers within the tolerance.

    Parameters
    ----------
    keys
        Any number, in any order.
    rpi, seen_at, clock_suspect
        Sightings of any number of logs: uint8 (n, 16), UTC Unix seconds as int64 (n), bool (n).
    side
        The side to index: ``keys``, ``logs``, or None for the smaller. The result is the same.
    kernel
        By default the best for this processor.

    Raises
    ------
    InvalidValue
        When there are more than `MOST_SIGHTINGS`.
    """
    check_count(len(rpi))
    kernel = kernel or choose_kernel()
    if not kernel.compiled:
        intervals = (seen_at // INTERVAL_SECONDS).astype(np.uint32)
        return match_columns(
            keys, ColumnIndex(SightingColumns(rpi, intervals, clock_suspect), kernel)
        )
    if not len(keys) or not len(rpi):
        return Pairs(np.empty(0, np.int64), np.empty(0, np.int64))
    identifiers = rpi.view(np.uint64)
    index = DayPartition.of(keys, identifiers, seen_at, clock_suspect, kernel)
    if (side or smaller_side(len(keys), len(rpi))) == "keys":
        index = index.sifted(keys)
    return match_columns(keys, index)


def tally_logs(
    logs: int, log: NDArray[np.int32], seen_at: NDArray[np.int64], clock_suspect: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return each log's sightings, how many are suspect, and the last of the other times, or −1.

    The fourth array has the last time that is not in the future.

    `log` is the number of each sighting's log, 0 to `logs` − 1.
    """
    from matcher.kernels.loops.many_logs import tally_function

    counts, suspects = np.zeros(logs, np.int64), np.zeros(logs, np.int64)
    last = np.full(logs, -1, np.int64)
    tally_function()(log, seen_at, clock_suspect, counts, suspects, last)
    past, limit = last.copy(), first_future_day() * 86_400
    if (last >= limit).any():
        past[:] = -1
        fine = ~clock_suspect & (seen_at < limit)
        np.maximum.at(past, log[fine], seen_at[fine])
    return counts, suspects, last, past
