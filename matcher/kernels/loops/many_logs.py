"""Loops over the sightings of many logs: by UTC day, through a filter of the day's keys.

Each is one pass of 3 to 10 ns per sighting. `matcher.kernels.loops.scan` derives the keys and joins
exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import types, uint64

from matcher.definition import TOLERANCE_INTERVALS
from matcher.kernels.cache import compiled
from matcher.kernels.emit.vectors import inlined
from tracing_core.protocol.interval import INTERVAL_SECONDS, TEK_ROLLING_PERIOD

__all__ = [
    "count_days_function",
    "gather_function",
    "place_days_function",
    "probe_function",
    "set_bits_function",
    "tally_function",
]

_SECONDS = INTERVAL_SECONDS
_DAY_SECONDS = TEK_ROLLING_PERIOD * INTERVAL_SECONDS
_TOLERANCE = TOLERANCE_INTERVALS * INTERVAL_SECONDS


def _read_only(kind: Any, dimensions: int) -> Any:
    return types.Array(kind, dimensions, "C", readonly=True)


_MOMENTS = _read_only(types.int64, 1)
_FLAGS = _read_only(types.boolean, 1)
_ROWS = types.Array(types.int32, 1, "C")
_READ_ROWS = _read_only(types.int32, 1)
_COUNTS = types.Array(types.int64, 1, "C")
_WORDS = types.Array(types.uint64, 1, "C")


@inlined
def _filter_bits(low: Any) -> Any:
    """Return four bits of a word, selected by the upper half of an identifier's first 64 bits."""
    bits = uint64(1) << (low >> uint64(56) & uint64(63))
    bits |= uint64(1) << (low >> uint64(48) & uint64(63))
    bits |= uint64(1) << (low >> uint64(40) & uint64(63))
    return bits | uint64(1) << (low >> uint64(32) & uint64(63))


@inlined
def _place(low: Any, words: Any) -> Any:
    """Return the place of an identifier's word: its first 32 bits, scaled to the filter's size."""
    return (low & uint64(0xFFFFFFFF)) * uint64(words.shape[0]) >> uint64(32)


