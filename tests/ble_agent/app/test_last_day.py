"""The last day by command and by page: shown and agreed to at joining, asked once of others."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest

from ble_agent.authority.membership import agreed_last_day
from ble_agent.messages.catalogue import say
from ble_agent.store.database import DATABASE_NAME, open_store
from ble_agent.store.home import OVER_NAME, end_home, exclusive_use
from ble_agent.store.state import LAST_DAY
from tests.ble_agent.agents import AgentProcess, clock_at
from tests.ble_agent.app.page.test_application import served
from tests.ble_agent.app.page.test_more import press
from tests.ble_agent.fake_server import FakeServer, fake_server
from tracing_core.clock import Clock
from tracing_core.store.sqlite import transaction
from tracing_core.trust.last_day import usual_last_day

NOW = 1_800_000_000.0
LAST = datetime.date(2027, 9, 30)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with fake_server(clock=clock_at(NOW), last_day=LAST) as fake:
        yield fake


@pytest.fixture
def agent(tmp_path: Path) -> AgentProcess:
    return AgentProcess(tmp_path / "home", clock_at(NOW))


def forget_answer(home: Path) -> None:
    """Make a home as one that joined before there was a last day."""
    with open_store(home) as db, transaction(db):
        LAST_DAY.clear(db)


def agreed(home: Path) -> datetime.date | None:
    with open_store(home) as db:
        return agreed_last_day(db)


def test_joining_shows_the_day_and_asks(agent: AgentProcess, server: FakeServer) -> None:
    for lang, words in (("en", "30 September 2027"), ("vi", "30/09/2027")):
        asked = agent.command("join", server.line, lang=lang)
        assert asked.returncode == 1
        assert words in asked.stderr
        assert say("join_yes", lang) in asked.stderr
        assert not (agent.home / DATABASE_NAME).exists()
    code, shown = agent.in_terminal("join", server.line, typed="y\n")
    assert code == 0, shown
    assert "takes part until 30 September 2027" in " ".join(shown.split())
    assert agreed(agent.home) == LAST


def test_a_server_without_a_day_gives_a_year(agent: AgentProcess, server: FakeServer) -> None:
    with fake_server(clock=clock_at(NOW)) as old:
        asked = agent.command("join", old.line)
        assert "the authority named none" in asked.stderr
        joined = agent.answer("join", old.line, "--yes")
    assert joined["last_day"] == usual_last_day(NOW).isoformat()


def test_a_device_that_joined_before_is_asked_once(agent: AgentProcess, server: FakeServer) -> None:
    agent.answer("join", server.line, "--yes")
    forget_answer(agent.home)
    shown = agent.command("last-day")
    assert shown.returncode == 1
    assert "Your answer is needed" in shown.stdout
    assert "Your answer is needed" in agent.command("status").stdout
    code, _ = agent.in_terminal("last-day", typed="n\n")
    assert code == 1
    assert agreed(agent.home) is None
    assert agent.answer("last-day", "--no") == {
        "last_day": None,
        "offered": LAST.isoformat(),
        "named": True,
        "asked": True,
        "over": False,
    }
    assert "You have agreed to no last day" in agent.command("status").stdout
    assert agent.answer("last-day", "--yes")["last_day"] == LAST.isoformat()
    assert agreed(agent.home) == LAST
    assert "stays so" in agent.refusal("last-day", "--no")
    assert "như đã đồng ý" in agent.refusal("last-day", "--yes", lang="vi")


def test_a_yes_in_the_terminal_counts(agent: AgentProcess, server: FakeServer) -> None:
    agent.answer("join", server.line, "--yes")
    forget_answer(agent.home)
    code, shown = agent.in_terminal("last-day", lang="vi", typed="c\n")
    assert code == 0, shown
    assert "Bạn có đồng ý không?" in shown
    assert agreed(agent.home) == LAST


def test_the_page_asks_once_and_says_when_it_is_over(tmp_path: Path) -> None:
    clock = Clock()
    day = usual_last_day(clock.now())
    with fake_server(clock=clock, last_day=day) as server, served(tmp_path) as page:
        press(page, "join/confirm", line=server.line, last_day=day.isoformat())
        assert agreed(tmp_path) == day
        forget_answer(tmp_path)
        assert "The authority has named" in page.get("today").text
        other = (day + datetime.timedelta(1)).isoformat()
        for wrong in ("", "yes", other):
            assert press(page, "last-day/agree", last_day=wrong).status_code == 409
        press(page, "last-day/decline")
        today = page.get("today").text
        assert "Your answer is noted" in today
        assert "The authority has named" not in today
        assert "You have agreed to no last day" in today
        press(page, "last-day/agree", last_day=day.isoformat())
        assert agreed(tmp_path) == day
        assert press(page, "last-day/decline").status_code == 409
        with exclusive_use(tmp_path):
            end_home(tmp_path)
        for screen in ("today", "send", "more", "more/data", "more/settings"):
            shown = page.get(screen)
            assert shown.status_code == 200
            assert "Everything that truyvet held here is deleted" in shown.text
        assert page.get("join").status_code == 200
        assert {path.name for path in tmp_path.iterdir()} == {OVER_NAME}
