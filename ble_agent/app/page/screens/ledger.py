"""*What left this device*: the ledger, day by day."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from ble_agent.app.damage_note import damage_note
from ble_agent.app.page.visit import Screen, Visit
from ble_agent.app.situation import opened_to_read
from ble_agent.owner.ledger import LedgerDay, LedgerRequest, ledger_line, read_ledger
from ble_agent.store.database import has_database
from ble_agent.store.state import DAMAGE

__all__ = ["SCREENS"]


@dataclass(frozen=True, slots=True)
class _Day:
    date: datetime.date
    lines: Sequence[str]
    requests: Sequence[_Request]


@dataclass(frozen=True, slots=True)
class _Request:
    time: str
    """In the device's time zone, HH:MM:SS."""
    place: str
    what: str
    size: int
    kind: str
    outcome: str


def _ledger(visit: Visit) -> Response:
    days: list[_Day] = []
    damage = ""
    if has_database(visit.page.home):
        with opened_to_read(visit.page.home, visit.page.clock.now()) as db:
            days = [_day(day, visit) for day in read_ledger(db)]
            if (lost := DAMAGE.get(db)) is not None:
                damage = damage_note(lost, visit.language, is_joined=True)
    return visit.render("more/ledger.html", days=days, damage=damage)


def _day(day: LedgerDay, visit: Visit) -> _Day:
    lines = [ledger_line(entry, visit.language) for entry in day.entries]
    return _Day(day.date, lines, [_request(each, visit) for each in day.requests])


def _request(request: LedgerRequest, visit: Visit) -> _Request:
    moment = datetime.datetime.fromtimestamp(request.at, datetime.UTC).astimezone()
    return _Request(
        f"{moment:%H:%M:%S}",
        request.host,
        visit.say(f"page_request_{request.what}"),
        request.size,
        visit.say("page_request_cover" if request.is_cover else "page_request_real"),
        visit.say(f"page_request_{request.outcome}", status=request.answer),
    )


SCREENS: Sequence[Screen] = (Screen("more/ledger", _ledger, tab="more"),)
"""The screens."""
