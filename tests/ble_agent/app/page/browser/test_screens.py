"""Every screen in every state: seen by axe-core, at every width, by keyboard, on paper."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.ble_agent.agents import clock_at
from tests.ble_agent.app.page.browser.browsing import (
    LANGUAGES,
    Tab,
    chromium,
    needs_chromium,
    opened,
    page_process,
)
from tests.ble_agent.app.page.browser.states import STATES, in_state
from tests.ble_agent.app.test_whom_it_concerns import NOW
from tests.ble_agent.fake_server import FakeServer, fake_server

pytestmark = [needs_chromium, pytest.mark.slow]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@dataclass
class Desk:
    """One page for all tests of this file, whose home is made anew for each."""

    home: Path
    server: FakeServer
    tab: Tab


@pytest.fixture(scope="module")
def desk(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("page") / "home"
    clock = clock_at(NOW)
    with (
        fake_server(clock=clock) as server,
        page_process(home, clock) as served,
        opened(browser, served) as tab,
    ):
        yield Desk(home, server, tab)


@pytest.mark.parametrize("state", STATES)
def test_today_in_every_state(desk: Desk, state: str) -> None:
    with in_state(STATES[state], desk.home, desk.server):
        desk.tab.expects_refusals = state == "newer"
        for language in LANGUAGES:
            desk.tab.open("today")
            desk.tab.speak(language)
            if desk.tab.name() not in ("today", "join"):
                desk.tab.open("today")
            assert desk.tab.examine() == []
    desk.tab.expects_refusals = False
    desk.tab.check()
