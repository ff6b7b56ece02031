"""The page on homes of an old version, on bad cards, after damage, beside agents in any state."""

from __future__ import annotations

import contextlib
import html
import re
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from ble_agent.messages.catalogue import say
from ble_agent.store.damage import DATABASE_NAME
from tests.ble_agent.agents import AgentProcess, air_process, clock_at, side_by_side
from tests.ble_agent.app.page.browser.browsing import page_process
from tests.ble_agent.app.page.browser.states import STATES, in_state
from tests.ble_agent.app.test_whom_it_concerns import NOW as MADE
from tests.ble_agent.cards import can_mount, card
from tests.ble_agent.fake_server import fake_server
from tests.fixtures.old_homes import NOW, unpack
from tracing_core.clock import ScaledClock

pytestmark = pytest.mark.slow

HOUR = 3600


class Reader:
    """A browser without a window: it follows the link and reads screens as text."""

    def __init__(self, link: str) -> None:
        origin, _, token = link.partition("/#")
        self.http = httpx2.Client(base_url=origin, headers={"Origin": origin}, timeout=60)
        entered = self.http.post("/enter", data={"token": token})
        self.session = entered.headers["Location"].rsplit("/", 1)[0]

    def read(self, screen: str, *, status: int = 200) -> str:
        answer = self.http.get(f"{self.session}/{screen}", follow_redirects=True)
        assert answer.status_code == status, answer.text
        return self._text(answer)

    def press(self, screen: str, **fields: str) -> str:
        """Press a button, as the browser does with the form's key."""
        page = self.http.get(f"{self.session}/today", follow_redirects=True).text
        key = re.search(r'name="key" value="([^"]+)"', page)
        assert key is not None
        answer = self.http.post(
            f"{self.session}/{screen}", data={"key": key[1], **fields}, follow_redirects=True
        )
        return self._text(answer)

    @staticmethod
    def _text(answer: httpx2.Response) -> str:
        text = re.sub(r"<(svg|head).*?</\1>|<[^>]+>", " ", answer.text, flags=re.DOTALL)
        return " ".join(html.unescape(text).split())


@contextlib.contextmanager
def reading(home: Path, clock: ScaledClock, prefix: tuple[str, ...] = ()) -> Iterator[Reader]:
    with page_process(home, clock, language="en", prefix=prefix) as served:
        reader = Reader(served.link)
        yield reader
        reader.http.close()


def en(name: str, **values: object) -> str:
    return " ".join(say(name, "en", **values).split())


def rows(home: Path) -> dict[str, int]:
    """What must not be lost: the number of rows of each table."""
    with contextlib.closing(sqlite3.connect(home / DATABASE_NAME)) as db:
        return {
            table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("sighting", "own_key")
        }


OLD: dict[str, tuple[str, ...]] = {
    "agent": ("page_state_recorded", "page_advice", "status_not_running"),
    "agent-killed": ("page_state_recorded", "status_not_running"),
    "agent-reported": ("page_state_none", "page_doubtful", "page_own_report"),
    "agent-joined": ("page_state_unknown", "status_never_check", "page_heard_nothing"),
    "agent-verified": ("page_state_unknown", "page_report_unfinished"),
    "agent-unjoined": ("page_join_title", "page_join_why"),
}


@pytest.mark.parametrize("name", OLD)
def test_a_home_of_4f04a2b_shows_what_it_knew(name: str, tmp_path: Path) -> None:
    home = unpack(f"sqlite/{name}", tmp_path)
    before = rows(home)
    with reading(home, clock_at(NOW)) as reader:
        shown = reader.read("today")
        for text in OLD[name]:
            assert en(text) in shown
        for screen in ("join", "send", "more"):
            reader.read(screen)
    assert rows(home) == before


@pytest.mark.skipif(not can_mount(), reason="this user may have no name spaces here")
def test_a_full_and_a_read_only_card_are_read_and_lose_nothing(tmp_path: Path) -> None:
    clock = clock_at(MADE)
    with (
        fake_server(clock=clock) as server,
        in_state(STATES["exposed"], tmp_path / "made", server),
        card(tmp_path / "card") as small,
    ):
        home = small.folder / "home"
        small._run("cp", "-a", str(tmp_path / "made"), str(home))
        small.fill()
        with reading(home, clock, small.prefix) as reader:
            shown = reader.read("today")
            assert en("page_state_recorded") in shown
            assert "The disk is full" in shown or "make room" in shown
            assert en("page_checked") not in reader.press("check")
            for screen in ("join", "more"):
                reader.read(screen)
            assert "free some space" in reader.read("send", status=409)
            small.make_room()
            small.make_read_only()
            shown = reader.read("today")
            assert en("page_state_recorded") in shown
            assert "cannot be written" in shown
            assert en("page_checked") not in reader.press("check")
            reader.read("more")
            small.make_writable()
            assert en("page_checked") in reader.press("check")
            assert en("page_state_recorded") in reader.read("today")


def test_a_damaged_home_is_recovered_and_says_so(tmp_path: Path) -> None:
    clock = clock_at(MADE)
    home = tmp_path / "home"
    with fake_server(clock=clock) as server:
        with in_state(STATES["well"], home, server):
            before = rows(home)
        with (home / DATABASE_NAME).open("r+b") as file:
            pages = file.seek(0, 2) // 4096
            file.seek(pages // 3 * 4096)
            file.write(b"\xff" * (pages // 3 * 4096))
        with reading(home, clock) as reader:
            shown = reader.read("today")
            assert "recordings were found damaged" in shown
            assert "Works" in shown
            assert "state good" not in reader.http.get(f"{reader.session}/today").text
            # The same is still said at the next look.
            assert "recordings were found damaged" in reader.read("today")
    after = rows(home)
    assert 0 < after["sighting"] <= before["sighting"]


def test_beside_an_agent_that_runs_hangs_and_is_gone(tmp_path: Path) -> None:
    clock = clock_at(MADE)
    home = tmp_path / "home"
    with fake_server(clock=clock) as server:
        with in_state(STATES["well"], home, server):
            pass
        before = rows(home)
        with (
            air_process(side_by_side("an"), tmp_path, clock) as (radios, _),
            AgentProcess(home, clock) as agent,
        ):
            agent.start(radios["an"])
            assert agent.process is not None
            with reading(home, clock) as reader:
                wait_for(reader, "status_running")
                agent.process.send_signal(signal.SIGSTOP)
                # It holds no lock of the database, so the page answers, and may check.
                assert en("status_running") in reader.read("today")
                assert en("page_checked") in reader.press("check")
            # An hour later it is still there, but has heard nothing: no tick may say otherwise.
            with reading(home, clock_at(MADE + HOUR)) as later:
                shown = later.read("today")
                assert en("page_doubtful") in shown
                assert "Does not work: Last scan" in shown
            agent.process.send_signal(signal.SIGCONT)
            assert agent.stop() == 0
            with reading(home, clock) as reader:
                shown = reader.read("today")
                assert en("status_not_running") in shown
                assert en("page_doubtful") in shown
    after = rows(home)
    assert after["sighting"] >= before["sighting"]
    assert after["own_key"] >= before["own_key"]


def wait_for(reader: Reader, name: str) -> None:
    for _ in range(600):
        if en(name) in reader.read("today"):
            return
    raise AssertionError(reader.read("today"))
