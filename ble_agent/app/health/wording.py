"""Words for the diary and the isolation clock."""

from __future__ import annotations

from collections.abc import Iterator

from ble_agent.messages.catalogue import say
from ble_agent.messages.language import date_text
from ble_agent.owner.health.diary import DiaryEntry, MetPerson, Sign
from ble_agent.owner.health.isolation import Isolation, IsolationSpan

__all__ = ["because_text", "entry_text", "isolation_lines", "isolation_text"]


def entry_text(entry: DiaryEntry, language: str) -> str:
    """Return what an entry says, without its day."""
    signs = ", ".join(say(f"sign_{sign.value}", language) for sign in Sign if sign in entry.signs)
    parts = [signs or say("diary_well", language)]
    parts += [say(f"met_{each.value}", language) for each in MetPerson if each in entry.met]
    if entry.test is not None:
        parts.append(say(f"test_{entry.test.value}", language))
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}"


def isolation_text(isolation: Isolation, language: str) -> str:
    """Return until when isolation lasts, or that it does not."""
    if not isolation.has_rules:
        return say("isolation_no_rules", language)
    if isolation.lasts:
        last = date_text(isolation.spans[0].last, language)
        name = "isolation_lasts" if isolation.days_left else "isolation_last_day"
        return say(name, language, date=last, count=isolation.days_left)
    if isolation.ended is not None:
        name = "isolation_ended_by_test" if isolation.ended.ended_by_test else "isolation_ended"
        return say(name, language, date=date_text(isolation.ended.last, language))
    return say("isolation_none", language)


def because_text(span: IsolationSpan, language: str) -> str:
    """Return why, and until when, isolation lasts."""
    return say(
        f"isolation_because_{span.cause.value}",
        language,
        date=date_text(span.day, language),
        last=date_text(span.last, language),
    )


def isolation_lines(isolation: Isolation, language: str, *, clock_works: bool) -> Iterator[str]:
    """Yield what the clock shows, and why."""
    yield isolation_text(isolation, language)
    for span in isolation.spans:
        yield f"  {because_text(span, language)}"
    if isolation.has_rules and not clock_works:
        yield say("isolation_doubtful", language)
