"""*Open browsers*: the sessions, ending one, and a link for one more."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from ble_agent.app.page.lan.qr import qr_svg
from ble_agent.app.page.visit import Notice, Screen, Visit

__all__ = ["SCREENS"]


@dataclass(frozen=True, slots=True)
class _Browser:
    name: str
    time: str
    is_here: bool


def _sessions(visit: Visit) -> Response:
    browsers = [
        _Browser(session.name, _time(session.opened_at), session is visit.session)
        for session in visit.page.door.sessions()
    ]
    link = visit.session.kept.pop("link", "")
    return visit.render("more/sessions.html", sessions=browsers, link=link)


def _qr(visit: Visit) -> Response:
    """Return the QR code of the link that was made last."""
    link = visit.session.kept.pop("qr", "")
    if not link:
        return visit.go("more/sessions")
    return Response(qr_svg(link), media_type="image/svg+xml")


def _time(moment: float) -> str:
    return f"{datetime.datetime.fromtimestamp(moment, datetime.UTC).astimezone():%H:%M}"


def _end(visit: Visit) -> Response:
    name = visit.field("name")
    if name == visit.session.name:
        # The own page is closed by its own button.
        return visit.go("more/sessions")
    visit.page.door.end(name)
    return visit.go("more/sessions", Notice(visit.say("page_session_ended")))


def _link(visit: Visit) -> Response:
    if visit.page.make_link is not None:
        link = visit.session.kept["link"] = visit.page.make_link()
        if visit.page.is_lan:
            visit.session.kept["qr"] = link
    return visit.go("more/sessions")


SCREENS: Sequence[Screen] = (
    Screen("more/sessions", _sessions, tab="more"),
    Screen("more/sessions/link.svg", _qr, tab="more"),
    Screen("more/sessions/end", _end, "POST", tab="more"),
    Screen("more/sessions/link", _link, "POST", tab="more"),
)
"""The screens."""
