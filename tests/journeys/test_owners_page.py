"""Two owners, the whole way in a browser: join, exposure, report, taking it back, erasing.

A real key server, a real air with two real agents on it, and a page for each owner. One reads
Vietnamese and has turned JavaScript off, the other reads English. Between them and the server, a
proxy notes every byte that is sent.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from ble_agent.messages.catalogue import say
from tests.ble_agent.agents import AgentProcess, air_process, clock_at, side_by_side
from tests.ble_agent.app.page.browser.browsing import (
    Tab,
    chromium,
    needs_chromium,
    opened,
    page_process,
)
from tests.ble_agent.recording_proxy import RecordingProxy, recording_proxy
from tests.server.running import RunningServer, answer

pytestmark = [needs_chromium, pytest.mark.slow]

DAY = 86_400
BEGAN = 1_629_943_200.0
"""Nine in the morning of 26 August 2021 in Hà Nội."""

TESTED = BEGAN + 2 * DAY
PUBLISHED = TESTED + 6 * 3600
RATE = 90.0
MET_SECONDS = 1500


@dataclass
class Owner:
    """An owner, and the way in which the page is read."""

    agent: AgentProcess
    language: str
    has_scripts: bool

    @contextlib.contextmanager
    def page(self, browser: Browser, now: float) -> Iterator[Tab]:
        """Open the page by the one link that the terminal shows."""
        with (
            page_process(self.agent.home, clock_at(now), language=self.language) as served,
            opened(browser, served, java_script_enabled=self.has_scripts) as tab,
        ):
            if not self.has_scripts:
                tab.page.fill("#token", served.token)
                tab.press("#door button")
            yield tab

    def sees(self, tab: Tab, name: str, **values: object) -> bool:
        return " ".join(say(name, self.language, **values).split()) in " ".join(tab.text().split())

    def follow(self, tab: Tab, tab_name: str) -> None:
        tab.press(f"nav a[href$='/{tab_name}']")

    def join(self, tab: Tab, line: str) -> None:
        assert self.sees(tab, "page_join_why")
        tab.page.fill("#line", line)
        tab.press("main button")
        assert self.sees(tab, "page_join_means")
        tab.press("main button")
        assert self.sees(tab, "page_joined", region="VN")

    def send(self, tab: Tab, code: str, proxy: RecordingProxy) -> tuple[list[str], list[Any]]:
        """Send a code; return what the page showed before, and what the server then received."""
        before = len(proxy.connections)
        self.follow(tab, "send")
        tab.page.fill("#code", code)
        tab.press("main button")
        shown = tab.page.locator("dd").all_inner_texts()
        assert len(proxy.connections) == before, "nothing is sent before the owner agrees"
        tab.press("main button")
        return shown, requests(proxy, before)


def requests(proxy: RecordingProxy, first: int) -> list[Any]:
    """Path and JSON body of each POST that went over the connections from a number on."""
    found = []
    for connection in proxy.connections[first:]:
        rest = bytes(connection.sent)
        while rest:
            head, _, rest = rest.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            size = int(length[1]) if length else 0
            body, rest = rest[:size], rest[size:]
            if head.startswith(b"POST "):
                found.append((head.split()[1].decode(), json.loads(body)))
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


def meet(an: Owner, binh: Owner, folder: Path) -> None:
    """Let both sit a metre from each other for 25 minutes of a clock that goes faster."""
    clock = clock_at(BEGAN, rate=RATE)
    with air_process(side_by_side("an", "binh"), folder, clock) as (radios, _):
        for name, owner in (("an", an), ("binh", binh)):
            owner.agent.clock = clock
            owner.agent.start(radios[name])
        time.sleep(MET_SECONDS / RATE)
        assert an.agent.stop() == 0
        assert binh.agent.stop() == 0


def restart(server: RunningServer, now: float) -> None:
    if server.process is not None:
        assert server.stop() == 0
    server.clock = clock_at(now)
    server.start()


def test_two_owners_go_the_whole_way(browser: Browser, tmp_path: Path) -> None:
    with (
        RunningServer(tmp_path / "server", clock_at(BEGAN - 600)) as server,
        AgentProcess(tmp_path / "an") as an_agent,
        AgentProcess(tmp_path / "binh") as binh_agent,
    ):
        server.init("--region", "VN")
        server.start()
        an = Owner(an_agent, "vi", has_scripts=False)
        binh = Owner(binh_agent, "en", has_scripts=True)
        with recording_proxy(server.url) as proxy:
            line = f"{proxy.url}#{server.join.partition('#')[2]}"
            for owner in (an, binh):
                with owner.page(browser, BEGAN - 600) as tab:
                    owner.join(tab, line)
            meet(an, binh, tmp_path)
            restart(server, TESTED)
            report(an, browser, server, proxy)
            restart(server, PUBLISHED)
            answer("export", home=server.home, clock=server.clock)
            find_out(binh, browser)
            take_back(an, browser, server, proxy)
        take_over(binh, browser, an, tmp_path)
        for owner in (an, binh):
            erase(owner, browser)


def report(an: Owner, browser: Browser, server: RunningServer, proxy: RecordingProxy) -> None:
    # Only a report of a likely case can be taken back.
    code = server.issue(testType="likely", symptomDate="2021-08-26")
    with an.page(browser, TESTED) as tab:
        shown, sent = an.send(tab, code, proxy)
        assert an.sees(tab, "page_after_report")
        an.follow(tab, "today")
        assert an.sees(tab, "page_own_report")
    # What was shown: the code, how many keys, of which days, to whom.
    assert shown[0] == code
    assert shown[1] == say("page_sent_count", "vi", count=1)
    # A key is in use for a day of UTC, which ends here at seven in the morning.
    assert shown[2].split() == ["26/08/2021", "27/08/2021"]
    assert shown[3] == proxy.url
    # What was sent is that, and what the three requests need to belong together.
    assert [path for path, _ in sent] == ["/api/verify", "/api/certificate", "/v1/publish"]
    verify, certify, publish = (body for _, body in sent)
    assert set(verify) == {"code", "accept", "padding"}
    assert verify["code"] == code
    assert set(certify) == {"token", "ekeyhmac", "padding"}
    (key,) = publish.pop("temporaryExposureKeys")
    assert key["rollingStartNumber"] * 600 // DAY == BEGAN // DAY
    assert set(publish) <= {
        *("healthAuthorityID", "verificationPayload", "hmacKey", "symptomOnsetInterval"),
        *("traveler", "revisionToken", "padding"),
    }


def find_out(binh: Owner, browser: Browser) -> None:
    with binh.page(browser, PUBLISHED) as tab:
        assert binh.sees(tab, "page_state_unknown")
        tab.press("form[action$=check] button")
        assert binh.sees(tab, "page_state_recorded")
        assert "26 August 2021" in tab.text()
        assert binh.sees(tab, "page_advice")
        tab.press("button[name=lang]")
        assert say("page_state_recorded", "vi") in tab.text()
        assert "26/08/2021" in tab.text()


def take_back(an: Owner, browser: Browser, server: RunningServer, proxy: RecordingProxy) -> None:
    code = server.issue(testType="negative", testDate="2021-08-28")
    with an.page(browser, PUBLISHED) as tab:
        an.follow(tab, "send")
        assert an.sees(tab, "page_take_back_how")
        _, sent = an.send(tab, code, proxy)
        assert an.sees(tab, "page_after_report"), tab.text()
        assert [path for path, _ in sent][-1] == "/v1/publish"
        an.follow(tab, "today")
        assert an.sees(tab, "status_taken_back", date="28/08/2021")


def take_over(binh: Owner, browser: Browser, an: Owner, folder: Path) -> None:
    """Bình takes over what another device recorded, after seeing what that would add."""
    log = folder / "log.jsonl"
    an.agent.clock = clock_at(PUBLISHED)
    assert an.agent.command("export", str(log)).returncode == 0
    count = len(an.agent.sightings())
    before = len(binh.agent.sightings())
    with binh.page(browser, PUBLISHED) as tab:
        binh.follow(tab, "more")
        tab.press("a[href$='/more/import']")
        tab.page.set_input_files("#file", log)
        tab.press("main form button")
        assert binh.sees(tab, "page_import_check")
        assert len(binh.agent.sightings()) == before, "nothing is added before the owner agrees"
        tab.press("form[action$='/import/confirm'] button")
        assert binh.sees(tab, "page_imported", count=count)
    assert len(binh.agent.sightings()) == before + count


def erase(owner: Owner, browser: Browser) -> None:
    with owner.page(browser, PUBLISHED) as tab:
        owner.follow(tab, "more")
        tab.press("a[href$='/more/erase']")
        assert owner.sees(tab, "page_erase_what")
        tab.page.check("[name=sure]")
        tab.press("main form button")
        assert owner.sees(tab, "erased")
    assert not list(owner.agent.home.glob("agent*"))
