"""Times as an operator reads them, and what is said about a clock in doubt."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tracing_core.errors import InvalidValue, StoreError, TracingError
from tracing_core.trust.last_day import read_last_day

if TYPE_CHECKING:
    from server.context import Server
    from server.store.known_time import KnownTime

__all__ = ["LAST_DAY", "LastDay", "check_clock", "check_not_behind", "doubts", "local_time"]


class LastDay(click.ParamType[date]):
    """A day as YYYY-MM-DD."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the day."""
        try:
            return read_last_day(value)
        except InvalidValue as error:
            raise TracingError("--last-day: must be a date like 2027-12-31") from error


LAST_DAY = LastDay()
"""The type of the option."""


def local_time(moment: float) -> str:
    """Return a moment in the machine's zone and in UTC (UTC Unix seconds)."""
    utc = datetime.fromtimestamp(int(moment), UTC)
    here = utc.astimezone()
    if not here.utcoffset():
        return f"{utc:%Y-%m-%d %H:%M} UTC"
    zone = f"{here:%z}"
    zone = zone[:3] if zone.endswith("00") else f"{zone[:3]}:{zone[3:]}"
    day = "" if here.date() == utc.date() else f"{utc:%Y-%m-%d} "
    return f"{here:%Y-%m-%d %H:%M} ({zone}), {day}{utc:%H:%M} UTC"


def doubts(time: KnownTime, home: Path) -> list[str]:
    """Return the lines that say why a clock is in doubt, and what to do; none if it is not."""
    confirm = f"if it is right, run 'truyvet server clock --is-right --home {home}'"
    if time.doubt == "behind":
        return [
            f"the clock shows less than {local_time(time.at)}, when it was last seen: set it right;"
            f" {confirm}"
        ]
    if time.doubt == "ahead":
        return [
            f"the clock shows {local_time(time.now)}, but only {local_time(time.at)} is certain, so"
            f" keys that may be in use are held back: set it right; {confirm}"
        ]
    return []


def check_clock(server: Server) -> None:
    """Check that key files may be written by the clock.

    Raises
    ------
    StoreError
        When the clock is so far ahead that later uploads would find their window closed.
    """
    with server.database.begin() as conn:
        time = server.time.note(conn, server.clock)
    if time.is_far_ahead:
        raise StoreError(" ".join(doubts(time, server.settings.home)))


def check_not_behind(server: Server) -> None:
    """Check that a code issued now ends when it says.

    Raises
    ------
    StoreError
        When the clock shows less than when it was last seen.
    """
    with server.database.read() as conn:
        time = server.time.read(conn, server.clock)
    if time.doubt == "behind":
        raise StoreError(" ".join(doubts(time, server.settings.home)))
