"""Advice for the owner: a check's result in plain words, and what to do."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ble_agent.authority.membership import Membership
from ble_agent.exposures.check import CheckResult, ExposureDay
from ble_agent.exposures.local_days import Dates, shared_dates
from ble_agent.exposures.weighing import choose_weighing
from ble_agent.messages.catalogue import MESSAGES, say
from ble_agent.messages.explanation import explain
from ble_agent.messages.language import dates_text
from tracing_core.configuration.env2 import NO_LEVEL
from tracing_core.trust.signed_config import Contact

__all__ = ["OwnerDay", "days_cut_text", "exposure_lines", "level_text", "owner_days", "owner_text"]


@dataclass(frozen=True, slots=True)
class OwnerDay:
    """An exposure as the owner reads it: UTC days that lie in the same local day are one."""

    dates: Dates
    minutes: int
    level: str
    """The authority's name for the risk, or ``none``."""
    score_seconds: float


def owner_text(result: CheckResult, membership: Membership, language: str) -> str:
    """Return what was recorded, what to do and whom to ask."""
    if result.days or result.sightings:
        lines = exposure_lines(result.days, membership, language)
    else:
        lines = [say("nothing_to_compare", language)]
    if result.skipped_keys:
        lines.append(say("keys_skipped", language, count=result.skipped_keys))
    # The command ends with the first fault; the others would go unsaid.
    for fault in result.faults[1:]:
        text = explain(fault.error, language)
        lines.append(say("also_wrong", language, fault=text))
    note = choose_weighing(membership.config).note(language)
    return "\n".join([*lines, *([note] if note else [])])


def exposure_lines(
    exposures: Sequence[ExposureDay],
    membership: Membership,
    language: str,
    *,
    gravest_first: bool = False,
) -> list[str]:
    """Return what was recorded by local day, what to do and whom to ask; by date if not asked."""
    if not exposures:
        return [say("nothing_recorded", language)]
    contact = membership.config.contact.get(language)
    # Days below the authority's threshold were recorded, so they are named, but without alarm.
    counts = any(day.level != NO_LEVEL for day in exposures)
    lines = [say("recorded" if counts else "recorded_faint", language)]
    days = owner_days(exposures, gravest_first=gravest_first)
    lines += [
        say(
            "recorded_day",
            language,
            date=dates_text(day.dates, language),
            count=day.minutes,
            level=level_text(day.level, language),
        )
        for day in days
    ]
    lines += filter(None, [days_cut_text(exposures, language)])
    if counts:
        advice = contact.advice if contact is not None else ""
        lines.append(say("what_to_do", language, advice=advice or say("default_advice", language)))
    if contact is not None:
        lines.append(say("contact", language, contact=_contact_line(contact)))
    return lines


def owner_days(exposures: Sequence[ExposureDay], *, gravest_first: bool = False) -> list[OwnerDay]:
    """Return exposures by local day; by date if not gravest first."""
    days: list[OwnerDay] = []
    for each in exposures:
        day = OwnerDay(each.owner_dates, each.minutes, each.level, each.score_seconds)
        if days and days[-1].dates == day.dates and len(day.dates) == 1:
            before = days.pop()
            gravest = max(before, day, key=lambda part: part.score_seconds)
            day = replace(gravest, minutes=before.minutes + day.minutes)
        days.append(day)
    if gravest_first:
        days.sort(key=lambda day: (day.score_seconds, day.dates), reverse=True)
    return days


def days_cut_text(exposures: Sequence[ExposureDay], language: str) -> str:
    """Return why one local day was weighed in two parts; "" if none was."""
    if not shared_dates([day.owner_dates for day in exposures]):
        return ""
    return say("days_cut", language, time=_cut_time(exposures[-1]))


def _cut_time(day: ExposureDay) -> str:
    """Return the local time of midnight UTC at the beginning of a day."""
    midnight = datetime.datetime.combine(day.date, datetime.time(), datetime.UTC)
    return f"{midnight.astimezone():%H:%M}"


def _contact_line(contact: Contact) -> str:
    return ", ".join(filter(None, (contact.name, contact.phone, contact.url)))


def level_text(level: str, language: str) -> str:
    """Return a level as the owner reads it; an authority may call its levels anything."""
    return say(f"level_{level}", language) if f"level_{level}" in MESSAGES else level
