"""Search for areas in the list, and the choice of the one that was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ble_agent.config import AgentConfig
from ble_agent.messages.catalogue import say
from ble_agent.messages.refusals import not_possible
from ble_agent.owner.area_lines import area_facts, area_line, area_view
from ble_agent.owner.areas import (
    KnownAreas,
    choose_area,
    find_areas,
    forget_area,
    known_areas,
    published_areas,
)
from ble_agent.store.database import has_database
from ble_agent.store.recovery import open_recovered
from tracing_core.clock import Clock
from tracing_core.store.database import Database
from tracing_core.trust.signed_areas import Area, SignedAreas

__all__ = ["AreaAnswer", "area"]

_MOST_SHOWN = 200


@dataclass(frozen=True, slots=True)
class AreaAnswer:
    """What a search or a choice led to."""

    facts: Mapping[str, Any]
    """For programs."""
    text: str
    """For the owner, one or more lines."""
    needs_owner: bool = False
    """Whether several areas fit, so that none was chosen."""


def area(
    config: AgentConfig, clock: Clock, words: str, *, inside: str = "", should_forget: bool = False
) -> AreaAnswer:
    """Show the own area, look for areas, choose the one that was found, or forget the own one.

    Parameters
    ----------
    config
        The agent's settings.
    clock
        The agent's clock.
    words
        Code of an area, or words of its name; "" chooses none.
    inside
        Code or name of the area that it is in; "" for anywhere.
    should_forget
        Whether to forget which area is the own one.

    Raises
    ------
    NotPossible
        When there is no agent in the home folder (``no_home``), no list (``areas_none``), or no
        such area (``area_unknown``, ``area_inside``).
    """
    if not has_database(config.home):
        raise not_possible("no_home")
    with open_recovered(config.home, clock.now()) as db:
        if should_forget:
            forget_area(db)
            return _outcome(known_areas(db), config, [say("area_forgotten", config.lang)])
        if not words and not inside:
            return _shown(known_areas(db), config, clock)
        return _sought(db, config, clock, words, inside)


def _shown(known: KnownAreas, config: AgentConfig, clock: Clock) -> AreaAnswer:
    view = area_view(known, clock.now(), config.lang)
    lines = view.lines
    if view.needs_choice:
        lines.append(say("area_how", config.lang))
    return _outcome(known, config, lines)


def _sought(db: Database, config: AgentConfig, clock: Clock, words: str, inside: str) -> AreaAnswer:
    areas = published_areas(db)
    if areas is None or not areas.areas:
        raise not_possible("areas_none")
    found = find_areas(areas, words, inside=_parent(areas, inside) if inside else "")
    if not found:
        raise not_possible("area_unknown")
    if words and len(found) == 1:
        known = choose_area(db, found[0].code)
        lines = [*area_view(known, clock.now(), config.lang).lines, say("area_chosen", config.lang)]
        return _outcome(known, config, lines)
    name = "area_several" if words else "area_inside"
    lines = [*_list(areas, found, config.lang), say(name, config.lang, count=len(found))]
    # Nothing was chosen, though an area was named.
    return _outcome(known_areas(db), config, lines, found, needs_owner=bool(words))


def _parent(areas: SignedAreas, inside: str) -> str:
    found = [each for each in find_areas(areas, inside) if not each.parent]
    if len(found) != 1:
        raise not_possible("area_inside")
    return found[0].code


def _list(areas: SignedAreas, found: Sequence[Area], language: str) -> Iterator[str]:
    for each in found[:_MOST_SHOWN]:
        yield area_line(areas, each, language)
    if len(found) > _MOST_SHOWN:
        yield say("area_cut", language, count=len(found) - _MOST_SHOWN)


def _outcome(
    known: KnownAreas,
    config: AgentConfig,
    lines: Sequence[str],
    found: Sequence[Area] = (),
    *,
    needs_owner: bool = False,
) -> AreaAnswer:
    facts: dict[str, Any] = {
        **area_facts(known, config.lang),
        "published": known.count,
        "found": [
            {"code": each.code, "name": each.name, "level": each.level}
            for each in found[:_MOST_SHOWN]
        ],
    }
    return AreaAnswer(facts, "\n".join(lines), needs_owner=needs_owner)
