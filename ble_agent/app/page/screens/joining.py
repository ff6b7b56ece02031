"""Joining a health authority with what it published: a line, its QR code, or a join file."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from ble_agent.app import commands
from ble_agent.app.joining import JoinTerms
from ble_agent.app.outcome import Outcome
from ble_agent.app.page.photo import can_read_photos, read_join_photo
from ble_agent.app.page.visit import Notice, Screen, Visit
from ble_agent.app.situation import opened_to_read
from ble_agent.authority.join_file import JoinFile, key_name
from ble_agent.authority.membership import find_membership
from ble_agent.messages.refusals import not_possible
from ble_agent.store.database import has_database
from ble_agent.store.home import is_over
from tracing_core.errors import (
    InvalidJoinLine,
    InvalidValue,
    NotPossible,
    ServerError,
    TracingError,
    TrustError,
)
from tracing_core.trust.join_line import JoinLine
from tracing_core.trust.last_day import read_last_day

__all__ = ["SCREENS"]

_LONGEST_LINE = 2_200
_FILE = "join_file"


def _join(visit: Visit) -> Response:
    return _show(visit)


def _show(visit: Visit, *, line: str = "", field: str = "", fault: str = "") -> Response:
    """Show the ways to join, and the fault of one of their fields: line, photo or file."""
    return visit.render(
        "join.html",
        400 if fault else 200,
        line=line,
        field=field,
        fault=fault,
        region=_region(visit),
        can_read_photos=can_read_photos(),
    )


def _region(visit: Visit) -> str:
    """Return the region that the device belongs to; "" if it belongs to none."""
    if is_over(visit.page.home) or not has_database(visit.page.home):
        return ""
    with opened_to_read(visit.page.home, visit.page.clock.now()) as db:
        membership = find_membership(db)
    return "" if membership is None else membership.region


def _preview(visit: Visit) -> Response:
    """Show what joining means, before it is done."""
    line = visit.field("line", _LONGEST_LINE)
    try:
        # Never a path: a form must not make the agent read a file.
        origin = JoinLine.parse(line)
    except InvalidJoinLine as error:
        return _show(visit, line=line, field="line", fault=visit.explained(error))
    return _preview_of_line(visit, origin, "line")


def _preview_of_line(visit: Visit, origin: JoinLine, field: str) -> Response:
    try:
        terms = commands.join_terms(visit.config, visit.page.clock, origin, early=visit.page.early)
    except (NotPossible, ServerError, TrustError) as error:
        return _show(visit, line=str(origin), field=field, fault=visit.explained(error))
    return visit.render(
        "join_preview.html", origin=origin, line=str(origin), **_shown_terms(terms, visit)
    )


def _shown_terms(terms: JoinTerms, visit: Visit) -> dict[str, Any]:
    return {
        "question": terms.changes,
        "last_day": terms.last_day.isoformat(),
        "last_day_text": terms.last_day_text(visit.language),
    }


def _agreed(visit: Visit) -> datetime.date:
    """Return the last day that the owner was shown."""
    try:
        return read_last_day(visit.field("last_day"))
    except InvalidValue as error:
        raise not_possible("last_day_unseen") from error


def _photo(visit: Visit) -> Response:
    try:
        origin = read_join_photo(visit.sent_file().path)
    except TracingError as error:
        return _show(visit, field="photo", fault=visit.explained(error))
    return _preview_of_line(visit, origin, "photo")


def _file(visit: Visit) -> Response:
    try:
        file = JoinFile.read(visit.sent_file().path, is_alone=True)
    except TracingError as error:
        return _show(visit, field="file", fault=visit.explained(error))
    visit.session.kept[_FILE] = file
    return visit.go("join/file-preview")


def _file_preview(visit: Visit) -> Response:
    file: JoinFile | None = visit.session.kept.get(_FILE)
    if file is None:
        return visit.go("join")
    try:
        terms = commands.join_terms(visit.config, visit.page.clock, file, early=visit.page.early)
    except NotPossible as error:
        return _show(visit, field="file", fault=visit.explained(error))
    return visit.render(
        "join_file.html",
        file=file,
        contact=file.contact.get(visit.language),
        keys=[key_name(key) for key in file.export_keys],
        **_shown_terms(terms, visit),
    )


def _joined(visit: Visit, origin: JoinLine | JoinFile) -> Outcome:
    page = visit.page
    return commands.join(visit.config, page.clock, origin, agreed=_agreed(visit), early=page.early)


def _confirm(visit: Visit) -> Response:
    origin = JoinLine.parse(visit.field("line", _LONGEST_LINE))
    outcome = _joined(visit, origin)
    text = visit.say("page_joined", region=outcome.facts["region"])
    return visit.go("today", Notice(text))


def _file_confirm(visit: Visit) -> Response:
    file: JoinFile | None = visit.session.kept.get(_FILE)
    if file is None:
        return visit.go("join")
    outcome = _joined(visit, file)
    del visit.session.kept[_FILE]
    text = visit.say("page_joined", region=outcome.facts["region"])
    fault = outcome.facts["report_fault"]
    if fault is None:
        return visit.go("today", Notice(text))
    # A device that cannot report can still warn its owner.
    said = visit.say("joined_no_reports", fault=fault)
    return visit.go("today", Notice(f"{text}\n{said}", "warn"))


SCREENS: Sequence[Screen] = (
    Screen("join", _join, tab="today"),
    Screen("join/preview", _preview, "POST", tab="today"),
    Screen("join/confirm", _confirm, "POST", tab="today"),
    Screen("join/photo", _photo, "POST", tab="today", takes_file=True),
    Screen("join/file", _file, "POST", tab="today", takes_file=True),
    Screen("join/file-preview", _file_preview, tab="today"),
    Screen("join/file-confirm", _file_confirm, "POST", tab="today"),
)
"""The screens."""
