"""*Delete everything*: what goes and what stays, and the page's own end."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import HTMLResponse, Response

from ble_agent.app.page.visit import Screen, Visit
from ble_agent.app.situation import opened_to_read
from ble_agent.authority.report_progress import ReportProgress
from ble_agent.messages.explanation import explain
from ble_agent.messages.language import path_text
from ble_agent.store.database import has_database
from ble_agent.store.home import erase_home, is_running
from tracing_core.errors import NotPossible, StoreError, TracingError

__all__ = ["SCREENS"]

_MOST_NAMES = 20


def _erase(visit: Visit) -> Response:
    return _show(visit)


def _show(visit: Visit, fault: str = "", status: int = 200) -> Response:
    return visit.render(
        "more/erase.html",
        status,
        has_reported=_has_reported(visit),
        is_running=is_running(visit.page.home),
        fault=fault,
    )


def _has_reported(visit: Visit) -> bool:
    """Return whether a report may still be published; what cannot be read must not prevent it."""
    try:
        if not has_database(visit.page.home):
            return False
        with opened_to_read(visit.page.home, visit.page.clock.now()) as db:
            progress = ReportProgress.load(db)
    except TracingError:
        return True
    return progress.reported_at is not None or bool(progress.sent)


def _confirm(visit: Visit) -> Response:
    if visit.field("sure") != "yes":
        return _show(visit, visit.say("page_erase_not_sure"), 400)
    page = visit.page
    # A file that was uploaded, and is not imported yet, lies in the home too.
    page.door.release_all()
    stops: list[None] = []
    try:
        left = erase_home(page.home, on_stop=lambda: stops.append(None))
    except NotPossible as error:
        text = explain(error, visit.language)
        said = "" if error.code == "running_hung" else f"{visit.say('nothing_erased')}\n"
        return _show(visit, said + text, 409)
    except StoreError as error:
        text = explain(error, visit.language)
        return _show(visit, f"{visit.say('page_erase_partly')}\n{text}", 409)
    names = left[:_MOST_NAMES] + ["…"] * (len(left) > _MOST_NAMES)
    html = page.render(
        "more/erased.html",
        visit.language,
        left=names,
        folder=path_text(page.home),
        was_running=bool(stops),
    )
    page.door.close()
    page.is_ending = True
    return HTMLResponse(html)


SCREENS: Sequence[Screen] = (
    Screen("more/erase", _erase, tab="more"),
    Screen("more/erase/confirm", _confirm, "POST", tab="more"),
)
"""The screens."""
