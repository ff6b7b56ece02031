"""Every screen in every state: seen by axe-core, at every width, by keyboard, on paper."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from ble_agent.app.page.screens import SCREENS
from ble_agent.messages.catalogue import say
from tests.ble_agent.agents import clock_at
from tests.ble_agent.app.page.browser.browsing import (
    LANGUAGES,
    PageProcess,
    Tab,
    chromium,
    needs_chromium,
    opened,
    page_process,
)
from tests.ble_agent.app.page.browser.states import STATES, Device, in_state
from tests.ble_agent.app.page.test_joining import join_file
from tests.ble_agent.app.page.test_more import lines
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
    served: PageProcess
    tab: Tab

    def in_state(self, state: str) -> contextlib.AbstractContextManager[Device]:
        return in_state(STATES[state], self.home, self.server)

    def open(self, path: str, language: str) -> None:
        """Open a screen in a language."""
        self.tab.open(path)
        self.tab.speak(language)
        self.tab.open(path)


@pytest.fixture(scope="module")
def module_desk(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("page") / "home"
    clock = clock_at(NOW)
    with (
        fake_server(clock=clock) as server,
        page_process(home, clock) as served,
        opened(browser, served) as tab,
    ):
        yield Desk(home, server, served, tab)


@pytest.fixture
def desk(module_desk: Desk) -> Iterator[Desk]:
    yield module_desk
    module_desk.tab.expects_refusals = False
    module_desk.tab.check()


SAYS: Mapping[str, tuple[str, ...]] = {
    "not_joined": ("page_join_title", "page_join_why"),
    "never_checked": ("page_state_unknown", "status_never_check"),
    "well": ("page_state_none", "status_running"),
    "not_running": ("page_state_none", "page_doubtful", "status_not_running"),
    "radio_off": ("page_state_none", "page_doubtful"),
    "clock_wrong": ("page_state_none", "page_doubtful", "status_clock"),
    "damaged": ("page_state_none",),
    "nothing_heard": ("page_state_nothing_heard", "page_heard_nothing"),
    "faint": ("page_state_faint", "page_about_faint"),
    "exposed": ("page_state_recorded", "page_advice"),
    "check_late": ("page_state_unknown",),
    "reported": ("page_state_none", "page_own_report"),
    "taken_back": ("page_state_none", "page_own_report"),
    "unfinished": ("page_state_none", "page_report_unfinished"),
    "joined_by_file": ("page_state_none", "status_pinned_limits"),
    "last_day_asked": ("page_state_none", "page_last_day_until", "page_last_day_agree"),
    "last_day_declined": ("page_state_none", "page_last_day_declined"),
    "last_day_over": ("page_state_none", "page_device"),
    "over": ("page_over", "over_note", "page_over_join"),
    "newer": ("page_problem_title",),
    "bluezone": ("page_state_other", "page_advice"),
    "bluezone_brief": ("page_state_other_faint", "page_authority"),
    "bluezone_no_list": ("page_state_none", "page_authority"),
    "bluezone_lost": ("page_state_none", "error_bluezone_missing"),
    "area_not_chosen": ("page_state_none", "page_area_pick"),
    "area": ("page_state_none", "page_area_change"),
    "area_gone": ("page_state_none", "page_area_pick"),
    "area_old": ("page_state_none", "area_old", "error_areas_older"),
    "ruled": ("page_state_none", "isolation_none", "page_isolation_private"),
    "isolating": ("page_state_recorded", "page_isolation_private"),
    "isolation_ended": ("page_state_none", "page_isolation_private"),
}
"""Texts that the screen *Today* must show in each state."""

REASSURING = {
    *("well", "reported", "taken_back", "unfinished", "joined_by_file"),
    *("area_not_chosen", "area", "area_gone", "area_old"),
    *("last_day_asked", "last_day_declined"),
    *("ruled", "isolation_ended"),
}
"""States in which nothing keeps the device from finding an exposure."""


@pytest.mark.parametrize("state", STATES)
def test_today_in_every_state(desk: Desk, state: str) -> None:
    with desk.in_state(state):
        desk.tab.expects_refusals = state == "newer"
        for language in LANGUAGES:
            desk.tab.open("today")
            desk.tab.speak(language)
            desk.tab.open("today")
            shown = " ".join(desk.tab.text().split())
            for name in SAYS[state]:
                assert " ".join(say(name, language).split()) in shown
            # A shield with a tick is a claim.
            assert desk.tab.page.locator(".state.good").count() == (state in REASSURING)
            assert desk.tab.examine() == []


@dataclass(frozen=True)
class Step:
    """How a screen is reached: what is typed on another one, and pressed in turn."""

    state: str
    path: str
    typed: Mapping[str, str] = field(default_factory=dict)
    """Texts by their fields; an empty text stands for the server's join line."""
    pressed: tuple[str, ...] = ()


