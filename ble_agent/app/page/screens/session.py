"""What every screen offers: the other language, and leaving."""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.responses import HTMLResponse, Response

from ble_agent.app.page.visit import Screen, Visit
from ble_agent.messages.language import LANGUAGES

__all__ = ["SCREENS"]

_SCREEN = re.compile(r"[a-z]+(/[a-z-]+)*")


def _language(visit: Visit) -> Response:
    if visit.field("lang") in LANGUAGES:
        visit.session.language = visit.field("lang")
    back = visit.field("back")
    return visit.go(back if _SCREEN.fullmatch(back) else "today")


def _leave(visit: Visit) -> Response:
    """End the session, and the page with the last one."""
    door = visit.page.door
    door.end(visit.session.name)
    visit.page.is_ending = not any(door.sessions())
    return HTMLResponse(visit.page.render("left.html", visit.language))


SCREENS: Sequence[Screen] = (
    Screen("language", _language, "POST"),
    Screen("leave", _leave, "POST"),
)
"""The screens."""
