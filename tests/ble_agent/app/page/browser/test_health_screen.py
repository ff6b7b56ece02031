"""The diary and the isolation clock in a browser, with and without JavaScript."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from ble_agent.messages.catalogue import say
from ble_agent.messages.language import date_text
from ble_agent.owner.health.diary import DiaryEntry, Sign, read_diary
from ble_agent.store.database import open_store
from tests.ble_agent.agents import clock_at
from tests.ble_agent.app.page.browser.browsing import (
    chromium,
    needs_chromium,
    opened,
    page_process,
)
from tests.ble_agent.app.page.browser.states import STATES, in_state
from tests.ble_agent.app.test_whom_it_concerns import NOW
from tests.ble_agent.fake_server import fake_server

pytestmark = [needs_chromium, pytest.mark.slow]

# The day of `NOW` in the zone that the page's process has.
TODAY = datetime.datetime.fromtimestamp(NOW, datetime.timezone(datetime.timedelta(hours=7))).date()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


@pytest.mark.parametrize(("language", "has_scripts"), [("vi", False), ("en", True)])
def test_a_day_is_noted_and_the_clock_runs(
    browser: Browser, tmp_path: Path, language: str, has_scripts: bool
) -> None:
    home, clock = tmp_path / "home", clock_at(NOW)
    last = date_text(TODAY + datetime.timedelta(10), language)
    lasts = say("isolation_lasts", language, date=last, count=10)
    with (
        fake_server(clock=clock) as server,
        page_process(home, clock, language=language) as served,
        in_state(STATES["ruled"], home, server),
        opened(browser, served, java_script_enabled=has_scripts) as tab,
    ):
        if not has_scripts:
            tab.page.fill("input[name=token]", served.token)
            tab.press("form[action='/enter'] button")
        tab.open("today")
        assert say("isolation_none", language) in tab.text()
        tab.press("nav a[href$='/health']")
        tab.page.check("input[name=sign_fever]")
        tab.press("form[action$=save] button")
        assert say("page_health_saved", language, date=date_text(TODAY, language)) in tab.text()
        assert lasts in tab.text()
        with open_store(home) as db:
            assert read_diary(db) == [DiaryEntry(TODAY, frozenset({Sign.FEVER}))]
        tab.open("today")
        assert lasts in tab.text()
        # What a code would send is shown with the day, which is not chosen by itself.
        asked = len(server.asked)
        tab.open("send")
        tab.page.fill("#code", "12345678")
        tab.press("main form button")
        assert tab.page.locator("input[name=onset]:checked").input_value() == ""
        assert tab.page.locator(f"input[name=onset][value='{TODAY}']").count() == 1
        assert len(server.asked) == asked
        tab.open("health")
        tab.press("form[action$=remove] button")
        assert say("isolation_none", language) in tab.text()
        with open_store(home) as db:
            assert read_diary(db) == []
