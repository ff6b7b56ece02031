"""Joining a health authority with the line that it published."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from ble_agent.app import commands
from ble_agent.app.page.visit import Notice, Screen, Visit
from ble_agent.authority.membership import find_membership
from ble_agent.messages.explanation import explain
from ble_agent.store.database import has_database, open_store
from tracing_core.errors import InvalidJoinLine
from tracing_core.trust.join_line import JoinLine

__all__ = ["SCREENS"]

_LONGEST_LINE = 2_200


def _join(visit: Visit) -> Response:
    return visit.render("join.html", line="", fault="", region=_region(visit))


def _region(visit: Visit) -> str:
    """Return the region that the device belongs to; "" if it belongs to none."""
    if not has_database(visit.page.home):
        return ""
    with open_store(visit.page.home) as db:
        membership = find_membership(db)
    return "" if membership is None else membership.region


def _preview(visit: Visit) -> Response:
    """Show what joining means, before it is done."""
    line = visit.field("line", _LONGEST_LINE)
    try:
        # Never a path: a form must not make the agent read a file.
        origin = JoinLine.parse(line)
    except InvalidJoinLine as error:
        fault = explain(error, visit.language)
        return visit.render("join.html", 400, line=line, fault=fault, region=_region(visit))
    question = commands.join_question(visit.config, origin)
    return visit.render("join_preview.html", origin=origin, line=line, question=question)


def _confirm(visit: Visit) -> Response:
    origin = JoinLine.parse(visit.field("line", _LONGEST_LINE))
    outcome = commands.join(visit.config, visit.page.clock, origin)
    text = visit.say("page_joined", region=outcome.facts["region"])
    return visit.go("today", Notice(text))


SCREENS: Sequence[Screen] = (
    Screen("join", _join, tab="today"),
    Screen("join/preview", _preview, "POST", tab="today"),
    Screen("join/confirm", _confirm, "POST", tab="today"),
)
"""The screens."""
