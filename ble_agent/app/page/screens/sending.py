"""*Send a code*: report a test, or take a report back; what is sent is shown first."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from starlette.responses import Response

from ble_agent.app import commands
from ble_agent.app.commands import ReportPreview
from ble_agent.app.page.photo import can_read_photos, read_code_photo
from ble_agent.app.page.visit import Notice, Screen, Visit
from ble_agent.messages.explanation import explain
from ble_agent.messages.language import date_text
from tracing_core.errors import NotPossible, TracingError

__all__ = ["SCREENS"]

_LONGEST_CODE = 100


def _send(visit: Visit) -> Response:
    try:
        preview = commands.report_preview(visit.config, visit.page.clock)
    except NotPossible as error:
        # Not joined, or nothing to send: the screen says so instead of offering the form.
        return visit.render(
            "send_nothing.html",
            reason=explain(error, visit.language),
            must_join=error.code in ("no_home", "not_joined"),
        )
    return _ask(visit, preview)


def _ask(visit: Visit, preview: ReportPreview, *, field: str = "", fault: str = "") -> Response:
    """Ask for the code, and show the fault of one of the fields: code or photo."""
    return visit.render(
        "send.html",
        400 if fault else 200,
        preview=preview,
        field=field,
        fault=fault,
        can_read_photos=can_read_photos(),
    )


def _photo(visit: Visit) -> Response:
    preview = commands.report_preview(visit.config, visit.page.clock)
    try:
        code = read_code_photo(visit.sent_file().path)
    except TracingError as error:
        return _ask(visit, preview, field="photo", fault=visit.explained(error))
    return _show(visit, preview, code)


def _preview(visit: Visit) -> Response:
    preview = commands.report_preview(visit.config, visit.page.clock)
    code = visit.field("code", _LONGEST_CODE)
    if not code:
        return _ask(visit, preview, field="code", fault=visit.say("page_code_missing"))
    return _show(visit, preview, code)


def _show(visit: Visit, preview: ReportPreview, code: str, fault: str = "") -> Response:
    days = [date_text(day, visit.language) for day in preview.days]
    return visit.render(
        "send_preview.html",
        200 if not fault else 409,
        preview=preview,
        days=days,
        code=code,
        shown=_shown(preview),
        onset=_onset(visit, preview),
        fault=fault,
    )


def _shown(preview: ReportPreview) -> str:
    """Return what the owner was shown, to compare it with what would be sent when he agrees."""
    onsets = ",".join(map(str, preview.onsets))
    keys = f"{preview.count} {preview.days[0]} {preview.days[-1]} {preview.states_risk}"
    return f"{keys} {onsets} {preview.url}"


def _onset(visit: Visit, preview: ReportPreview) -> datetime.date | None:
    """Return the day of onset that the owner chose to send; None for none."""
    chosen = visit.field("onset")
    return next((day for day in preview.onsets if day.isoformat() == chosen), None)


def _confirm(visit: Visit) -> Response:
    code = visit.field("code", _LONGEST_CODE)
    preview = commands.report_preview(visit.config, visit.page.clock)
    if visit.field("shown", 3_000) != _shown(preview):
        return _show(visit, preview, code, visit.say("page_send_changed"))
    onset = _onset(visit, preview)
    outcome = commands.report(visit.config, visit.page.clock, code, onset)
    return visit.go("send/done", Notice(outcome.text, "bad" if outcome.needs_owner else "good"))


def _done(visit: Visit) -> Response:
    return visit.render("send_done.html")


SCREENS: Sequence[Screen] = (
    Screen("send", _send, tab="send"),
    Screen("send/preview", _preview, "POST", tab="send"),
    Screen("send/photo", _photo, "POST", tab="send", takes_file=True),
    Screen("send/confirm", _confirm, "POST", tab="send"),
    Screen("send/done", _done, tab="send"),
)
"""The screens."""
