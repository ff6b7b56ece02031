"""*Where you live*: the own area, its level, and the choice of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.responses import Response

from ble_agent.app.page.visit import Notice, Screen, Visit
from ble_agent.app.situation import opened_to_read
from ble_agent.messages.explanation import explain
from ble_agent.messages.refusals import not_possible
from ble_agent.owner.area_lines import area_view
from ble_agent.owner.areas import (
    choose_area,
    find_areas,
    forget_area,
    known_areas,
    published_areas,
)
from ble_agent.store.database import has_database
from ble_agent.store.recovery import open_recovered
from tracing_core.errors import NotPossible
from tracing_core.store.database import Database
from tracing_core.trust.signed_areas import Area, SignedAreas

__all__ = ["SCREENS"]

# The largest province has fewer, so a whole one is listed.
_MOST_LISTED = 300
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class _Choice:
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class _Search:
    """What was looked for, and what was found."""

    name: str = ""
    inside: str = ""
    found: Sequence[_Choice] = ()
    count: int = 0
    fault: str = ""


def _area(visit: Visit) -> Response:
    if not has_database(visit.page.home):
        return visit.go("join")
    return _show(visit, _Search())


def _show(visit: Visit, search: _Search) -> Response:
    with opened_to_read(visit.page.home, visit.page.clock.now()) as db:
        known = known_areas(db)
        areas = published_areas(db)
    top = [area for area in areas.areas if not area.parent] if areas else []
    return visit.render(
        "more/area.html",
        400 if search.fault else 200,
        area=area_view(known, visit.page.clock.now(), visit.language),
        has_own=known.own is not None,
        can_choose=areas is not None and bool(areas.areas),
        top=[_Choice(each.code, each.name) for each in _sorted(top)],
        search=search,
        most=_MOST_LISTED,
    )


def _sorted(areas: Sequence[Area]) -> list[Area]:
    return sorted(areas, key=lambda area: (area.name.casefold(), area.code))


def _find(visit: Visit) -> Response:
    name, inside = visit.field("name", _LONGEST_NAME), visit.field("inside", _LONGEST_NAME)
    if not name and not inside:
        return _show(visit, _Search(fault=visit.say("page_area_empty")))
    with opened_to_read(visit.page.home, visit.page.clock.now()) as db:
        areas = published_areas(db)
    if areas is None:
        raise not_possible("areas_none")
    found = find_areas(areas, name, inside=inside)
    choices = [_Choice(each.code, _named(areas, each)) for each in found]
    choices.sort(key=lambda choice: (choice.name.casefold(), choice.code))
    fault = "" if found else visit.say("page_area_not_found")
    return _show(visit, _Search(name, inside, choices[:_MOST_LISTED], len(choices), fault))


def _named(areas: SignedAreas, area: Area) -> str:
    parent = areas.find(area.parent)
    return f"{area.name}, {parent.name}" if parent else area.name


@contextmanager
def _store(visit: Visit) -> Iterator[Database]:
    if not has_database(visit.page.home):
        raise not_possible("no_home")
    with open_recovered(visit.page.home, visit.page.clock.now()) as db:
        yield db


def _choose(visit: Visit) -> Response:
    try:
        with _store(visit) as db:
            choose_area(db, visit.field("code"))
    except NotPossible as error:
        # A check may have brought another list meanwhile.
        return visit.go("more/area", Notice(explain(error, visit.language), "warn"))
    return visit.go("more/area", Notice(visit.say("page_area_chosen")))


def _forget(visit: Visit) -> Response:
    with _store(visit) as db:
        forget_area(db)
    return visit.go("more/area", Notice(visit.say("area_forgotten")))


SCREENS: Sequence[Screen] = (
    Screen("more/area", _area, tab="more"),
    Screen("more/area/find", _find, "POST", tab="more"),
    Screen("more/area/choose", _choose, "POST", tab="more"),
    Screen("more/area/forget", _forget, "POST", tab="more"),
)
"""The screens."""