_NEXT = "main form:first-of-type button"
_FIND = "form[action$='area/find'] button"
_CHOOSE = "form[action$='area/choose'] button"
_OPEN_DAY = "form[method=get] button"
STEPS: Mapping[str, Step] = {
    "join fault": Step("not_joined", "join", {"#line": "https://keys.example.org"}, (_NEXT,)),
    "join preview": Step("not_joined", "join", {"#line": ""}, (_NEXT,)),
    "another authority": Step("joined_by_file", "join", {"#line": ""}, (_NEXT,)),
    "send again": Step("reported", "send"),
    "nothing to send": Step("not_joined", "send"),
    "send preview": Step("well", "send", {"#code": "12345678"}, (_NEXT,)),
    "refused": Step("well", "send", {"#code": "12345678"}, (_NEXT, _NEXT)),
    "checked": Step("never_checked", "today", pressed=("form[action$=check] button",)),
    "settings fault": Step("well", "more/settings", {"[name=quiet_from]": "22:00"}, (_NEXT,)),
    "another browser": Step("well", "more/sessions", pressed=("form[action$='/link'] button",)),
    "areas found": Step("area", "more/area", {"#name": "song trang"}, (_FIND,)),
    "area chosen": Step("area_gone", "more/area", {"#name": "song trang"}, (_FIND, _CHOOSE)),
    "area not found": Step("area_old", "more/area", {"#name": "nowhere"}, (_FIND,)),
    "erase after a report": Step("reported", "more/erase"),
    "health while isolating": Step("isolating", "health"),
    "health afterwards": Step("isolation_ended", "health"),
    "health of another day": Step("isolating", "health", pressed=(_OPEN_DAY,)),
    "health saved": Step("isolating", "health", pressed=("form[action$=save] button",)),
    "health removed": Step("isolating", "health", pressed=("form[action$=remove] button",)),
    "send with an onset": Step("isolating", "send", {"#code": "12345678"}, (_NEXT,)),
    # Every screen with an address of its own; a preview leads back to its form.
    **{
        each.path: Step("well", each.path)
        for each in SCREENS
        if each.method == "GET" and each.path != "today"
    },
}


def walk(desk: Desk, step: Step, language: str) -> None:
    """Reach a screen."""
    desk.open(step.path, language)
    for selector, value in step.typed.items():
        desk.tab.page.fill(selector, value or desk.server.line)
    for button in step.pressed:
        desk.tab.press(button)


@pytest.mark.parametrize("name", STEPS)
def test_every_other_screen(desk: Desk, name: str) -> None:
    desk.tab.expects_refusals = True
    with desk.in_state(STEPS[name].state):
        for language in LANGUAGES:
            walk(desk, STEPS[name], language)
            assert desk.tab.page.locator("h1").count() == 1
            assert desk.tab.examine() == []


# What a file leads to: the screen with its field, the field, the file, and the next screen.
FILES = {
    "import": ("more/import", "#file", "a.jsonl", "more/import/preview"),
    "import fault": ("more/import", "#file", "a.bin", "more/import/file"),
    "join": ("join", "#file", "join.toml", "join/file-preview"),
    "join fault": ("join", "#file", "a.bin", "join/file"),
    "photo fault": ("join", "#photo", "a.bin", "join/photo"),
    "code fault": ("send", "#photo", "a.bin", "send/photo"),
}


@pytest.mark.parametrize("name", FILES)
def test_what_a_file_leads_to(desk: Desk, tmp_path: Path, name: str) -> None:
    path, field, file, lead = FILES[name]
    (tmp_path / "a.jsonl").write_bytes(lines(NOW, 60, 30 * 86_400) + b"{broken\n")
    (tmp_path / "a.bin").write_bytes(b"\xff" * 100)
    (tmp_path / "join.toml").write_bytes(join_file(desk.server))
    desk.tab.expects_refusals = True
    with desk.in_state("well"):
        for language in LANGUAGES:
            desk.open(path, language)
            desk.tab.page.set_input_files(field, tmp_path / file)
            desk.tab.press(f"form:has({field}) button")
            assert desk.tab.name() == lead
            assert desk.tab.examine() == []
            # The next state has another home.
            if desk.tab.page.locator("form[action$=discard]").count():
                desk.tab.press("form[action$=discard] button")


