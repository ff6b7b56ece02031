"""Rows and notes dated in the future: what a clock that ran far ahead left behind."""

# Retention deletes what is old, so a row of next year would stay for a year. But a row in the
# future proves only that the clock was wrong then or is wrong now. If it is wrong now, those rows
# are the last 14 days, and nothing brings them back. So they are deleted only if
#
# - the server's clock agrees with this device's, and its signed list of key files was accepted;
# - no signature vouches for a later time than the clock shows;
# - both held a day ago too. A server and a device that start with the same old time, as after a
#   power cut, have time to be set right.
#
# A report is the owner's, with the right to take it back. It is dated a day ago instead, so that
# its 14 days begin; by then what the server gave for a day has expired.
#
# The margin of two days leaves out every row that retention deletes soon, and today's own key.

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from ble_agent.store.database import (
    DATED_ROWS,
    DIARY_ROWS,
    forget_dates,
    newest_date,
    note_deletion,
    truncate_log,
)
from ble_agent.store.kept_aside import drop_kept_ahead
from ble_agent.store.state import DAMAGE, FUTURE_SINCE, KEY_FILES, REPORT, ReportState
from tracing_core.errors import StoreBusy, StoreFull
from tracing_core.protocol.interval import utc_date
from tracing_core.store.database import Database
from tracing_core.store.sqlite import path_of, transaction

__all__ = ["forget_future"]

_ROWS = (*DATED_ROWS, DIARY_ROWS)
_MARGIN_SECONDS = 2 * 86_400
_DOUBTED_SECONDS = 86_400


def forget_future(db: Database, now: float) -> int:
    """Delete what is dated days ahead, if it was so a day ago; return the number of rows.

    Notes of days ahead go too. A report is dated a day ago, and kept.

    Parameters
    ----------
    db
        The agent's database.
    now
        A time (UTC Unix seconds) that the server confirms.

    Raises
    ------
    StoreError
        When the database cannot be written.
    """
    latest = int(now) + _MARGIN_SECONDS
    with transaction(db):
        if not _is_certain(db, now, latest):
            return 0
        count = sum(
            db.conn.execute(f"DELETE FROM {table} WHERE {moment} > ?", [latest]).rowcount  # noqa: S608
            for table, moment in _ROWS
        )
        forget_dates(db, "", utc_date(latest).isoformat())
        _date_report(db, now)
        damage = DAMAGE.get(db)
        if damage and damage["at"] > latest:
            DAMAGE.clear(db)
        note_deletion(db)
    drop_kept_ahead(Path(path_of(db)).parent, latest)
    # If another process reads, a later call makes up for it.
    with contextlib.suppress(StoreBusy, StoreFull):
        truncate_log(db)
    return count


def _is_certain(db: Database, now: float, latest: int) -> bool:
    """Return whether rows of the future were there a day ago, by clocks that nothing contradicts.

    If not, note since when they are there.
    """
    since, known = FUTURE_SINCE.get(db), KEY_FILES.get(db)
    is_behind = known is not None and (known["newest_end"] or 0) > now
    if is_behind or not _are_there(db, latest):
        if since is not None:
            FUTURE_SINCE.clear(db)
        return False
    if since is None or since > now:
        FUTURE_SINCE.set(db, int(now))
        return False
    if now - since < _DOUBTED_SECONDS:
        return False
    FUTURE_SINCE.clear(db)
    return True


def _are_there(db: Database, latest: int) -> bool:
    damage = DAMAGE.get(db)
    moments = [*_moments_of_report(db).values(), 0 if damage is None else damage["at"]]
    if max(moments) > latest or newest_date(db) > utc_date(latest).isoformat():
        return True
    return any(
        db.conn.execute(f"SELECT 1 FROM {table} WHERE {moment} > ? LIMIT 1", [latest]).fetchone()  # noqa: S608
        for table, moment in _ROWS
    )


def _moments_of_report(db: Database) -> dict[str, int]:
    fields: Mapping[str, Any] = REPORT.get(db) or {}
    return {name: at for name, at in fields.items() if name.endswith("_at")}


def _date_report(db: Database, now: float) -> None:
    """Give each step of the report that is dated days ahead the day before instead."""
    latest, before = int(now) + _MARGIN_SECONDS, int(now) - _DOUBTED_SECONDS
    moments, report = _moments_of_report(db), REPORT.get(db)
    if report is not None and max(moments.values(), default=0) > latest:
        moved = {name: before if at > latest else at for name, at in moments.items()}
        REPORT.set(db, cast("ReportState", {**report, **moved}))
