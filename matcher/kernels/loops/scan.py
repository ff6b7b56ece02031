"""Join of the keys of one UTC day with the sightings of that day.

The problem: a log has 10⁴ sightings, a country publishes 10⁶ keys, and each key has 144
identifiers. The obvious way derives all 1.4 × 10⁸ identifiers and looks each up in a hash table of
the log. The AES unit limits the derivation. The look-ups would add a cache miss for nearly every
identifier, although almost none of them was heard.

So a key passes three stages, each cheaper than the next and each exact:

1. `group` sorts keys by UTC day and drops those whose intervals have no sighting within the
   tolerance. Within a day only those groups of 24 intervals are derived that have one.
2. `DERIVE` derives such a group and looks at one word of a blocked Bloom filter per identifier: its
   2 or 4 bits there must all be clear. The filter of one day usually fits the second cache. Its
   loads and tests go between the AES rounds, where they cost almost nothing.
3. Only if a group may hold a heard identifier does `_check_slot` compare its identifiers with the
   hash table, whole, and the times with the tolerance.

The filter never drops a heard identifier, so the result does not depend on it. `DERIVE` probes a
group 8 groups after it was derived, from a ring of slots: by then the stores have left the store
buffer, out of which a narrow load cannot read a wide store without waiting.

`scan` and `derive` are written once. `matcher.kernels.cache.compiled` makes a version per kernel in
which the names of `KERNEL_PARTS` are bound to the parts of that kernel. `fill` and `group` are the
same for all kernels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types, uint32, uint64, uintp

from matcher.kernels.emit.aes import SLOT_BYTES
from matcher.kernels.emit.memory import copy_16, load_64, prefetch_group, store_32, store_64
from matcher.kernels.emit.vectors import called, inlined
from matcher.kernels.layout import GROUP
from matcher.kernels.loops.values import place
from tracing_core.protocol.interval import TEK_ROLLING_PERIOD

__all__ = [
    "DERIVE_SIGNATURE",
    "FILL_SIGNATURE",
    "GROUP_SIGNATURE",
    "KERNEL_PARTS",
    "SCAN_SIGNATURE",
    "SCRATCH_BYTES",
    "derive",
    "fill",
    "group",
    "scan",
]

KERNEL_PARTS = (
    "HKDF",
    "HKDF_LANES",
    "EXPAND",
    "EXPAND_LANES",
    "ENCRYPT",
    "DERIVE",
    "FOUND_LAG",
    "BITS",
)
"""The names that a kernel binds: its intrinsics or Numba functions, how many keys the first two
take, the groups after which `DERIVE` answers, and the filter bits per identifier."""

HKDF: Any = None
HKDF_LANES = 0
EXPAND: Any = None
EXPAND_LANES = 0
ENCRYPT: Any = None
DERIVE: Any = None
FOUND_LAG = 0
BITS = 0

_TOGETHER = 16  # keys prepared together: their round keys, 3 KB, stay in the first cache
_RING = 16  # slots; a power of two
_RING_BYTES = SLOT_BYTES * _RING
# Groups between derivation and probe: by then the stores have reached the cache. It is half a ring,
# so that one operation finds the slot to probe; every operation here costs time.
_LAG = _RING // 2
_FETCH_LAG = 4  # groups between derivation and prefetch of the filter's words
_DAY = TEK_ROLLING_PERIOD
_ROW, _NUMBER = 784, 792  # in a slot: the key's row, and the number of the group
_SCHEDULE = 176  # bytes of a key's round keys
_COUNTERS = _RING_BYTES
_RPIKS = _COUNTERS + 16 * _DAY
_SCHEDULES = _RPIKS + 16 * _TOGETHER
SCRATCH_BYTES = _RING_BYTES + _SCHEDULES + _SCHEDULE * _TOGETHER
"""Bytes of scratch memory for `scan` and `derive`."""


def _read_only(kind: Any, dimensions: int) -> Any:
    return types.Array(kind, dimensions, "C", readonly=True)


SCAN_SIGNATURE = types.int64(
    _read_only(types.uint8, 2),  # keys
    _read_only(types.int64, 1),  # rows
    _read_only(types.uint32, 1),  # starts
    _read_only(types.uint16, 1),  # periods
    types.int64,  # day_start
    _read_only(types.int64, 1),  # groups
    _read_only(types.uint64, 1),  # words
    types.boolean,  # far
    _read_only(types.int32, 1),  # heads
    _read_only(types.int32, 1),  # chain
    _read_only(types.uint64, 2),  # identifiers
    _read_only(types.uint32, 1),  # intervals
    _read_only(types.uint64, 1),  # secret
    types.int64,  # tolerance
    types.Array(types.uint8, 1, "C"),  # scratch
    types.Array(types.int64, 2, "C"),  # pairs
)

DERIVE_SIGNATURE = types.void(
    _read_only(types.uint8, 2),  # keys
    _read_only(types.uint32, 1),  # firsts
    types.int64,  # groups
    types.Array(types.uint8, 1, "C"),  # scratch
    types.Array(types.uint8, 4, "C"),  # out
)
FILL_SIGNATURE = types.void(
    _read_only(types.uint64, 2),  # identifiers
    types.Array(types.uint64, 1, "C"),  # words
    types.int64,  # bits
    types.Array(types.int32, 1, "C"),  # heads
    types.Array(types.int32, 1, "C"),  # chain
    _read_only(types.uint64, 1),  # secret
)
GROUP_SIGNATURE = types.Tuple((types.Array(types.int64, 1, "C"), types.Array(types.int64, 1, "C")))(
    _read_only(types.uint32, 1),  # starts
    _read_only(types.uint16, 1),  # periods
    types.int64,  # first_day
    _read_only(types.int32, 1),  # numbers
    _read_only(types.uint8, 1),  # masks
)


@inlined
def _bits(low: Any, count: int) -> Any:
    """Return the filter bits of an identifier, by its first 64 bits (`aes.BIT_SHIFTS`)."""
    bits = uint64(0)
    for number in range(count):
        bits |= uint64(1) << (low >> uint64(56 - 8 * number) & uint64(63))
    return bits


@called
def _check_slot(slot: Any, facts: Any, bits_count: Any, pairs: Any, count: Any) -> Any:
    """Compare a slot's whole identifiers with the sightings; write pairs and return their count.

    All times are 64-bit and signed here, because an interval near 0 or 2^32 must not wrap.
    """
    day_start, groups, starts, periods, words, heads, chain = facts[:7]
    identifiers, intervals, secret, tolerance = facts[7:]
    row = np.int64(load_64(uintp(slot + _ROW)))
    first = day_start + GROUP * groups[load_64(uintp(slot + _NUMBER))]
    start = np.int64(starts[row])
    end = start + np.int64(periods[row])
    mask = uint64(words.shape[0] - 1) << uint64(3)
    for identifier in range(max(0, start - first), min(GROUP, end - first)):
        low = load_64(uintp(slot + 16 * identifier))
        bits = _bits(low, bits_count)
        if words[(low & mask) >> uint64(3)] & bits:
            continue
        high = load_64(uintp(slot + 16 * identifier + 8))
        at = place(low, high, secret, heads.shape[0])
        while heads[at] >= 0:
            entry = np.int64(heads[at])
            if identifiers[entry, 0] == low and identifiers[entry, 1] == high:
                while entry >= 0:
                    if abs(np.int64(intervals[entry]) - (first + identifier)) <= tolerance:
                        if count < pairs.shape[0]:
                            pairs[count, 0] = row
                            pairs[count, 1] = entry
                        count += 1
                    entry = np.int64(chain[entry])
                break
            at = (at + uint64(1)) & uint64(heads.shape[0] - 1)
    return count


# Longer than our limit: the groups in progress, in registers and scratch memory, are one state that
# every step reads and writes.
# HKDF, EXPAND, DERIVE and the other names in capitals are bound per kernel (`KERNEL_PARTS`).
def scan(
    keys: Any,
    rows: Any,
    starts: Any,
    periods: Any,
    day_start: Any,
    groups: Any,
    words: Any,
    far: Any,
    heads: Any,
    chain: Any,
    identifiers: Any,
    intervals: Any,
    secret: Any,
    tolerance: Any,
    scratch: Any,
    pairs: Any,
) -> Any:
    """Match some keys in one UTC day; return the number of pairs.

    Parameters
    ----------
    keys, starts, periods
        uint8 (n, 16), uint32 (n), uint16 (n): all keys.
    rows
        int64: the rows of the keys to match.
    day_start
        The day's first interval.
    groups
        int64: the groups of 24 intervals of the day that have sightings.
    words, far
        The filter, whose size is a power of two, and whether it exceeds the second cache.
    heads, chain
        int32: the hash table, and for each sighting the next one of the same identifier.
    identifiers, intervals
        uint64 (m, 2) and uint32 (m): the day's sightings.
    secret
        uint64 (2): see `values.place`.
    tolerance
        The most intervals between an identifier's own and its sighting's.
    scratch
        uint8 (SCRATCH_BYTES), zeros. The caller provides it, because Numba frees its own arrays
        after their last use by name and does not see a use by address.
    pairs
        int64 (p, 2), written: a key's row and a sighting of the day. Pairs beyond p are only
        counted.
    """
    ring = uintp((uint64(scratch.ctypes.data) + uint64(_RING_BYTES - 1)) & ~uint64(_RING_BYTES - 1))
    counters, rpiks = uintp(ring + _COUNTERS), uintp(ring + _RPIKS)
    schedules = uintp(ring + _SCHEDULES)
    keys_at, words_at = uintp(keys.ctypes.data), uintp(words.ctypes.data)
    mask = uint64(words.shape[0] - 1) << uint64(3)
    for number in range(groups.shape[0]):
        for interval in range(GROUP):
            # The counter's other words stay zero.
            counter = uintp(counters + 16 * (GROUP * number + interval) + 12)
            store_32(counter, uint32(day_start + GROUP * groups[number] + interval))
    facts = (
        day_start,
        groups,
        starts,
        periods,
        words,
        heads,
        chain,
        identifiers,
        intervals,
        secret,
        tolerance,
    )
    slot = ring
    checked = uintp(ring + SLOT_BYTES * (_LAG - 1))
    item = uint64(0)
    count = np.int64(0)
    for first_row in range(0, rows.shape[0], _TOGETHER):
        size = min(_TOGETHER, rows.shape[0] - first_row)
        for key in range(size):
            copy_16(uintp(keys_at + 16 * rows[first_row + key]), uintp(rpiks + 16 * key))
        # Lanes beyond the last key compute on old scratch data, and their results are not used.
        for key in range(0, size, HKDF_LANES):
            HKDF(uintp(rpiks + 16 * key), uintp(rpiks + 16 * key))
        for key in range(0, size, EXPAND_LANES):
            EXPAND(uintp(rpiks + 16 * key), uintp(schedules + _SCHEDULE * key))
        for key in range(size):
            row = rows[first_row + key]
            start = np.int64(starts[row]) - day_start
            end = start + np.int64(periods[row])
            lane = key % EXPAND_LANES
            schedule = uintp(schedules + _SCHEDULE * (key - lane) + 16 * lane)
            begin, stop = 0, groups.shape[0]
            while begin < stop and GROUP * (groups[begin] + 1) <= start:
                begin += 1
            while begin < stop and GROUP * groups[stop - 1] >= end:
                stop -= 1
            for number in range(begin, stop):
                probed = uintp(slot ^ uint64(SLOT_BYTES * _LAG))
                found = DERIVE(
                    schedule,
                    uintp(counters + 16 * GROUP * number),
                    slot,
                    probed,
                    checked,
                    words_at,
                    mask,
                )
                store_64(uintp(slot + _ROW), uint64(row))
                store_64(uintp(slot + _NUMBER), uint64(number))
                if far:
                    offset = (slot - uint64(SLOT_BYTES * _FETCH_LAG)) & uint64(_RING_BYTES - 1)
                    prefetch_group(uintp(ring | offset), words_at, mask)
                if found and item >= FOUND_LAG:
                    count = _check_slot(
                        checked if FOUND_LAG > _LAG else probed, facts, BITS, pairs, count
                    )
                checked = probed
                slot = uintp(ring | (slot + uint64(SLOT_BYTES)) & uint64(_RING_BYTES - 1))
                item += uint64(1)
    end_item: Any = np.int64(item)
    for late in range(max(0, end_item - FOUND_LAG), end_item):
        count = _check_slot(
            uintp(ring + uint64(SLOT_BYTES) * (uint64(late) & uint64(_RING - 1))),
            facts,
            BITS,
            pairs,
            count,
        )
    return count


def derive(keys: Any, firsts: Any, groups: Any, scratch: Any, out: Any) -> None:
    """Derive every identifier of some keys.

    Parameters
    ----------
    keys, firsts
        uint8 (n, 16) and uint32 (n): keys, and the interval of each key's first identifier.
    groups
        Groups of 24 identifiers per key.
    scratch
        As for `scan`.
    out
        uint8 (n, groups, 24, 16), written.
    """
    base = uintp((uint64(scratch.ctypes.data) + uint64(63)) & ~uint64(63))
    rpiks, schedules = uintp(base + _RPIKS), uintp(base + _SCHEDULES)
    keys_at, out_at = uintp(keys.ctypes.data), uintp(out.ctypes.data)
    for first_row in range(0, keys.shape[0], _TOGETHER):
        size = min(_TOGETHER, keys.shape[0] - first_row)
        for key in range(size):
            copy_16(uintp(keys_at + 16 * (first_row + key)), uintp(rpiks + 16 * key))
        for key in range(0, size, HKDF_LANES):
            HKDF(uintp(rpiks + 16 * key), uintp(rpiks + 16 * key))
        for key in range(0, size, EXPAND_LANES):
            EXPAND(uintp(rpiks + 16 * key), uintp(schedules + _SCHEDULE * key))
        for key in range(size):
            lane = key % EXPAND_LANES
            schedule = uintp(schedules + _SCHEDULE * (key - lane) + 16 * lane)
            for group in range(groups):
                first = np.int64(firsts[first_row + key]) + GROUP * group
                offset = 16 * GROUP * ((first_row + key) * groups + group)
                ENCRYPT(schedule, uint32(first), uintp(out_at + offset))


def fill(
    identifiers: Any,
    words: Any,
    bits: Any,
    heads: Any,
    chain: Any,
    secret: Any,
) -> None:
    """Add sightings to a filter and a hash table, as `scan` describes them.

    Equal identifiers form one chain, so a log that repeats one costs no more than any other log.
    """
    mask = uint64(words.shape[0] - 1) << uint64(3)
    for entry in range(identifiers.shape[0]):
        low, high = identifiers[entry, 0], identifiers[entry, 1]
        words[(low & mask) >> uint64(3)] &= ~_bits(low, bits)
        at = place(low, high, secret, heads.shape[0])
        while True:
            head = np.int64(heads[at])
            if head < 0:
                heads[at] = entry
                break
            if identifiers[head, 0] == low and identifiers[head, 1] == high:
                chain[entry] = chain[head]
                chain[head] = entry
                break
            at = (at + uint64(1)) & uint64(heads.shape[0] - 1)


@inlined
def _number(day: Any, start: Any, end: Any, first_day: Any, numbers: Any, masks: Any) -> Any:
    """Return a day's number if a key used from `start` to `end` can match in it, else 0."""
    after = day - first_day
    if after < 0 or after >= numbers.shape[0]:
        return 0
    number = np.int64(numbers[after])
    start -= _DAY * day
    end -= _DAY * day
    if start <= 0 and end >= _DAY:
        return number  # a numbered day has some sighting
    used = (2 << (min(_DAY, end) - 1) // GROUP) - (1 << max(0, start) // GROUP)
    return number if masks[number] & used else 0


def group(starts: Any, periods: Any, first_day: Any, numbers: Any, masks: Any) -> Any:
    """Sort keys by UTC day, without those that no sighting can match; keys may have two days.

    Parameters
    ----------
    starts, periods
        uint32 (n) and uint16 (n).
    first_day, numbers
        A day (since the Unix epoch) and, from that day on, the number of each, int32: 1 to k, or
        0 for a day without sightings.
    masks
        uint8 (k + 1): by a day's number, bits of the groups of 24 intervals with sightings.

    Returns
    -------
    rows, bounds
        int64: rows of keys, and the beginning of each day's rows; shape (k + 1).
    """
    bounds = np.zeros(masks.shape[0] + 1, np.int64)
    found = np.empty(starts.shape[0], np.int32)  # each key's day, or −1 where it has two
    for row in range(starts.shape[0]):
        start = np.int64(starts[row])
        end = start + np.int64(periods[row])
        day = start // _DAY
        number = _number(day, start, end, first_day, numbers, masks)
        bounds[number + 1] += 1
        found[row] = number
        if end > _DAY * (day + 1):
            bounds[_number(day + 1, start, end, first_day, numbers, masks) + 1] += 1
            found[row] = -1
    bounds[1] = 0
    for number in range(2, bounds.shape[0]):
        bounds[number] += bounds[number - 1]
    rows = np.empty(bounds[-1], np.int64)
    for row in range(starts.shape[0]):
        only = found[row]
        if only > 0:
            rows[bounds[only]] = row
            bounds[only] += 1
        elif only < 0:
            start = np.int64(starts[row])
            end = start + np.int64(periods[row])
            for after in range(2):
                either = _number(start // _DAY + after, start, end, first_day, numbers, masks)
                if either:
                    rows[bounds[either]] = row
                    bounds[either] += 1
    return rows, bounds[:-1]