def test_an_empty_form_is_answered_by_the_browser_or_by_the_page(desk: Desk) -> None:
    desk.tab.expects_refusals = True
    with desk.in_state("well"):
        for language in LANGUAGES:
            desk.open("send", language)
            desk.tab.page.eval_on_selector("#code", "code => code.removeAttribute('required')")
            desk.tab.press("main button")
            assert say("page_code_missing", language) in desk.tab.text()
            # A blind owner hears what is wrong with the field.
            described = desk.tab.page.get_attribute("#code", "aria-describedby") or ""
            assert "code-fault" in described.split()
            assert desk.tab.examine() == []


FOCUSED = """() => {
  const at = document.activeElement, box = at.getBoundingClientRect();
  const style = getComputedStyle(at), nav = document.querySelector("nav").getBoundingClientRect();
  return {
    name: at.id || at.name || at.getAttribute("href") || at.textContent.trim(),
    ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    seen: box.bottom > 0 && box.top < innerHeight
      && (at.closest("nav") !== null || nav.top < 400 || box.top < nav.top),
  };
}"""


def tab_through(tab: Tab) -> list[str]:
    """Press Tab until the screen is left; return what had the focus, each seen to have it."""
    names: list[str] = []
    tab.page.evaluate("document.activeElement.blur()")
    for _ in range(60):
        tab.page.keyboard.press("Tab")
        found = tab.page.evaluate(FOCUSED)
        if names and found["name"] == names[0]:
            return names
        if tab.page.evaluate("document.activeElement === document.body"):
            return names
        assert found["ring"], found
        assert found["seen"], found
        names.append(found["name"])
    raise AssertionError(names)


@pytest.mark.parametrize("width", [320, 1280])
def test_everything_is_reached_by_keyboard(desk: Desk, width: int) -> None:
    with desk.in_state("exposed"):
        desk.open("today", "vi")
        desk.tab.look(width, "light")
        desk.tab.page.set_viewport_size({"width": width, "height": 600})
        desk.tab.open("today")
        names = tab_through(desk.tab)
        controls = desk.tab.page.locator("a:visible, button:visible").count()
        assert len(names) == controls
        assert names[0] == "#main"
        # Past the header and the tabs with one key.
        desk.tab.open("today")
        desk.tab.page.keyboard.press("Tab")
        desk.tab.page.keyboard.press("Enter")
        desk.tab.page.keyboard.press("Tab")
        assert desk.tab.page.evaluate("document.activeElement.closest('main') !== null")


def test_a_code_is_sent_by_keyboard_alone(desk: Desk) -> None:
    with desk.in_state("well"):
        desk.open("today", "vi")
        page = desk.tab.page
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("(document.activeElement.href || '').endsWith('/send')"):
                break
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert desk.tab.name() == "send"
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id") == "code":
                break
        page.keyboard.type("3917-2004")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert say("page_send_check", "vi") in desk.tab.text()
        assert "3917-2004" in desk.tab.text()
        assert not [path for _, path, _ in desk.server.asked if "verify" in path]


def test_on_paper_there_is_what_was_found_and_no_button(desk: Desk) -> None:
    with desk.in_state("exposed"):
        desk.open("today", "vi")
        desk.tab.page.emulate_media(media="print")
        assert desk.tab.page.locator("nav:visible, button:visible, header:visible").count() == 0
        assert desk.tab.page.locator("h1:visible").count() == 1
        # The number to call is on the paper too.
        assert desk.tab.page.locator("a[href^='tel:']:visible").count() == 1
        desk.tab.page.emulate_media(media="screen")


def test_the_door_and_the_end(browser: Browser, tmp_path: Path) -> None:
    clock = clock_at(NOW)
    with (
        page_process(tmp_path / "home", clock, language="en") as served,
        opened(browser, served) as tab,
    ):
        session = tab.page.url
        tab.expects_refusals = True
        with browser.new_context() as other:
            # The link works once, and a session's address in no other browser.
            for url in (served.link, session):
                page = other.new_page()
                page.goto(url)
                page.get_by_role("alert").wait_for()
                door = Tab(page, served.origin)
                assert say("page_door_refused", "en") in door.text()
                assert f"truyvet agent page --home {tmp_path / 'home'}" in door.text()
                assert door.examine() == []
        tab.open("more")
        tab.press("form[action$=leave] button")
        assert say("page_left", "en") in tab.text()
        assert tab.examine() == []
        assert served.process.wait(30) == 0
