"""Index of a log for the kernels: sightings by UTC day, with a filter and a hash table per day.

An identifier is valid only within ±12 intervals of its own. So a key of one UTC day needs only the
sightings of that day and of the two hours before and after it. The small filter of one day stays in
the processor's caches. Days, and sixths of days, without a sighting cost nothing.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matcher.columns.sighting_columns import SightingColumns
from matcher.definition import TOLERANCE_INTERVALS
from matcher.kernels.layout import GROUP
from matcher.kernels.processor import Kernel, choose_kernel
from tracing_core.protocol.interval import TEK_ROLLING_PERIOD

__all__ = ["ColumnIndex", "DayIndex"]

# Bits of the filter per entry, by the number of entries. With fewer bits, more identifiers pass
# that do not match (each costs 0.1 µs); with more, the filter leaves the near caches. Measured
# with four bits cleared per entry; rounding to a power of two makes up to twice as many.
_BITS_PER_ENTRY = ((4096, 128), (65_536, 64), (2**32, 32))
_LEAST_WORDS = 64


def _at_least(count: int, least: int) -> int:
    """Return the next power of two, or `least` if that is more."""
    return max(least, 1 << (count - 1).bit_length())


@dataclass(frozen=True, slots=True, repr=False)
class DayIndex:
    """The sightings of one UTC day and of the two hours before and after it."""

    start: int
    """The day's first interval."""
    groups: NDArray[np.int64]
    """The groups of 24 intervals, 0 to 5, that have a sighting within the tolerance."""
    words: NDArray[np.uint64]
    """The filter: all bits are set except those of the sightings."""
    heads: NDArray[np.int32]
    """The hash table: the first sighting of a chain, or −1."""
    chain: NDArray[np.int32]
    """For each sighting, the next one of the same identifier, or −1."""
    identifiers: NDArray[np.uint64]
    """Shape (m, 2)."""
    intervals: NDArray[np.uint32]
    rows: NDArray[np.int64]
    """The row of each sighting in its columns."""


class ColumnIndex:
    """The index of a log's columns.

    Parameters
    ----------
    sightings
        A log's columns; those under a suspect clock are left out.
    kernel
        The kernel that will use it, because filters differ; by default the best here.
    """

    def __init__(self, sightings: SightingColumns, kernel: Kernel | None = None) -> None:
        self.kernel = kernel or choose_kernel()
        usable = np.flatnonzero(~sightings.clock_suspect)
        # Interval and row in one number: sorting numbers takes an eighth of a stable argsort.
        order = sightings.interval[usable].astype("uint64") << 32 | usable.astype("uint64")
        order.sort()
        self._rows: NDArray[np.int64] = (order & 0xFFFFFFFF).astype("int64")
        self._intervals: NDArray[np.uint32] = (order >> 32).astype("uint32")
        # A copy in order, so that a day's part is one piece of memory.
        self._identifiers: NDArray[np.uint64] = sightings.rpi.view("uint64").take(self._rows, 0)
        self.days: NDArray[np.int64] = self._active_days()
        """The UTC days, since the Unix epoch and ascending, whose keys can match."""
        self.group_masks: NDArray[np.uint8] = self._group_masks()
        """For each of `days`, bits of the groups of 24 intervals with a sighting in tolerance."""
        self._built: dict[int, DayIndex] = {}
        self._lock = threading.Lock()
        self.secret: NDArray[np.uint64] = np.frombuffer(secrets.token_bytes(16), "uint64")
        """The secret of the hash tables (`kernels.loops.values.place`)."""

    def _active_days(self) -> Any:
        new = np.ones(len(self), "bool")
        np.not_equal(self._intervals[1:], self._intervals[:-1], out=new[1:])
        intervals = self._intervals[new].astype("int64")
        days = [
            (intervals + off) // TEK_ROLLING_PERIOD
            for off in (-TOLERANCE_INTERVALS, TOLERANCE_INTERVALS)
        ]
        found = np.unique(np.concatenate(days))
        return found[found >= 0]

    def __len__(self) -> int:
        return len(self._rows)

    def sightings(self) -> Iterator[tuple[bytes, int, int]]:
        """Yield each usable sighting's identifier, interval and row."""
        identifiers = self._identifiers.tobytes()
        for number, facts in enumerate(
            zip(self._intervals.tolist(), self._rows.tolist(), strict=True)
        ):
            yield identifiers[16 * number : 16 * number + 16], *facts

    def _group_masks(self) -> Any:
        groups = np.arange(TEK_ROLLING_PERIOD // GROUP)
        firsts = self.days[:, None] * TEK_ROLLING_PERIOD + GROUP * groups
        low = self._search(firsts - TOLERANCE_INTERVALS)
        high = self._search(firsts + GROUP + TOLERANCE_INTERVALS)
        return ((high > low) << groups).sum(axis=1).astype("uint8")

    def _search(self, intervals: Any) -> Any:
        """Return how many sightings are before each interval, which may lie outside 32 bits."""
        inside = intervals.clip(0, 2**32 - 1).astype("uint32")
        return np.where(intervals < 2**32, self._intervals.searchsorted(inside), len(self))

    def day(self, day: int) -> DayIndex:
        """Return the index of a UTC day, built at first use and kept."""
        with self._lock:
            known = self._built.get(day)
        if known is None:
            known = self._build(day)
            with self._lock:
                known = self._built.setdefault(day, known)
        return known

    def _bits_per_entry(self, count: int) -> int:
        bits = next(bits for most, bits in _BITS_PER_ENTRY if count <= most)
        # With two bits cleared instead of four, a denser filter lets too many pass.
        return bits if self.kernel.bits == 4 else max(bits, 64)

    def _build(self, day: int) -> DayIndex:
        start = day * TEK_ROLLING_PERIOD
        bounds = np.array(
            [start - TOLERANCE_INTERVALS, start + TEK_ROLLING_PERIOD + TOLERANCE_INTERVALS]
        )
        part = slice(*self._search(bounds).tolist())
        return self._filled(day, self._identifiers[part], self._intervals[part], self._rows[part])

    def _filled(
        self,
        day: int,
        identifiers: NDArray[np.uint64],
        intervals: NDArray[np.uint32],
        rows: NDArray[np.int64],
    ) -> DayIndex:
        """Return the index of a day of `days`, built from its sightings."""
        from matcher.kernels.registry import fill_function

        count = len(identifiers)
        words = np.full(
            _at_least(count * self._bits_per_entry(count) // 64, _LEAST_WORDS), 2**64 - 1, "uint64"
        )
        heads = np.full(_at_least(2 * count, 16), -1, "int32")
        chain = np.full(count, -1, "int32")
        fill_function()(identifiers, words, self.kernel.bits, heads, chain, self.secret)
        mask = self.group_masks[self.days.searchsorted(day)]
        groups = np.flatnonzero(mask >> np.arange(TEK_ROLLING_PERIOD // GROUP) & 1)
        start = day * TEK_ROLLING_PERIOD
        return DayIndex(start, groups, words, heads, chain, identifiers, intervals, rows)
