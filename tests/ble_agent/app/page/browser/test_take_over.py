"""Taking over the data of earlier apps, in a browser, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from ble_agent.messages.catalogue import say
from ble_agent.store.database import make_home, open_store
from tests.ble_agent.agents import clock_at
from tests.ble_agent.app.page.browser.browsing import (
    Tab,
    chromium,
    needs_chromium,
    opened,
    page_process,
)
from tests.ble_agent.app.page.test_more import sightings, working_files
from tests.ble_agent.owner.take_over.folders import ADDED, DIARY, NOW, REFUSED, every_format
from tracing_core.store.other_sighting import count_other_sightings

pytestmark = [needs_chromium, pytest.mark.slow]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


def choose(tab: Tab, files: list[Path]) -> None:
    tab.open("more")
    tab.press("a[href$='/more/import']")
    tab.page.set_input_files("#file", files)
    tab.press("form:has(#file) button")


def recorded(home: Path) -> int:
    with open_store(home) as db:
        return sightings(home) + sum(count_other_sightings(db).values())


@pytest.mark.parametrize(("language", "has_scripts"), [("vi", False), ("en", True)])
def test_several_files_are_taken_over_with_one_press(
    browser: Browser, tmp_path: Path, language: str, has_scripts: bool
) -> None:
    home, folder = tmp_path / "home", tmp_path / "folder"
    make_home(home)
    folder.mkdir()
    every_format(folder)
    # A browser's field takes files, and those of one folder are a log too.
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)
    with (
        page_process(home, clock_at(NOW), language=language) as served,
        opened(browser, served, java_script_enabled=has_scripts) as tab,
    ):
        if not has_scripts:
            tab.page.fill("input[name=token]", served.token)
            tab.press("form[action='/enter'] button")
        choose(tab, files)
        assert tab.name() == "more/import/preview"
        shown = tab.text()
        count = sum(
            int(row.partition("\n")[2])
            for row in re.findall(
                rf"{re.escape(say('page_import_kept', language))}\n+\d+",
                shown.replace("\n\n", "\n"),
            )
        )
        assert say("page_import_total", language, count=count) in shown
        assert tab.page.locator("section:has(dl)").count() == len(ADDED)
        assert tab.page.locator("section:not(:has(dl)) li").count() >= len(REFUSED) - 1
        assert DIARY[0]["name"] not in shown
        if has_scripts:
            assert tab.examine() == []
        assert recorded(home) == 0
        tab.press("form[action$='/import/confirm'] button")
        assert say("page_imported", language, count=count) in tab.text()
        assert recorded(home) == count
        assert not working_files(home)
        choose(tab, files)
        assert say("page_import_none", language) in tab.text()
        assert tab.page.locator("form[action$='/import/confirm']").count() == 0
        tab.press("form[action$='/import/discard'] button")
        assert recorded(home) == count
        assert not working_files(home)


def test_the_screens_are_whole_in_both_languages(browser: Browser, tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "folder"
    make_home(home)
    folder.mkdir()
    every_format(folder)
    bad = folder / ("unbreakable" * 15)
    bad.write_bytes(b"\xff" * 100)
    with (
        page_process(home, clock_at(NOW)) as served,
        opened(browser, served) as tab,
    ):
        tab.expects_refusals = True
        for language in ("vi", "en"):
            tab.speak(language)
            choose(tab, [bad, folder / "photo9"])
            assert tab.page.locator(".fault").count() == 2
            assert tab.examine() == []
            choose(tab, sorted(path for path in folder.iterdir() if path.is_file()))
            assert tab.name() == "more/import/preview"
            assert tab.examine() == []
