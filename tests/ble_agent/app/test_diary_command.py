"""The command `truyvet agent diary`, and the isolation clock in `status`."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ble_agent.agents import AgentProcess, clock_at
from tests.ble_agent.app.test_whom_it_concerns import NOW
from tests.ble_agent.fake_server import FakeServer, fake_server
from tracing_core.clock import local_date
from tracing_core.configuration.isolation import IsolationRules

RULES = IsolationRules.from_json(
    {"onset": {"days": 10}, "positive_test": {"days": 7, "negative_test_after": 5}}
)
TODAY = local_date(NOW)


def ago(days: int) -> str:
    return str(TODAY - datetime.timedelta(days))


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with fake_server(clock=clock_at(NOW)) as serving:
        serving.configure(2, isolation=RULES)
        yield serving


@pytest.fixture
def agent(tmp_path: Path, server: FakeServer) -> AgentProcess:
    process = AgentProcess(tmp_path / "home", clock_at(NOW))
    process.answer("join", server.line, "--yes")
    return process


def test_days_are_noted_shown_and_removed(agent: AgentProcess) -> None:
    assert agent.answer("diary")["entries"] == []
    assert agent.answer("diary")["isolation"]["rules"] is True
    noted = agent.answer("diary", "--sign", "fever", "--sign", "cough", "--met", "ill")
    assert noted["noted"] == ago(0)
    assert noted["entries"] == [
        {"day": ago(0), "signs": ["fever", "cough"], "met": ["ill"], "test": None}
    ]
    assert noted["onsets"] == [ago(0)]
    assert noted["isolation"]["days_left"] == 10
    earlier = agent.answer("diary", "--day", ago(2), "--sign", "throat")
    assert earlier["onsets"] == [ago(2)]
    assert earlier["isolation"]["last_day"] == ago(-8)
    lines = agent.command("diary").stdout.splitlines()
    assert lines[-2].endswith("8 days after today.")
    assert "Your symptoms began on" in lines[-1]
    assert agent.answer("diary", "--day", ago(2), "--remove")["removed"] == ago(2)
    assert agent.answer("diary", "--day", ago(2), "--remove")["removed"] is None
    assert len(agent.answer("diary", "--well")["entries"]) == 1
    assert agent.answer("diary")["isolation"]["isolating"] is False


def test_a_negative_test_ends_what_the_rules_say(agent: AgentProcess) -> None:
    tested = agent.answer("diary", "--day", ago(5), "--test", "positive")
    assert tested["isolation"]["days_left"] == 2
    status = agent.command("status").stdout
    assert "Isolate until the end of" in status
    assert agent.answer("status")["isolation"] == tested["isolation"]
    ended = agent.answer("diary", "--test", "negative")["isolation"]
    assert (ended["isolating"], ended["ended_on"], ended["ended_by_test"]) == (False, ago(1), True)
    assert "A negative test ended your isolation" in agent.command("status").stdout


@pytest.mark.parametrize(
    "asked",
    [
        ("--remove", "--well"),
        ("--well", "--sign", "fever"),
        ("--day", "2021-08-28"),
    ],
)
def test_options_that_contradict_each_other_change_nothing(
    agent: AgentProcess, asked: tuple[str, ...]
) -> None:
    assert "--well goes without --sign" in agent.refusal("diary", *asked)
    assert "--well không đi cùng --sign" in agent.refusal("diary", *asked, lang="vi")
    assert agent.answer("diary")["entries"] == []


@pytest.mark.parametrize("day", ["2021-8", "tomorrow", "2031-01-01", "1999-01-01"])
def test_other_days_are_refused(agent: AgentProcess, day: str) -> None:
    assert "no such day" in agent.refusal("diary", "--day", day, "--well")
    assert "no such day" in agent.refusal("report", "12345678", "--onset", day, "--yes")


def test_without_rules_it_says_so_and_counts_nothing(tmp_path: Path) -> None:
    with fake_server(clock=clock_at(NOW)) as server:
        agent = AgentProcess(tmp_path / "home", clock_at(NOW))
        agent.answer("join", server.line, "--yes")
        agent.answer("diary", "--sign", "fever")
        assert "has given no rules of isolation" in agent.command("diary").stdout
        assert "solat" not in agent.command("status").stdout
