"""The owner's answer to the last day, and the screen that takes all others' place after it."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from ble_agent.app.page.visit import Notice, Screen, Visit
from ble_agent.authority.membership import load_membership
from ble_agent.messages.refusals import not_possible
from ble_agent.owner.last_day import answer_last_day
from ble_agent.store.home import finish_ending, is_over
from ble_agent.store.recovery import open_recovered
from tracing_core.errors import InvalidValue, TracingError
from tracing_core.trust.last_day import read_last_day

__all__ = ["SCREENS", "over_instead"]

# What there is still to do when all is over.
_STAY = ("join", "language", "leave")


def over_instead(visit: Visit) -> Response | None:
    """Return what is shown in place of a screen when all is over; None if it is not."""
    home = visit.page.home
    if visit.screen.path.partition("/")[0] in _STAY or not is_over(home):
        return None
    # A file that was uploaded, and is not imported yet, lies in the home too.
    visit.page.door.release_all()
    is_finished = True
    try:
        finish_ending(home)
    except TracingError:
        is_finished = False
    return visit.render("over.html", is_finished=is_finished)


def _agree(visit: Visit) -> Response:
    try:
        day = read_last_day(visit.field("last_day"))
    except InvalidValue as error:
        raise not_possible("last_day_unseen") from error
    with open_recovered(visit.page.home, visit.page.clock.now()) as db:
        answer_last_day(db, load_membership(db), day, visit.page.clock.now())
    return visit.go("today", Notice(visit.say("page_last_day_noted")))


def _decline(visit: Visit) -> Response:
    with open_recovered(visit.page.home, visit.page.clock.now()) as db:
        answer_last_day(db, load_membership(db), None, visit.page.clock.now())
    return visit.go("today", Notice(visit.say("page_last_day_noted")))


SCREENS: Sequence[Screen] = (
    Screen("last-day/agree", _agree, "POST", tab="today"),
    Screen("last-day/decline", _decline, "POST", tab="today"),
)
"""The screens."""
