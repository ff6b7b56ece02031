"""*Health*: the isolation clock, and the diary with one form for a day."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from ble_agent.app.health.diary import note_day, read_day, remove_day
from ble_agent.app.health.wording import because_text, entry_text, isolation_text
from ble_agent.app.page.visit import Notice, Screen, Visit
from ble_agent.app.situation import Situation
from ble_agent.messages.explanation import explain
from ble_agent.messages.language import date_text
from ble_agent.owner.health.diary import DiaryEntry, MetPerson, Sign, TestResult
from ble_agent.store.database import DIARY_DAYS, has_database
from tracing_core.clock import local_date
from tracing_core.errors import NotPossible

__all__ = ["SCREENS", "ShownIsolation"]


@dataclass(frozen=True, slots=True)
class ShownIsolation:
    """The isolation clock as the templates show it."""

    text: str
    because: Sequence[str]
    lasts: bool
    days_left: int
    has_rules: bool
    is_doubtful: bool
    """Whether the device's clock may be wrong."""

    @classmethod
    def of(cls, situation: Situation, language: str) -> ShownIsolation:
        """Put what the clock shows into words."""
        isolation = situation.health.isolation
        return cls(
            isolation_text(isolation, language),
            [because_text(span, language) for span in isolation.spans],
            isolation.lasts,
            isolation.days_left,
            isolation.has_rules,
            isolation.has_rules and not situation.works("clock"),
        )


@dataclass(frozen=True, slots=True)
class _Row:
    """A day of the diary."""

    day: datetime.date
    date: str
    text: str


def _health(visit: Visit) -> Response:
    if not has_database(visit.page.home):
        return visit.go("join")
    try:
        return _show(visit, visit.request.query_params.get("day", "")[:20])
    except NotPossible as error:
        if error.code != "diary_day":
            raise
        return visit.go("health", Notice(explain(error, visit.language), "warn"))


def _show(visit: Visit, asked: str) -> Response:
    situation = Situation.read(visit.config, visit.page.clock)
    entries = situation.health.entries
    today = local_date(visit.page.clock.now())
    day = read_day(asked, today)
    noted = next((entry for entry in entries if entry.day == day), None)
    return visit.render(
        "health/health.html",
        isolation=ShownIsolation.of(situation, visit.language),
        entry=noted or DiaryEntry(day),
        is_noted=noted is not None,
        is_today=day == today,
        days=[today - datetime.timedelta(ago) for ago in range(DIARY_DAYS + 1)],
        rows=[
            _Row(each.day, date_text(each.day, visit.language), entry_text(each, visit.language))
            for each in entries
        ],
        signs=Sign,
        met=MetPerson,
        results=TestResult,
    )


def _entry(visit: Visit, day: datetime.date) -> DiaryEntry:
    test = visit.field("test")
    return DiaryEntry(
        day,
        frozenset(sign for sign in Sign if visit.field(f"sign_{sign.value}") == "yes"),
        frozenset(each for each in MetPerson if visit.field(f"met_{each.value}") == "yes"),
        next((result for result in TestResult if result.value == test), None),
    )


def _save(visit: Visit) -> Response:
    # The form names its day, since midnight may have passed since it was shown.
    clock = visit.page.clock
    try:
        day = read_day(visit.field("day"), local_date(clock.now()))
        note_day(visit.config, clock, _entry(visit, day))
    except NotPossible as error:
        return visit.go("health", Notice(explain(error, visit.language), "bad"))
    return visit.go("health", Notice(visit.say("page_health_saved", date=_date(day, visit))))


def _remove(visit: Visit) -> Response:
    clock = visit.page.clock
    try:
        day = read_day(visit.field("day"), local_date(clock.now()))
        outcome = remove_day(visit.config, clock, day)
    except NotPossible as error:
        return visit.go("health", Notice(explain(error, visit.language), "bad"))
    name = "diary_removed" if outcome.facts["removed"] else "diary_no_entry"
    return visit.go("health", Notice(visit.say(name, date=_date(day, visit))))


def _date(day: datetime.date, visit: Visit) -> str:
    return date_text(day, visit.language)


SCREENS: Sequence[Screen] = (
    Screen("health", _health, tab="health"),
    Screen("health/save", _save, "POST", tab="health"),
    Screen("health/remove", _remove, "POST", tab="health"),
)
"""The screens."""
