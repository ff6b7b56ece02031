"""Advice for the owner: a check's result in plain words, and what to do."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ble_agent.authority.membership import Membership
from ble_agent.exposures.check import CheckResult
from ble_agent.exposures.exposure_day import ExposureDay
from ble_agent.exposures.local_days import Dates, shared_dates
from ble_agent.exposures.others import LEAST_MINUTES, OtherFindings
from ble_agent.exposures.weighing import choose_weighing
from ble_agent.messages.catalogue import MESSAGES, say
from ble_agent.messages.explanation import explain
from ble_agent.messages.language import dates_text
from tracing_core.configuration.env2 import NO_LEVEL
from tracing_core.protocol.bluezone import BLUEZONE
from tracing_core.protocol.dp3t import DP3T
from tracing_core.trust.signed_config import Contact

__all__ = [
    "OwnerDay",
    "days_cut_text",
    "exposure_lines",
    "level_text",
    "other_day_lines",
    "other_lines",
    "other_notes",
    "owner_days",
    "owner_text",
]

_APPS = {BLUEZONE.name: "Bluezone", DP3T.name: "DP-3T"}


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
    other = result.other
    if result.other_fault is not None:
        other = replace(other, fault=explain(result.other_fault, language))
    if result.days or (result.sightings and not other.days):
        lines = exposure_lines(result.days, membership, language)
    else:
        lines = [] if other.days else [say("nothing_to_compare", language)]
    lines += other_lines(other, membership, language, days=result.days)
    if result.skipped_keys:
        lines.append(say("keys_skipped", language, count=result.skipped_keys))
    # The command ends with the first fault; the others would go unsaid.
    for fault in result.later_faults:
        text = explain(fault, language)
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
    return [*lines, *_advice_lines(membership, language, counts=counts)]


def other_lines(
    other: OtherFindings,
    membership: Membership,
    language: str,
    *,
    days: Sequence[ExposureDay] = (),
) -> list[str]:
    """Return what earlier apps had recorded of people on the authority's list, or why not known.

    Parameters
    ----------
    other
        What was found there.
    membership
        The authority.
    language
        The owner's language.
    days
        What the key files showed, whose lines end with what to do.
    """
    lines = other_notes(other, language)
    if not other.days:
        return lines
    head = "bluezone_recorded" if other.counts else "bluezone_faint"
    found = [
        say(head, language, least=LEAST_MINUTES),
        *(f"  {line}" for line in other_day_lines(other, language)),
    ]
    is_said = any(day.level != NO_LEVEL for day in days)
    if other.counts and not is_said:
        found += _advice_lines(membership, language, counts=True)
    return [*found, *lines]


def other_day_lines(other: OtherFindings, language: str) -> list[str]:
    """Return a line per day with what was recorded of people on the list."""
    return [
        say("bluezone_day", language, date=dates_text(day.owner_dates, language), count=day.minutes)
        for day in other.days
    ]


def other_notes(other: OtherFindings, language: str) -> list[str]:
    """Return whether the recordings of earlier apps were compared, if there are any."""
    lines = []
    if BLUEZONE.name in other.sightings and other.is_compared and not other.days:
        lines.append(say("bluezone_nothing", language))
    for protocol in other.uncompared:
        if protocol != BLUEZONE.name or not other.has_list:
            lines.append(say("other_no_list", language, app=_APPS[protocol]))
        elif other.fault is not None:
            lines.append(say("bluezone_uncompared", language, fault=other.fault))
        else:
            lines.append(say("bluezone_not_yet", language))
    return lines


def _advice_lines(membership: Membership, language: str, *, counts: bool) -> Iterator[str]:
    """Yield what to do, if anything counts, and whom to ask."""
    contact = membership.config.contact.get(language)
    if counts:
        advice = contact.advice if contact is not None else ""
        yield say("what_to_do", language, advice=advice or say("default_advice", language))
    if contact is not None:
        yield say("contact", language, contact=_contact_line(contact))


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
