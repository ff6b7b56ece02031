"""Parser of sightings in JSON Lines, into columns.

The parser reads objects of plain names, whole numbers, hex digits and booleans, in any order and
with any blanks. On any other line, even if it is only unusual, it gives up and the caller reads the
log with `json`. So one property is enough: what the parser accepts means the same there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit, types

from matcher.kernels.cache import compiled
from tracing_core.protocol.signal_strength import STRONGEST_DBM, WEAKEST_DBM
from tracing_core.store.field_values import LATEST_MOMENT

__all__ = ["LEAST_LINE_BYTES", "NO_SCAN", "parse_lines", "parse_lines_function"]

LEAST_LINE_BYTES = len('{"rpi":"","aem":"","rssi_dbm":0,"seen_at":0}') + 32 + 8
"""The shortest line of a sighting."""

NO_SCAN = -1
"""The time of an unknown previous scan."""

_SIGNATURE = types.boolean(
    types.Array(types.uint8, 1, "C", readonly=True),
    types.int64,
    types.Array(types.uint8, 2, "C"),
    types.Array(types.uint8, 2, "C"),
    types.Array(types.int64, 1, "C"),
    types.Array(types.int64, 1, "C"),
    types.Array(types.int8, 1, "C"),
    types.Array(types.int64, 1, "C"),
    types.Array(types.int64, 1, "C"),
)

_LATEST = LATEST_MOMENT
_MOST_DIGITS = 11  # of a number below that
_RPI, _AEM, _RSSI, _SEEN, _PREVIOUS, _SUSPECT = range(6)
_REQUIRED = 0b1111
_NAMES = np.zeros((6, 16), np.uint8)
_LENGTHS = np.zeros(6, np.int64)
for _number, _text in enumerate(
    (b"rpi", b"aem", b"rssi_dbm", b"seen_at", b"previous_scan_at", b"clock_suspect")
):
    _NAMES[_number, : len(_text)] = np.frombuffer(_text, np.uint8)
    _LENGTHS[_number] = len(_text)
_WORDS = np.zeros((3, 5), np.uint8)
for _number, _text in enumerate((b"null", b"true", b"false")):
    _WORDS[_number, : len(_text)] = np.frombuffer(_text, np.uint8)
_NULL, _TRUE, _FALSE = 0, 1, 2
_NIBBLES = np.full(256, 255, np.uint8)
for _number in range(16):
    _NIBBLES[ord(f"{_number:x}")] = _NIBBLES[ord(f"{_number:X}")] = _number

_NONE = np.int64(-(2**62))


@njit
def _blanks(text: Any, at: Any) -> Any:
    """Return the place of the next byte that is not a blank; the text ends with a line end."""
    while text[at] == 32 or text[at] == 9 or text[at] == 13:
        at += 1
    return at


@njit
def _integer(text: Any, at: Any) -> Any:
    """Read a JSON integer: value and next position; the value is `_NONE` for other text."""
    negative = text[at] == 45
    if negative:
        at += 1
    first = at
    value = np.int64(0)
    while 48 <= text[at] <= 57 and at - first < _MOST_DIGITS:
        value = value * 10 + np.int64(text[at] - 48)
        at += 1
    if at == first or (text[first] == 48 and (at - first > 1 or negative)):
        return _NONE, at
    return -value if negative else value, at


@njit
def _hex(text: Any, at: Any, end: Any, target: Any) -> Any:
    """Read a quoted hex string that fills `target`; return the next position, or -1."""
    length = target.shape[0]
    # All bytes compared here lie before the end; else the line is too short.
    if text[at] != 34 or at + 2 * length + 1 >= end or text[at + 2 * length + 1] != 34:
        return np.int64(-1)
    for byte in range(length):
        high = _NIBBLES[text[at + 1 + 2 * byte]]
        low = _NIBBLES[text[at + 2 + 2 * byte]]
        if high > 15 or low > 15:
            return np.int64(-1)
        target[byte] = high << 4 | low
    return at + 2 * length + 2


@njit
def _word(text: Any, at: Any, end: Any) -> Any:
    """Read null, true or false: its number and the next position; -1 for another word."""
    for which in range(3):
        length = 5 if which == _FALSE else 4
        if at + length < end:
            same = True
            for byte in range(length):
                same &= text[at + byte] == _WORDS[which, byte]
            if same:
                return which, at + length
    return -1, at


@njit
def _name(text: Any, at: Any, end: Any) -> Any:
    """Read the quoted name of a field: its number and the next position; -1 if unknown."""
    for which in range(6):
        length = _LENGTHS[which]
        if at + length + 1 < end and text[at + length + 1] == 34:
            same = text[at] == 34
            for byte in range(length):
                same &= text[at + 1 + byte] == _NAMES[which, byte]
            if same:
                return which, at + length + 2
    return -1, at


@njit
def _samples(text: Any, at: Any, rssi: Any, room: Any) -> Any:
    """Read a sample or a list: their end in `rssi` and the next position; -1 if wrong."""
    listed = text[at] == 91
    if listed:
        at = _blanks(text, at + 1)
    while True:
        value, at = _integer(text, at)
        if value < -128 or value > 127 or room == rssi.shape[0]:
            return np.int64(-1), at
        rssi[room] = value
        room += 1
        if not listed:
            return room, at
        at = _blanks(text, at)
        if text[at] == 93:
            return room, at + 1
        if text[at] != 44:
            return np.int64(-1), at
        at = _blanks(text, at + 1)


@njit
def _line(
    text: Any, at: Any, end: Any, rpi: Any, aem: Any, moments: Any, rssi: Any, room: Any
) -> Any:
    """Read an object: the end of its samples and the next position; -1 if it is unusual.

    `moments` gets the time it was heard, the time of the previous scan, and the suspect flag.
    """
    moments[0], moments[1], moments[2] = 0, NO_SCAN, 0
    found = np.int64(0)
    while True:
        which, at = _name(text, _blanks(text, at), end)
        if which < 0 or found >> which & 1:
            return np.int64(-1), at
        found |= np.int64(1) << which
        at = _blanks(text, at)
        if text[at] != 58:
            return np.int64(-1), at
        at = _blanks(text, at + 1)
        if which == _RPI:
            at = _hex(text, at, end, rpi)
        elif which == _AEM:
            at = _hex(text, at, end, aem)
        elif which == _RSSI:
            room, at = _samples(text, at, rssi, room)
        elif which == _SUSPECT:
            word, at = _word(text, at, end)
            if word != _TRUE and word != _FALSE:
                return np.int64(-1), at
            moments[2] = word == _TRUE
        elif which == _PREVIOUS and text[at] == 110:
            word, at = _word(text, at, end)
            if word != _NULL:
                return np.int64(-1), at
        else:
            value, at = _integer(text, at)
            if value < 0 or value >= _LATEST:
                return np.int64(-1), at
            moments[0 if which == _SEEN else 1] = value
        if at < 0 or room < 0:
            return np.int64(-1), at
        at = _blanks(text, at)
        if text[at] == 125:
            return room if found & _REQUIRED == _REQUIRED else np.int64(-1), at + 1
        if text[at] != 44:
            return np.int64(-1), at
        at += 1


@njit
def _is_measured(rssi: Any, room: Any, end: Any) -> Any:
    measured = False
    for at in range(room, end):
        measured |= WEAKEST_DBM <= rssi[at] <= STRONGEST_DBM
    return measured


# Longer than our limit by its columns: one line each in the signature, and their description.
def parse_lines(
    text: Any,
    longest: Any,
    rpi: Any,
    aem: Any,
    seen_at: Any,
    previous_scan_at: Any,
    rssi: Any,
    rssi_end: Any,
    counts: Any,
) -> Any:
    """Fill columns with the sightings of whole lines, without those under a suspect clock.

    Parameters
    ----------
    text
        uint8 (b); the last byte is a line end.
    longest
        The most bytes of a line.
    rpi, aem, seen_at, previous_scan_at, rssi_end
        uint8 (n, 16), uint8 (n, 4), int64 (n), int64 (n) (`NO_SCAN` if unknown) and int64 (n):
        the end of each sighting's samples in `rssi`. There is room for one sighting per
        `LEAST_LINE_BYTES`.
    rssi
        int8 (b).
    counts
        int64 (5), written: sightings in the columns, samples, sightings left out, sightings in the
        columns without a known strength, and the line of the first of them, counted from 1.

    Returns
    -------
    bool
        True if all lines were usual; otherwise the columns are undefined.
    """
    end = np.int64(text.shape[0])
    moments = np.zeros(3, np.int64)
    row, room, left_out = np.int64(0), np.int64(0), np.int64(0)
    number, unmeasured, first_unmeasured = np.int64(0), np.int64(0), np.int64(0)
    at = np.int64(0)
    while at < end:
        first = at
        number += 1
        at = _blanks(text, at)
        if text[at] != 10:
            if text[at] != 123 or row == rpi.shape[0]:
                return False
            samples, at = _line(text, at + 1, end, rpi[row], aem[row], moments, rssi, room)
            if samples < 0:
                return False
            at = _blanks(text, at)
            if text[at] != 10:
                return False
            if moments[2]:
                left_out += 1
            else:
                if not _is_measured(rssi, room, samples):
                    unmeasured += 1
                    if unmeasured == 1:
                        first_unmeasured = number
                seen_at[row], previous_scan_at[row] = moments[0], moments[1]
                rssi_end[row] = room = samples
                row += 1
        at += 1
        if at - first > longest:
            return False
    counts[0], counts[1], counts[2] = row, room, left_out
    counts[3], counts[4] = unmeasured, first_unmeasured
    return True


@cache
def parse_lines_function() -> Callable[..., bool]:
    """Return `parse_lines`, cached or compiled now."""
    return compiled(parse_lines, _SIGNATURE)