@inlined
def _days(moment: Any, count: Any) -> Any:
    """Return the first of `count` days that a sighting counts for, and the day after the last.

    A sighting of interval i counts for the intervals i - 12 to i + 12. Whole seconds suffice:
    rounding down to intervals and then to days is rounding down to days.
    """
    if moment < -_TOLERANCE or moment >= _DAY_SECONDS * count + _TOLERANCE:
        return np.int64(0), np.int64(0)
    low = np.int64(uint64(moment + (_DAY_SECONDS - _TOLERANCE)) // uint64(_DAY_SECONDS)) - 1
    high = np.int64(uint64(moment + _TOLERANCE) // uint64(_DAY_SECONDS)) + 1
    return max(np.int64(0), low), min(np.int64(count), high)


def count_days(seen_at: Any, suspect: Any, origin: Any, numbers: Any, counts: Any) -> None:
    """Count the sightings of every day that has keys, from two hours before to two hours after.

    Parameters
    ----------
    seen_at, suspect
        int64 (n) and bool (n): UTC Unix seconds, 0 or more, and the sightings to leave out.
    origin, numbers
        The first second of a day and, from that day on, the number of each, int32: 1 to k, or 0
        for a day without keys.
    counts
        int64 (k + 1), zeros, written: sightings by a day's number; [0] for days without keys.
    """
    for row in range(seen_at.shape[0]):
        if suspect[row]:
            continue
        first, end = _days(seen_at[row] - origin, numbers.shape[0])
        for day in range(first, end):
            counts[numbers[day]] += 1


def place_days(
    seen_at: Any, suspect: Any, origin: Any, numbers: Any, next_at: Any, rows: Any
) -> None:
    """Write the row of each sighting to its days, in the places that `count_days` counted.

    `next_at`, int64 (k + 1), is where each day's next row goes; it advances. `rows` is int32.
    """
    for row in range(seen_at.shape[0]):
        if suspect[row]:
            continue
        first, end = _days(seen_at[row] - origin, numbers.shape[0])
        for day in range(first, end):
            number = numbers[day]
            rows[next_at[number]] = row
            next_at[number] += 1


def gather(rpi: Any, seen_at: Any, rows: Any, identifiers: Any, intervals: Any) -> None:
    """Copy the identifiers, uint64 (m, 2), and the intervals, uint32 (m), of some rows."""
    for number in range(rows.shape[0]):
        row = rows[number]
        identifiers[number, 0] = rpi[row, 0]
        identifiers[number, 1] = rpi[row, 1]
        intervals[number] = seen_at[row] // _SECONDS


def set_bits(derived: Any, counts: Any, words: Any) -> None:
    """Add identifiers to a filter.

    Parameters
    ----------
    derived
        uint64 (n, 144, 2): the identifiers of some keys.
    counts
        int64 (n): how many identifiers of each key count, from the first on.
    words
        uint64, at most 2^32 of them, written.
    """
    for key in range(derived.shape[0]):
        for number in range(counts[key]):
            low = derived[key, number, 0]
            words[_place(low, words)] |= _filter_bits(low)


def probe(rpi: Any, rows: Any, words: Any, kept: Any) -> Any:
    """Write the rows that pass the filter to `kept`, int32 as long as `rows`; return how many."""
    count = np.int64(0)
    for number in range(rows.shape[0]):
        row = rows[number]
        low = rpi[row, 0]
        bits = _filter_bits(low)
        kept[count] = row
        # Without a branch, which would be mispredicted for each row that passes.
        count += np.int64(words[_place(low, words)] & bits == bits)
    return count


def tally(log: Any, seen_at: Any, suspect: Any, sightings: Any, suspects: Any, last: Any) -> None:
    """Count each log's sightings and those under a suspect clock; find the last of the others.

    `log`, int32 (n), is the number of a sighting's log; `last`, int64, starts as −1.
    """
    for row in range(log.shape[0]):
        which = log[row]
        sightings[which] += 1
        if suspect[row]:
            suspects[which] += 1
        elif seen_at[row] > last[which]:
            last[which] = seen_at[row]


_BY_DAY = (_MOMENTS, _FLAGS, types.int64, _READ_ROWS, _COUNTS)


@cache
def count_days_function() -> Callable[..., None]:
    """Return `count_days`, cached or compiled now."""
    return compiled(count_days, types.void(*_BY_DAY))


@cache
def place_days_function() -> Callable[..., None]:
    """Return `place_days`, cached or compiled now."""
    return compiled(place_days, types.void(*_BY_DAY, _ROWS))


@cache
def gather_function() -> Callable[..., None]:
    """Return `gather`, cached or compiled now."""
    identifiers = types.Array(types.uint64, 2, "C")
    intervals = types.Array(types.uint32, 1, "C")
    signature = types.void(
        _read_only(types.uint64, 2), _MOMENTS, _READ_ROWS, identifiers, intervals
    )
    return compiled(gather, signature)


@cache
def set_bits_function() -> Callable[..., None]:
    """Return `set_bits`, cached or compiled now."""
    signature = types.void(_read_only(types.uint64, 3), _read_only(types.int64, 1), _WORDS)
    return compiled(set_bits, signature)


@cache
def probe_function() -> Callable[..., int]:
    """Return `probe`, cached or compiled now."""
    words = _read_only(types.uint64, 1)
    return compiled(probe, types.int64(_read_only(types.uint64, 2), _READ_ROWS, words, _ROWS))


@cache
def tally_function() -> Callable[..., None]:
    """Return `tally`, cached or compiled now."""
    signature = types.void(_READ_ROWS, _MOMENTS, _FLAGS, _COUNTS, _COUNTS, _COUNTS)
    return compiled(tally, signature)
