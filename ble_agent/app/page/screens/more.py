"""*More*: the list of everything else."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from ble_agent.app.page.visit import Screen, Visit

__all__ = ["SCREENS"]

# Path and name of each screen that the list leads to.
_LINKS = (
    ("join", "join"),
    ("more/area", "area"),
    ("more/settings", "settings"),
    ("more/import", "import"),
    ("more/ledger", "ledger"),
    ("more/data", "data"),
    ("more/sessions", "sessions"),
    ("more/erase", "erase"),
)


def _more(visit: Visit) -> Response:
    return visit.render("more.html", links=_LINKS)


SCREENS: Sequence[Screen] = (Screen("more", _more, tab="more"),)
"""The screens."""
