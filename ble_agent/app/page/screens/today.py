"""*Today*: what was recorded, what to do, and whether the device works."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from ble_agent.app import commands
from ble_agent.app.damage_note import damage_note
from ble_agent.app.joining import pinned_lines
from ble_agent.app.page.screens.health import ShownIsolation
from ble_agent.app.page.visit import Notice, Screen, Visit
from ble_agent.app.probes import ago_text, minutes_ago, strength_text
from ble_agent.app.situation import Situation
from ble_agent.exposures.advice import (
    days_cut_text,
    level_text,
    other_day_lines,
    other_notes,
    owner_days,
)
from ble_agent.exposures.local_days import local_date
from ble_agent.exposures.others import LEAST_MINUTES
from ble_agent.exposures.seen import show_seen
from ble_agent.exposures.weighing import choose_weighing
from ble_agent.messages.language import dates_text
from ble_agent.owner.area_lines import AreaView, area_view
from ble_agent.store.database import has_database
from tracing_core.configuration.env2 import NO_LEVEL
from tracing_core.trust.signed_config import Contact

__all__ = ["SCREENS"]

# The widest bar, in the units of its drawing.
_BAR_WIDTH = 100

# Probes of what does not keep the device from recording.
_NOT_RECORDING = ("report", "notify", "list")


@dataclass(frozen=True, slots=True)
class _Day:
    dates: str
    minutes: str
    level: str


@dataclass(frozen=True, slots=True)
class _Heard:
    date: str
    count: int
    width: float


def _today(visit: Visit) -> Response:
    if not has_database(visit.page.home):
        return visit.go("join")
    situation = Situation.read(visit.config, visit.page.clock)
    if situation.facts.membership is None:
        return visit.go("join")
    answer = visit.render(
        "today.html",
        state=(state := _state(situation)),
        doubts=_doubts(situation, state, visit),
        ago=_checked_ago(situation, visit),
        days=_days(situation, visit.language),
        other_days=other_day_lines(situation.other, visit.language),
        other_head=_other_head(situation, state, visit),
        least=LEAST_MINUTES,
        days_cut=days_cut_text(situation.exposures, visit.language),
        contact=_contact(situation, visit.language),
        advice=_advice(situation, visit),
        report=_report(situation, visit),
        is_unfinished=situation.facts.report.is_unfinished(visit.page.clock.now()),
        probes=sorted(situation.probes, key=lambda probe: probe.ok),
        heard=_heard(situation, visit.language),
        keys=situation.keys,
        notes=_notes(situation, visit),
        area=_area(situation, visit),
        last_day=situation.facts.last_day,
        isolation=ShownIsolation.of(situation, visit.language),
        pinned=list(pinned_lines(situation.facts.membership, visit.language)),
    )
    # A prefetch of the browser shows nothing to anyone.
    is_prefetch = not {"purpose", "sec-purpose"}.isdisjoint(visit.request.headers)
    if visit.request.method == "GET" and not is_prefetch:
        show_seen(visit.page.home, situation.found_days)
    return answer


def _state(situation: Situation) -> str:
    """Return what the screen begins with; nothing is claimed that was not checked."""
    if any(day.level != NO_LEVEL for day in situation.exposures):
        return "recorded"
    if situation.other.counts:
        return "other"
    if situation.exposures:
        return "faint"
    if situation.other.days:
        return "other_faint"
    if not situation.works("check"):
        return "unknown"
    return "none" if situation.heard_here else "nothing_heard"


def _other_head(situation: Situation, state: str, visit: Visit) -> str:
    """Return what leads to the days that Bluezone recorded, unless the screen begins with it."""
    if not situation.other.days or state.startswith("other"):
        return ""
    name = "bluezone_recorded" if situation.other.counts else "bluezone_faint"
    return visit.say(name, least=LEAST_MINUTES)


def _doubts(situation: Situation, state: str, visit: Visit) -> list[str]:
    """Return why the screen's first words may not hold."""
    doubts = []
    last_day = situation.facts.last_day
    if last_day is not None and last_day.is_over:
        doubts.append(last_day.text(visit.language))
    if situation.damage is not None:
        doubts.append(damage_note(situation.damage, visit.language, is_joined=True))
    records = all(probe.ok or probe.name in _NOT_RECORDING for probe in situation.probes)
    if state == "none" and not records:
        doubts.append(visit.say("page_doubtful"))
    if situation.other.uncompared:
        doubts += other_notes(situation.other, visit.language)
    return doubts


def _checked_ago(situation: Situation, visit: Visit) -> str:
    minutes = minutes_ago(visit.page.clock, situation.facts.last_check.get("at"))
    return "" if minutes is None else ago_text(minutes, visit.language)


def _days(situation: Situation, language: str) -> list[_Day]:
    return [
        _Day(dates_text(day.dates, language), str(day.minutes), level_text(day.level, language))
        for day in owner_days(situation.exposures, gravest_first=True)
    ]


def _contact(situation: Situation, language: str) -> Contact | None:
    membership = situation.facts.membership
    return membership.config.contact.get(language) if membership else None


def _advice(situation: Situation, visit: Visit) -> list[str]:
    contact = _contact(situation, visit.language)
    advice = (contact.advice if contact else "") or visit.say("default_advice")
    return [line for line in advice.splitlines() if line.strip()]


def _report(situation: Situation, visit: Visit) -> str:
    progress = situation.facts.report
    if progress.is_unfinished(visit.page.clock.now()):
        return visit.say("page_report_unfinished")
    if progress.reported_at is None:
        return ""
    name = "status_reported" if progress.taken_back is None else "status_taken_back"
    date = local_date(progress.reported_at)
    return visit.say(name, date=_date(date, visit.language))


def _area(situation: Situation, visit: Visit) -> AreaView | None:
    """Return the own area; None unless the authority ever published levels."""
    view = area_view(situation.areas, visit.page.clock.now(), visit.language)
    return view if situation.areas.issued_at is not None or view.notes else None


def _date(day: datetime.date, language: str) -> str:
    return dates_text([day], language)


def _heard(situation: Situation, language: str) -> list[_Heard]:
    most = max(situation.heard_here.values(), default=0)
    return [
        _Heard(_date(day, language), count, round(_BAR_WIDTH * count / most, 1))
        for day, count in sorted(situation.heard_here.items(), reverse=True)
    ]


def _notes(situation: Situation, visit: Visit) -> list[str]:
    facts, language = situation.facts, visit.language
    membership = facts.membership
    weighing = choose_weighing(membership.config).note(language) if membership else None
    strength = strength_text(facts.scan, language)
    if any(probe.name == "strength" for probe in situation.probes):
        strength = ""
    dropped = facts.scan.get("dropped_samples") or 0
    other = "" if situation.other.uncompared else " ".join(other_notes(situation.other, language))
    notes = (
        weighing,
        other,
        strength,
        visit.say("status_dropped", count=dropped) if dropped else "",
    )
    return [note for note in notes if note]


def _check(visit: Visit) -> Response:
    outcome = commands.check(visit.config, visit.page.clock)
    if outcome.failure is not None:
        # The screen itself says what failed, from what the check has noted.
        return visit.go("today", Notice(visit.say("page_checked_partly"), "warn"))
    return visit.go("today", Notice(visit.say("page_checked")))


SCREENS: Sequence[Screen] = (
    Screen("today", _today, tab="today"),
    Screen("check", _check, "POST", tab="today"),
)
"""The screens."""
