"""Advice for the owner: a check's result in plain words, and what to do."""

from __future__ import annotations

from ble_agent.authority.membership import Membership
from ble_agent.exposures.check import CheckResult
from ble_agent.exposures.weighing import choose_weighing
from ble_agent.messages.catalogue import MESSAGES, say
from ble_agent.messages.language import date_text
from tracing_core.configuration.env2 import NO_LEVEL
from tracing_core.trust.signed_config import Contact

__all__ = ["owner_text"]


def owner_text(result: CheckResult, membership: Membership, language: str) -> str:
    """Return what was recorded, what to do and whom to ask."""
    lines = _lines(result, membership, language)
    if result.skipped_keys:
        lines.append(say("keys_skipped", language, count=result.skipped_keys))
    note = choose_weighing(membership.config).note(language)
    return "\n".join([*lines, *([note] if note else [])])


def _lines(result: CheckResult, membership: Membership, language: str) -> list[str]:
    if not result.days:
        return [say("nothing_recorded", language)]
    contact = membership.config.contact.get(language)
    # Days below the authority's threshold were recorded, so they are named, but without alarm.
    counts = result.level != NO_LEVEL
    lines = [say("recorded" if counts else "recorded_faint", language)]
    lines += [
        say(
            "recorded_day",
            language,
            date=date_text(day.date, language),
            count=day.minutes,
            level=_level_text(day.level, language),
        )
        for day in result.days
    ]
    if counts:
        advice = contact.advice if contact is not None else ""
        lines.append(say("what_to_do", language, advice=advice or say("default_advice", language)))
    if contact is not None:
        lines.append(say("contact", language, contact=_contact_line(contact)))
    return lines


def _contact_line(contact: Contact) -> str:
    return ", ".join(filter(None, (contact.name, contact.phone, contact.url)))


def _level_text(level: str, language: str) -> str:
    """Return a level as the owner reads it; an authority may call its levels anything."""
    return say(f"level_{level}", language) if f"level_{level}" in MESSAGES else level
