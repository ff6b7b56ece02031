"""Parser of the keys of an ``export.bin``, from protobuf's wire format into columns.

The parser reads only what every known server writes. On any other input, even if it is only
unusual, it gives up and the caller uses protobuf. So one property is enough: protobuf accepts
everything that the parser accepts, with the same values. Keys outside the protocol are skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit, types

from matcher.kernels.cache import compiled

__all__ = ["ABSENT", "MOST_OTHER_FIELDS", "parse_function", "parse_keys"]

ABSENT = -(2**31)
"""Days since onset of a key that states none; no record can state this number."""

MOST_OTHER_FIELDS = 64
"""The most other fields (timestamps, region, signature infos) that the parser passes on."""

_UNUSUAL = -1

# Tags: field number * 8 + wire type (0 varint, 1 fixed64, 2 length-delimited, 5 fixed32).
_KEYS, _REVISED_KEYS = 7 * 8 + 2, 8 * 8 + 2
_KEY_DATA, _RISK, _START, _PERIOD, _REPORT, _ONSET, _VARIANT = 10, 16, 24, 32, 40, 48, 64
_LAST_ONE_BYTE_TAG = 15 * 8 + 7

_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_SIGNATURE = types.int64(
    _BYTES,
    types.int64,
    types.uint8[:, ::1],
    types.uint32[::1],
    types.uint8[::1],
    types.uint8[::1],
    types.int32[::1],
    types.uint8[::1],
    types.uint8[::1],
    types.uint8[::1],
    types.int64[:, ::1],
)


@njit
def _varint(buffer: Any, at: Any, end: Any) -> Any:
    """Read a varint below 2**35 that ends before `end`: value and next position, or -1 twice."""
    value: Any = np.int64(0)
    shift: Any = np.int64(0)
    while at < end and shift < 35:
        byte = np.int64(buffer[at])
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    return np.int64(-1), np.int64(-1)


# Longer than our limit: it is one pass over the bytes, and every branch changes the position and
# the counts. Calls that hand them on would cost more time than the work.
def parse_keys(
    buffer: Any,
    start: int,
    key_data: Any,
    rolling_start: Any,
    rolling_period: Any,
    report_type: Any,
    days_since_onset: Any,
    transmission_risk: Any,
    variant: Any,
    revised: Any,
    other_fields: Any,
) -> int:
    """Fill the columns from the fields of `buffer` from `start` on.

    Parameters
    ----------
    buffer
        ``export.bin``, uint8.
    start
        Where the first field begins, after the header.
    key_data, rolling_start, rolling_period, report_type, days_since_onset, transmission_risk, \
variant, revised
        Columns of equal length, uint8[:, 16], uint32, uint8, uint8, int32, uint8, uint8 and uint8
        (0 or 1); a missing field gets protobuf's default, days since onset `ABSENT`. A transmission
        risk above 8 becomes 0.
    other_fields
        int64[MOST_OTHER_FIELDS + 1, 2]: start and end of each other field; the last row gets
        their number, and that of the skipped keys.

    Returns
    -------
    int
        The number of keys in the columns; -1 if the file is unusual, wrong or longer than them.
    """
    size = np.int64(buffer.shape[0])
    room = np.int64(key_data.shape[0])
    count: Any = np.int64(0)
    others: Any = np.int64(0)
    skipped: Any = np.int64(0)
    at: Any = np.int64(start)
    while at < size:
        tag = np.int64(buffer[at])
        field = at
        at += 1
        if tag > _LAST_ONE_BYTE_TAG:
            return _UNUSUAL
        wire_type = tag & 7
        if wire_type == 2:
            length, at = _varint(buffer, at, size)
            if at < 0 or length > size - at:
                return _UNUSUAL
            end = at + length
        elif wire_type == 0:
            length, end = _varint(buffer, at, size)
        elif wire_type == 1:
            end = at + 8
        else:
            return _UNUSUAL
        if end < 0 or end > size:
            return _UNUSUAL
        if tag != _KEYS and tag != _REVISED_KEYS:
            if others == MOST_OTHER_FIELDS:
                return _UNUSUAL
            other_fields[others, 0] = field
            other_fields[others, 1] = end
            others += 1
            at = end
            continue
        if count + skipped == room:
            return _UNUSUAL
        rolling_start[count] = 0
        report_type[count] = 0
        days_since_onset[count] = ABSENT
        transmission_risk[count] = 0
        variant[count] = 0
        revised[count] = tag == _REVISED_KEYS
        key_bytes = np.int64(0)
        period = np.int64(144)
        while at < end:
            tag = np.int64(buffer[at])
            value, at = _varint(buffer, at + 1, end)
            if at < 0:
                return _UNUSUAL
            if tag == _KEY_DATA:
                if value > end - at:
                    return _UNUSUAL
                if value == 16:
                    for i in range(16):
                        key_data[count, i] = buffer[at + i]
                at += value
                key_bytes = value
            elif tag == _START:
                # protobuf reads numbers of 2**31 and more as negative.
                if value > 2**31 - 1:
                    return _UNUSUAL
                rolling_start[count] = value
            elif tag == _PERIOD:
                if value > 2**31 - 1:
                    return _UNUSUAL
                period = value
            elif tag == _RISK:
                if value > 2**31 - 1:
                    return _UNUSUAL
                transmission_risk[count] = value if value <= 8 else 0
            elif tag == _REPORT:
                if value > 5:
                    return _UNUSUAL
                report_type[count] = value
            elif tag == _ONSET:
                if value >= 2**32 - 1:
                    return _UNUSUAL
                days_since_onset[count] = (value >> 1) ^ -(value & 1)
            elif tag == _VARIANT:
                if value > 4:
                    return _UNUSUAL
                variant[count] = value
            else:
                return _UNUSUAL
        if at != end:
            return _UNUSUAL
        if key_bytes == 16 and 1 <= period <= 144:
            rolling_period[count] = period
            count += 1
        else:
            skipped += 1
    other_fields[MOST_OTHER_FIELDS, 0] = others
    other_fields[MOST_OTHER_FIELDS, 1] = skipped
    return int(count)


@cache
def parse_function() -> Callable[..., int]:
    """Return `parse_keys`, cached or compiled now (a second, once per machine)."""
    return compiled(parse_keys, _SIGNATURE)
