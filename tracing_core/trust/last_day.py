"""Last day of a deployment: until when devices take part in it."""

from __future__ import annotations

import datetime

from tracing_core.errors import InvalidValue

__all__ = ["LONGEST_DAYS", "USUAL_DAYS", "end_of_day", "read_last_day", "usual_last_day"]

USUAL_DAYS = 365
"""A deployment that names no last day ends so many days after a device joined it."""

LONGEST_DAYS = 731
"""A deployment names its last day at most two years ahead."""

_DAY = 86_400
_EPOCH = datetime.date(1970, 1, 1).toordinal()


def usual_last_day(now: float) -> datetime.date:
    """Return the last day of what begins at a moment (UTC Unix seconds), if no other is named."""
    return datetime.date.fromordinal(_EPOCH + int(now) // _DAY + USUAL_DAYS)


def end_of_day(last_day: datetime.date) -> int:
    """Return the first second after a day (UTC Unix seconds)."""
    return (last_day.toordinal() - _EPOCH + 1) * _DAY


def read_last_day(text: object, named_at: float | None = None) -> datetime.date:
    """Read a last day.

    Parameters
    ----------
    text
        The day in UTC, as YYYY-MM-DD.
    named_at
        When it was named (UTC Unix seconds), which bounds it; None if that is not known.

    Raises
    ------
    InvalidValue
        When it is not a day, is over already, or is more than two years ahead.
    """
    if not isinstance(text, str) or len(text) != len("2020-01-01"):
        raise InvalidValue("last_day must be a date like 2027-12-31")
    try:
        last_day = datetime.date.fromisoformat(text)
    except ValueError as error:
        raise InvalidValue("last_day must be a date like 2027-12-31") from error
    if named_at is None:
        return last_day
    ahead = last_day.toordinal() - _EPOCH - int(named_at) // _DAY
    if ahead < 0:
        raise InvalidValue("last_day must not be over already")
    if ahead > LONGEST_DAYS:
        raise InvalidValue("last_day must be at most two years ahead")
    return last_day
