"""Join of keys with an indexed log, as pairs of rows (`matcher.kernels.loops.scan`)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from matcher.columns import portable
from matcher.columns.index import ColumnIndex, DayIndex
from matcher.columns.key_columns import KeyColumns
from matcher.definition import TOLERANCE_INTERVALS
from matcher.kernels.layout import GROUP
from matcher.kernels.loops.scan import SCRATCH_BYTES
from matcher.kernels.processor import Kernel, choose_kernel
from matcher.kernels.registry import (
    derive_function,
    group_function,
    scan_function,
)
from tracing_core.errors import InvalidValue
from tracing_core.protocol.interval import TEK_ROLLING_PERIOD

__all__ = ["Pairs", "derive_columns", "match_columns"]

_CHUNK = 8192  # keys per task of a thread: 2 ms of work, so that threads end together
_FIRST_PAIRS = 1024
# From this size on a filter does not fit the second cache, and a prefetch of its words pays. At
# 4 MB it saved up to 220 ns per key with a cold cache and cost 10 with a warm one; below this size
# it costs 30.
_FAR_BYTES = 1 << 21


class Pairs(NamedTuple):
    """Pairs of a key and a sighting that meet, in the order of keys, then of sightings."""

    key_row: NDArray[np.int64]
    sighting_row: NDArray[np.int64]


def _jobs(keys: KeyColumns, index: ColumnIndex) -> Iterator[tuple[NDArray[np.int64], DayIndex]]:
    """Yield each UTC day that both sides have, with the rows of the keys to look for in it."""
    if not len(keys) or not len(index):
        return
    first_day = int(index.days[0])
    numbers = np.zeros(int(index.days[-1]) - first_day + 1, np.int32)
    numbers[index.days - first_day] = np.arange(1, len(index.days) + 1)
    masks = np.concatenate([np.zeros(1, np.uint8), index.group_masks])
    rows, bounds = group_function()(
        keys.rolling_start, keys.rolling_period, first_day, numbers, masks
    )
    for number in np.flatnonzero(np.diff(bounds)):
        yield rows[bounds[number] : bounds[number + 1]], index.day(int(index.days[number]))


def _scan(
    keys: KeyColumns, rows: NDArray[np.int64], day: DayIndex, index: ColumnIndex
) -> NDArray[np.int64]:
    """Return pairs of a key's row and a sighting's, shape (p, 2)."""
    scan, room = scan_function(index.kernel), _FIRST_PAIRS
    while True:
        pairs = np.empty((room, 2), np.int64)
        scratch = np.zeros(SCRATCH_BYTES, np.uint8)
        count = scan(
            keys.key_data,
            rows,
            keys.rolling_start,
            keys.rolling_period,
            day.start,
            day.groups,
            day.words,
            day.words.nbytes >= _FAR_BYTES,
            day.heads,
            day.chain,
            day.identifiers,
            day.intervals,
            index.secret,
            TOLERANCE_INTERVALS,
            scratch,
            pairs,
        )
        if count <= room:
            pairs = pairs[:count]
            pairs[:, 1] = day.rows[pairs[:, 1]]
            return pairs
        room = count


def _chunks(keys: KeyColumns, index: ColumnIndex) -> Iterator[tuple[NDArray[np.int64], DayIndex]]:
    for rows, day in _jobs(keys, index):
        for at in range(0, len(rows), _CHUNK):
            yield rows[at : at + _CHUNK], day


def match_columns(
    keys: KeyColumns, index: ColumnIndex, *, threads: int = 1, kernel: Kernel | None = None
) -> Pairs:
    """Find every pair of a key and a sighting of one of its identifiers within the tolerance.

    The result is exact: the filter only decides which identifiers are compared. The caller applies
    the other rules (replay, revision) to the few pairs.

    Parameters
    ----------
    keys
        Any number, in any order.
    index
        The log; its kernel is used.
    threads
        Number of threads; the kernels run without the interpreter's lock.
    kernel
        The kernel that must be used; by default the index's.

    Returns
    -------
    Pairs
        Rows of `keys`, and rows of the index's columns.

    Raises
    ------
    InvalidValue
        When the index was made for another kernel, or `threads` is not positive.
    """
    if threads < 1:
        raise InvalidValue(f"there must be 1 thread or more, not {threads}")
    if kernel is not None and kernel != index.kernel:
        raise InvalidValue(
            f"the index is for kernel {index.kernel.name}: make one for {kernel.name}"
        )
    if not index.kernel.compiled:
        found = portable.match(keys, index)
    elif threads == 1:
        found = [_scan(keys, rows, day, index) for rows, day in _chunks(keys, index)]
    else:
        with ThreadPoolExecutor(threads) as pool:
            running = [
                pool.submit(_scan, keys, rows, day, index) for rows, day in _chunks(keys, index)
            ]
            found = [each.result() for each in running]
    pairs = np.concatenate(found) if found else np.empty((0, 2), np.int64)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return Pairs(pairs[order, 0], pairs[order, 1])


def derive_columns(keys: KeyColumns, kernel: Kernel | None = None) -> NDArray[np.uint8]:
    """Derive 144 identifiers per key from its first interval on, whatever its period.

    Returns
    -------
    array of uint8, shape (n, 144, 16)
        Values for intervals that do not fit in 32 bits are undefined.
    """
    kernel = kernel or choose_kernel()
    if not kernel.compiled:
        return portable.derive(keys)
    groups = TEK_ROLLING_PERIOD // GROUP
    out = np.empty((len(keys), groups, GROUP, 16), np.uint8)
    scratch = np.zeros(SCRATCH_BYTES, np.uint8)
    derive_function(kernel)(keys.key_data, keys.rolling_start, groups, scratch, out)
    return out.reshape(len(keys), TEK_ROLLING_PERIOD, 16)
