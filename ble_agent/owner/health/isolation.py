"""Isolation clock: until which day the owner is to keep apart, by the authority's rules.

It is counted on this device, from what this device knows, and nothing about it leaves the device.
There are no rules but the authority's: others would be advice that no one answers for.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from ble_agent.authority.report_progress import ReportProgress
from ble_agent.owner.health.diary import TestResult, onsets, read_diary
from ble_agent.store.database import RETENTION_SECONDS
from ble_agent.store.state import EXPOSED
from tracing_core.clock import local_date
from tracing_core.configuration.isolation import IsolationCause, IsolationRule, IsolationRules
from tracing_core.protocol.interval import interval_start, utc_date
from tracing_core.store.database import Database

__all__ = [
    "Isolation",
    "IsolationSpan",
    "KnownDays",
    "count_down",
    "note_exposure",
    "reported_test_day",
]

# A signal of the first hours of a day is gone on the 14th day after it.
_EXPOSURE_DAYS = RETENTION_SECONDS // 86_400 - 1
_DAY = datetime.timedelta(1)


@dataclass(frozen=True, slots=True)
class KnownDays:
    """Local days from which isolation is counted, and of the negative tests that may end it."""

    exposures: frozenset[datetime.date] = frozenset()
    onsets: frozenset[datetime.date] = frozenset()
    positive_tests: frozenset[datetime.date] = frozenset()
    negative_tests: frozenset[datetime.date] = frozenset()

    @classmethod
    def read(
        cls, db: Database, exposures: Iterable[datetime.date], today: datetime.date
    ) -> KnownDays:
        """Read the days that the device knows.

        Parameters
        ----------
        db
            The agent's database.
        exposures
            Local days of the exposures that count by the authority's rules, as assessed now.
        today
            The day of the owner's calendar.
        """
        entries = read_diary(db)
        tests = {
            result: {entry.day for entry in entries if entry.test is result}
            for result in TestResult
        }
        positive, negative = tests[TestResult.POSITIVE], tests[TestResult.NEGATIVE]
        progress = ReportProgress.load(db)
        if progress.reported_at is not None:
            positive.add(reported_test_day(progress, progress.reported_at))
        if progress.taken_back_at is not None:
            negative.add(local_date(progress.taken_back_at))
        return cls(
            frozenset({*exposures, *_noted_exposure(db, today)}),
            frozenset(onsets(entries)),
            frozenset(positive),
            frozenset(negative),
        )

    def of(self, cause: IsolationCause) -> frozenset[datetime.date]:
        """Return the days of a cause."""
        return {
            IsolationCause.EXPOSURE: self.exposures,
            IsolationCause.ONSET: self.onsets,
            IsolationCause.POSITIVE_TEST: self.positive_tests,
        }[cause]


def reported_test_day(progress: ReportProgress, reported_at: int) -> datetime.date:
    """Return the day of the test that was reported: the code's, else that of the report."""
    if progress.tested:
        return utc_date(interval_start(progress.tested))
    return local_date(reported_at)


@dataclass(frozen=True, slots=True)
class IsolationSpan:
    """The days of isolation after one cause."""

    cause: IsolationCause
    day: datetime.date
    """Day of the cause; isolation begins with it."""
    last: datetime.date
    """Last day of isolation; the day before the cause if a negative test ended it at once."""
    ended_by_test: bool
    """Whether a negative test made it shorter."""

    def to_json(self) -> dict[str, object]:
        """Return the span as commands print it."""
        return {
            "cause": self.cause.value,
            "day": self.day.isoformat(),
            "last_day": self.last.isoformat(),
            "ended_by_test": self.ended_by_test,
        }


@dataclass(frozen=True, slots=True)
class Isolation:
    """What the clock shows on one day."""

    has_rules: bool
    """Whether the authority has given any."""
    days_left: int
    """Days after today for which isolation lasts; 0 on the last day and without isolation."""
    spans: tuple[IsolationSpan, ...] = ()
    """The longest of each cause that lasts today, the longest first; empty without isolation."""
    ended: IsolationSpan | None = None
    """The one that ended last, unless any lasts today."""

    @property
    def lasts(self) -> bool:
        """Whether the owner is to keep apart today."""
        return bool(self.spans)

    def to_json(self) -> dict[str, object]:
        """Return what the clock shows, as commands print it."""
        return {
            "rules": self.has_rules,
            "isolating": self.lasts,
            "days_left": self.days_left,
            "last_day": self.spans[0].last.isoformat() if self.spans else None,
            "because": [span.to_json() for span in self.spans],
            "ended_on": self.ended.last.isoformat() if self.ended else None,
            "ended_by_test": self.ended is not None and self.ended.ended_by_test,
        }


def count_down(rules: IsolationRules | None, known: KnownDays, today: datetime.date) -> Isolation:
    """Return what the clock shows on a day; a later day never shows more days left.

    Parameters
    ----------
    rules
        The authority's; None if it has given none.
    known
        What the device knows.
    today
        The day of the owner's calendar. If the clock was set back, days of causes may be later:
        then isolation begins today.
    """
    if rules is None:
        return Isolation(has_rules=False, days_left=0)
    spans = [
        _span(cause, day, rule, known.negative_tests)
        for cause, rule in rules.by_cause.items()
        for day in known.of(cause)
    ]
    spans.sort(key=lambda span: (span.last, span.day, span.cause.value), reverse=True)
    longest: dict[IsolationCause, IsolationSpan] = {}
    for span in spans:
        if span.last >= max(today, span.day):
            longest.setdefault(span.cause, span)
    lasting = tuple(longest.values())
    if not lasting:
        ended = next((span for span in spans if span.last < today), None)
        return Isolation(has_rules=True, days_left=0, ended=ended)
    left = max((span.last - max(today, span.day)).days for span in lasting)
    return Isolation(has_rules=True, days_left=left, spans=lasting)


def _span(
    cause: IsolationCause,
    day: datetime.date,
    rule: IsolationRule,
    negative_tests: frozenset[datetime.date],
) -> IsolationSpan:
    last = day + rule.days * _DAY
    if rule.negative_test_after is not None:
        first = day + rule.negative_test_after * _DAY
        tests = [test for test in negative_tests if first <= test <= last]
        if tests:
            return IsolationSpan(cause, day, min(tests) - _DAY, ended_by_test=True)
    return IsolationSpan(cause, day, last, ended_by_test=False)


def note_exposure(db: Database, exposures: Iterable[datetime.date], today: datetime.date) -> None:
    """Note the newest exposure that counts, in the caller's transaction.

    The signals are gone after 14 days, and isolation may last longer. One that has vanished sooner
    was withdrawn, and is forgotten.
    """
    newest = max(exposures, default=None)
    if newest is not None:
        EXPOSED.set(db, {"date": newest.isoformat()})
    elif EXPOSED.get(db) is not None and not _noted_exposure(db, today):
        EXPOSED.clear(db)


def _noted_exposure(db: Database, today: datetime.date) -> list[datetime.date]:
    """Return the exposure that was noted, if its signals may be gone because of their age."""
    noted = EXPOSED.get(db)
    if noted is None:
        return []
    day = datetime.date.fromisoformat(noted["date"])
    return [day] if (today - day).days >= _EXPOSURE_DAYS else []
