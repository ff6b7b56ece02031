"""Counts of the identifiers heard per day; those of past days are kept in the database.

To count a full log takes seconds. A kept count names its day by the first and the last moment, so
it is right in every time zone. Triggers of the database remove it when a row of its day is added,
changed or deleted, whatever program does so.
"""

from __future__ import annotations

import contextlib
import datetime
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ble_agent.store.database import RETENTION_SECONDS
from tracing_core.protocol.interval import utc_date
from tracing_core.store.database import Database
from tracing_core.store.sqlite import BUSY_TIMEOUT_SECONDS, database_errors, path_of

__all__ = ["Calendar", "Day", "heard_by_day", "keep_counts", "local_day", "utc_day_of"]

_DAY = datetime.timedelta(days=1)
# The last day of year 9998; SQLite and Python know no year 10000.
_LATEST = 253_370_764_799


@dataclass(frozen=True, slots=True)
class Day:
    """A day of some calendar."""

    date: datetime.date
    starts_at: int
    """Its first second (UTC Unix seconds)."""
    ends_at: int
    """The first second after it."""


Calendar = Callable[[int], Day]
"""Returns the day that a moment (UTC Unix seconds) lies in."""


def utc_day_of(moment: int) -> Day:
    """Return the UTC day of a moment."""
    starts_at = moment - moment % 86_400
    return Day(utc_date(moment), starts_at, starts_at + 86_400)


def local_day(moment: int) -> Day:
    """Return the day of a moment in this device's time zone."""
    date = datetime.datetime.fromtimestamp(moment, datetime.UTC).astimezone().date()
    if moment >= _midnight(date + _DAY):
        # The clocks went back over midnight: what comes after the first midnight is the next day.
        date += _DAY
    return Day(date, _midnight(date), _midnight(date + _DAY))


def _midnight(date: datetime.date) -> int:
    return int(datetime.datetime.combine(date, datetime.time()).timestamp())


def heard_by_day(db: Database, calendar: Calendar, now: float) -> dict[datetime.date, int]:
    """Return how many different identifiers were heard on each day with any, in order.

    Counts of past days are kept if the database can be written to. Call it outside a transaction.

    Parameters
    ----------
    db
        The agent's database.
    calendar
        `local_day`, as the owner reads it, or `utc_day_of`.
    now
        The time in UTC Unix seconds.

    Raises
    ------
    StoreError
        When the database cannot be read.
    """
    with _snapshot(db):
        kept = _kept(db)
        found: dict[datetime.date, int] = {}
        new = []
        for day in _days(db, calendar):
            count = kept.get((day.starts_at, day.ends_at))
            if count is None:
                count = _count(db, day)
                if _is_settled(day, now):
                    new.append((day, count))
            found[day.date] = count
        _keep(db, new)
    return found


def keep_counts(db: Database, now: float) -> None:
    """Keep the counts of past days, so that reading them later is quick.

    Raises
    ------
    StoreError
        When the database cannot be read.
    """
    for calendar in (local_day, utc_day_of):
        heard_by_day(db, calendar, now)


def _is_settled(day: Day, now: float) -> bool:
    """Return whether a day is over and nothing of it is about to be deleted."""
    return day.ends_at <= now and day.starts_at >= now - RETENTION_SECONDS


@contextlib.contextmanager
def _snapshot(db: Database) -> Iterator[None]:
    """Read one state of the database, in a transaction that can still write to it.

    It takes the lock of writers only to write, and fails to write if another has written since.
    """
    with database_errors(path_of(db)):
        db.conn.execute("BEGIN")
        try:
            yield
        finally:
            # What was to be kept is committed already.
            if db.conn.in_transaction:
                db.conn.rollback()


def _kept(db: Database) -> dict[tuple[int, int], int]:
    rows = db.conn.execute("SELECT starts_at, ends_at, identifiers FROM heard_day")
    return {(starts_at, ends_at): count for starts_at, ends_at, count in rows}


def _days(db: Database, calendar: Calendar) -> Iterator[Day]:
    """Yield the days with any sighting."""
    after = 0
    while True:
        (first,) = db.conn.execute(
            "SELECT min(seen_at) FROM sighting WHERE seen_at BETWEEN ? AND ?", [after, _LATEST]
        ).fetchone()
        if first is None:
            return
        day = calendar(first)
        yield day
        after = day.ends_at


def _count(db: Database, day: Day) -> int:
    (count,) = db.conn.execute(
        "SELECT count(DISTINCT rpi) FROM sighting WHERE seen_at >= ? AND seen_at < ?",
        [day.starts_at, day.ends_at],
    ).fetchone()
    return int(count)


def _keep(db: Database, counts: Sequence[tuple[Day, int]]) -> None:
    """Keep counts and end the snapshot, unless the database cannot be written to now."""
    if not counts:
        return
    # The counts are right without being kept, so do not wait for another writer.
    db.conn.execute("PRAGMA busy_timeout = 0")
    try:
        # Busy, read-only or full.
        with contextlib.suppress(sqlite3.OperationalError):
            db.conn.executemany(
                "INSERT INTO heard_day (starts_at, ends_at, identifiers) VALUES (?, ?, ?)",
                [(day.starts_at, day.ends_at, count) for day, count in counts],
            )
            db.conn.execute("COMMIT")
    finally:
        db.conn.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_SECONDS * 1000)}")
