"""Pictures of the page for the owner's guides, from invented data: ``make screens``."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from PIL import Image

from tests.ble_agent.agents import clock_at
from tests.ble_agent.app.page.browser.browsing import (
    LANGUAGES,
    Tab,
    chromium,
    opened,
    page_process,
)
from tests.ble_agent.app.page.browser.states import STATES, in_state
from tests.ble_agent.app.test_whom_it_concerns import NOW
from tests.ble_agent.fake_server import fake_server

__all__ = ["MOST_BYTES", "PICTURES", "main"]

MOST_BYTES = 40_000

_FOLDER = Path(__file__).resolve().parents[5] / "docs" / "images"
_WIDTH, _HEIGHT = 360, 760
_COLOURS = 48


def _send(tab: Tab) -> None:
    tab.page.fill("#code", "3917 2004")
    tab.press("main button")


def _look(tab: Tab) -> None:
    """Look at the screen as it is."""


PICTURES: Mapping[str, tuple[str, str, Callable[[Tab], None]]] = {
    "join": ("not_joined", "join", _look),
    "today": ("well", "today", _look),
    "exposed": ("exposed", "today", _look),
    "send": ("well", "send", _send),
}
"""State, screen, and what is done there, by the name of the picture."""


def _take(tab: Tab, file: Path) -> None:
    tab.page.set_viewport_size({"width": _WIDTH, "height": _HEIGHT})
    tab.page.emulate_media(color_scheme="light")
    shot = Image.open(io.BytesIO(tab.page.screenshot()))
    small = shot.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    small.save(file, optimize=True)
    assert file.stat().st_size <= MOST_BYTES, file


def main() -> None:
    """Take all pictures in both languages."""
    clock = clock_at(NOW)
    with (
        tempfile.TemporaryDirectory() as folder,
        chromium() as browser,
        fake_server(clock=clock) as server,
        page_process(Path(folder) / "home", clock) as served,
        opened(browser, served) as tab,
    ):
        for name, (state, screen, act) in PICTURES.items():
            with in_state(STATES[state], Path(folder) / "home", server):
                for language in LANGUAGES:
                    tab.open(screen)
                    tab.speak(language)
                    tab.open(screen)
                    act(tab)
                    _take(tab, _FOLDER / f"page-{name}-{language}.png")


if __name__ == "__main__":
    main()
