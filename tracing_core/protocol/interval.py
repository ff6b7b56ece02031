"""Ten-minute intervals, the protocol's unit of time (GAEN crypto v1.2, "ENIntervalNumber")."""

from __future__ import annotations

import datetime
from typing import NewType

from tracing_core.errors import InvalidInterval

__all__ = [
    "INTERVAL_SECONDS",
    "TEK_ROLLING_PERIOD",
    "ENIntervalNumber",
    "checked_interval",
    "interval_number",
    "interval_start",
    "rolling_start",
    "utc_date",
    "utc_day",
]

ENIntervalNumber = NewType("ENIntervalNumber", int)
"""Intervals since the Unix epoch; 32 bits, unsigned."""

INTERVAL_SECONDS = 600
"""Length of an interval, in seconds."""

TEK_ROLLING_PERIOD = 144
"""Intervals for which a key is used: one day (GAEN crypto v1.2, "TEKRollingPeriod")."""

_SECONDS_A_DAY = INTERVAL_SECONDS * TEK_ROLLING_PERIOD


def checked_interval(number: int) -> ENIntervalNumber:
    """Return the number as an interval.

    Raises
    ------
    InvalidInterval
        When the number does not fit in 32 bits, unsigned.
    """
    if not 0 <= number < 2**32:
        raise InvalidInterval(f"an interval number must be 0 to 4294967295, not {number}")
    return ENIntervalNumber(number)


def interval_number(unix_seconds: float) -> ENIntervalNumber:
    """Return the interval that a moment (UTC Unix seconds) lies in.

    >>> interval_number(1590019200 + 599)
    2650032

    Raises
    ------
    InvalidInterval
        When the moment is before 1970 or its number does not fit in 32 bits.
    """
    if not 0 <= unix_seconds < 2**32 * INTERVAL_SECONDS:
        # Infinity and "not a number" end here too.
        raise InvalidInterval("a time must lie after 1970 and its interval must fit in 32 bits")
    return checked_interval(int(unix_seconds // INTERVAL_SECONDS))


def interval_start(number: int) -> int:
    """Return an interval's first second (UTC Unix seconds).

    >>> interval_start(2650032)
    1590019200
    """
    return number * INTERVAL_SECONDS


def rolling_start(number: int) -> ENIntervalNumber:
    """Return the first interval of the UTC day that an interval lies in."""
    return checked_interval(number // TEK_ROLLING_PERIOD * TEK_ROLLING_PERIOD)


def utc_date(unix_seconds: float) -> datetime.date:
    """Return the UTC date of a moment."""
    return datetime.datetime.fromtimestamp(unix_seconds, datetime.UTC).date()


def utc_day(unix_seconds: float) -> int:
    """Return the UTC day of a moment, in days since the Unix epoch.

    >>> import datetime
    >>> datetime.date(1970, 1, 1) + datetime.timedelta(days=utc_day(1590019200))
    datetime.date(2020, 5, 21)
    """
    return int(unix_seconds // _SECONDS_A_DAY)
