"""What this device knows about its owner's health, read at one moment."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ble_agent.authority.membership import Membership
from ble_agent.authority.report_progress import ReportProgress
from ble_agent.owner.health.diary import DiaryEntry, TestResult, note_entry, onsets, read_diary
from ble_agent.owner.health.isolation import Isolation, KnownDays, count_down, reported_test_day
from tracing_core.clock import local_date
from tracing_core.configuration.isolation import MOST_DAYS
from tracing_core.errors import NotPossible, StoreError
from tracing_core.store.database import Database

__all__ = ["Health", "note_reported", "proposed_onsets"]


@dataclass(frozen=True, slots=True)
class Health:
    """The diary, and what the isolation clock shows."""

    entries: Sequence[DiaryEntry]
    """Newest first."""
    onsets: Sequence[datetime.date]
    """Days of onset that a report may propose, newest first."""
    isolation: Isolation

    @classmethod
    def read(
        cls,
        db: Database,
        membership: Membership | None,
        exposures: Iterable[datetime.date],
        today: datetime.date,
    ) -> Health:
        """Read what is known.

        Parameters
        ----------
        db
            The agent's database.
        membership
            The authority, whose rules count; None before joining.
        exposures
            Local days of the exposures that count by the authority's rules.
        today
            The day of the owner's calendar.
        """
        rules = None if membership is None else membership.config.isolation
        isolation = count_down(rules, KnownDays.read(db, exposures, today), today)
        return cls(read_diary(db), proposed_onsets(db, today), isolation)


def proposed_onsets(db: Database, today: datetime.date) -> list[datetime.date]:
    """Return the days of onset that a report may propose, newest first.

    Of the oldest days of the diary no one knows whether an illness began on them.
    """
    return [day for day in onsets(read_diary(db)) if 0 <= (today - day).days <= MOST_DAYS]


def note_reported(db: Database, is_taken_back: bool, now: float) -> None:
    """Note in the diary the test that was just reported, or the negative one that took it back.

    What else the day's entry says stays. If it cannot be written, nothing is lost: the report's own
    account has the day too, for 14 days.
    """
    today = local_date(now)
    day, result = today, TestResult.NEGATIVE
    if not is_taken_back:
        day, result = reported_test_day(ReportProgress.load(db), int(now)), TestResult.POSITIVE
    same_day = (entry for entry in read_diary(db) if entry.day == day)
    entry = replace(next(same_day, DiaryEntry(day)), test=result)
    # The day of a code's test may lie before all days of the diary.
    with contextlib.suppress(NotPossible, StoreError):
        note_entry(db, entry, today)
