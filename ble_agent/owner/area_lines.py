"""What the owner reads about the own area: for `status`, the command `area` and the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ble_agent.messages.catalogue import say
from ble_agent.messages.language import date_text
from ble_agent.owner.areas import KnownAreas
from ble_agent.store.state import AreaState
from tracing_core.clock import local_date
from tracing_core.protocol.interval import utc_date
from tracing_core.trust.signed_areas import Area, SignedAreas

__all__ = ["AreaView", "area_facts", "area_line", "area_view"]


@dataclass(frozen=True, slots=True)
class AreaView:
    """The own area in one language."""

    headline: str
    """The area and its level, or why there is none."""
    notes: Sequence[str]
    """What qualifies it: the date of the levels, and why they may not hold."""
    needs_choice: bool
    """Whether the owner may choose an area, or must choose again."""
    is_doubtful: bool
    """Whether a note says why the level may not hold, or the area is gone."""

    @property
    def lines(self) -> list[str]:
        """The headline and the notes."""
        return [self.headline, *self.notes]


def area_view(known: KnownAreas, now: float, language: str) -> AreaView:
    """Return what the owner reads about the own area.

    Parameters
    ----------
    known
        What the device knows.
    now
        The time in UTC Unix seconds.
    language
        ``vi`` or ``en``.
    """
    own, issued_at = known.own, known.issued_at
    fault = known.fault(language)
    faults = [say("areas_fault", language, fault=fault)] if fault else []
    if issued_at is None:
        headline = say("area_unread" if fault else "area_unpublished", language)
        return AreaView(headline, faults, False, bool(fault))
    date = date_text(local_date(issued_at), language)
    doubts = [*faults, *_doubts(known, now, language)]
    if not known.count:
        return AreaView(say("area_withdrawn", language, date=date), doubts, False, bool(doubts))
    if own is None:
        headline = say("area_not_chosen", language, count=known.count)
        return AreaView(headline, doubts, True, bool(doubts))
    if own["is_gone"]:
        headline = say("area_gone", language, area=_place(own), date=date)
        return AreaView(headline, doubts, True, True)
    level = own["vi" if language == "vi" else "en"] or say("area_no_level", language)
    headline = say("area_own", language, area=_place(own), level=level)
    dated = say("area_dated", language, date=date)
    if known.is_old(now):
        dated = f"{dated} {say('area_old', language)}"
    is_doubtful = bool(doubts) or known.is_old(now)
    return AreaView(headline, [dated, *doubts], False, is_doubtful)


def _doubts(known: KnownAreas, now: float, language: str) -> Iterator[str]:
    if known.is_late(now):
        yield say("area_late", language, date=date_text(local_date(known.confirmed_at), language))


def _place(own: AreaState) -> str:
    return ", ".join(filter(None, (own["name"], own["parent"])))


def area_facts(known: KnownAreas, language: str) -> dict[str, Any]:
    """Return the own area as commands print it."""
    own, issued_at = known.own, known.issued_at
    return {
        "area": own["code"] if own else None,
        "area_name": own["name"] if own else None,
        "area_level": own["level"] if own else None,
        "area_level_text": own["vi" if language == "vi" else "en"] if own else None,
        "area_gone": bool(own and own["is_gone"]),
        "areas_issued_on": None if issued_at is None else utc_date(issued_at).isoformat(),
    }


def area_line(areas: SignedAreas, area: Area, language: str) -> str:
    """Return one area of the list, with its code first."""
    parent = areas.find(area.parent)
    place = f"{area.name}, {parent.name}" if parent else area.name
    level = areas.level_text(area, language)
    return f"{area.code}  {place}: {level}" if level else f"{area.code}  {place}"
