"""Values of a sighting's fields, as other programs write them.

A form that loses nothing is taken, such as 1629885300.0 for a whole number. Of any other form the
error says what to change.
"""

from __future__ import annotations

import contextlib
import math
import re
from typing import Any

from tracing_core.errors import InvalidValue
from tracing_core.protocol.signal_strength import UNKNOWN_DBM

__all__ = ["LATEST_MOMENT", "flag", "hex_bytes", "moment", "optional_moment", "sample", "whole"]

LATEST_MOMENT = 100_000_000_000
"""The first second that a log may not state: in the year 5138, or 1973 if it is milliseconds."""

_UNITS = ((1_000, "milliseconds"), (1_000_000, "microseconds"), (1_000_000_000, "nanoseconds"))
_DIGITS = re.compile(r"-?[0-9]{1,20}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def whole(name: str, value: Any) -> int:
    """Return a whole number, also from 5.0 or from text of digits.

    Raises
    ------
    InvalidValue
        When it is anything else.
    """
    if type(value) is int:
        return value
    if isinstance(value, float):
        if math.isfinite(value) and value.is_integer():
            return int(value)
        hint = ": round it" if math.isfinite(value) else f", not {value}: leave the line out"
        raise InvalidValue(f"{name} must be a whole number{hint}")
    if isinstance(value, str):
        if _DIGITS.fullmatch(value):
            return int(value)
        if _DATE.match(value):
            raise InvalidValue(f"{name} is a date as text: write it as UTC Unix seconds")
    raise InvalidValue(f"{name} must be an integer")


def moment(name: str, value: Any) -> int:
    """Return a time in UTC Unix seconds.

    Raises
    ------
    InvalidValue
        When it is not a whole number, or of another unit.
    """
    number = whole(name, value)
    if 0 <= number < LATEST_MOMENT:
        return number
    for per_second, unit in _UNITS:
        if LATEST_MOMENT <= number < LATEST_MOMENT * per_second:
            raise InvalidValue(f"{name} is in {unit}: divide it by {per_second}")
    raise InvalidValue(f"{name} must be UTC Unix seconds")


def optional_moment(name: str, value: Any) -> int | None:
    """Return a time as `moment` does; None for None and for NaN, which is how tables write it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return moment(name, value)


def sample(value: Any) -> int:
    """Return a signal strength in dBm; `UNKNOWN_DBM` for None, NaN and what no byte can hold."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return UNKNOWN_DBM
    number = whole("rssi_dbm", value)
    return number if -128 <= number <= 127 else UNKNOWN_DBM


def flag(name: str, value: Any) -> bool:
    """Return a yes or no, also from 1 or 0.

    Raises
    ------
    InvalidValue
        When it is anything else.
    """
    if isinstance(value, bool | int | float) and value in (0, 1):
        return bool(value)
    raise InvalidValue(f"{name} must be true or false")


def hex_bytes(name: str, value: Any, length: int) -> bytes:
    """Return bytes from hex digits.

    Raises
    ------
    InvalidValue
        When it is not text of that many digits.
    """
    if isinstance(value, str) and len(value) == 2 * length and value.isalnum():
        with contextlib.suppress(ValueError):
            return bytes.fromhex(value)
    raise InvalidValue(f"{name} must be {2 * length} hex digits")
