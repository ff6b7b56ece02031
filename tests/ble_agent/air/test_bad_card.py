"""Agents that start on a card that is full or can only be read, and mend themselves."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.ble_agent.agents import AgentProcess, air_process, clock_at, side_by_side
from tests.ble_agent.cards import can_mount, card
from tests.ble_agent.fake_server import FakeServer
from tests.ble_agent.virtual_air.air_trace import read_trace, sent
from tracing_core.clock import Clock
from tracing_core.store.sighting import read_json_lines

START = 1_800_000_000.0
RATE = 120.0

needs_a_card = pytest.mark.skipif(not can_mount(), reason="no name spaces for this user here")


def wait(condition: Callable[[], bool], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


def joined(home: Path, server: FakeServer, clock: Clock, prefix: tuple[str, ...]) -> AgentProcess:
    agent = AgentProcess(home, clock, prefix=prefix)
    agent.answer("join", server.line, "--yes")
    return agent


def start_badly(agent: AgentProcess, radio: str) -> None:
    agent.start(radio)
    wait(lambda: "nothing is sent until then" in agent.log(), agent.log)


def mended(agent: AgentProcess, mend: Callable[[], None]) -> None:
    mend()
    wait(lambda: "the disk can be written to again" in agent.log(), agent.log)


def heard(agent: AgentProcess, folder: Path) -> list[int]:
    """Return the moments of all that is in the agent's log."""
    agent.answer("export", "--force", str(folder / "an.jsonl"))
    return [row.seen_at for row in read_json_lines(folder / "an.jsonl")]


def live_through(
    agent: AgentProcess,
    folder: Path,
    spoil: Callable[[], None],
    mend: Callable[[], None],
    meanwhile: Callable[[], None],
) -> None:
    """Run an agent twice beside a healthy one: once, and then from a bad start on."""
    clock = agent.clock
    assert clock is not None
    with (
        air_process(side_by_side("an", "binh"), folder, clock) as (radios, trace_file),
        AgentProcess(folder / "binh", clock) as binh,
        agent as an,
    ):
        binh.start(radios["binh"])
        an.start(radios["an"])
        # It sends before it listens, so a scan that is written comes after what it sends first.
        wait(lambda: an.answer("status")["last_scan_minutes_ago"] is not None, an.log)
        assert an.stop() == 0
        stopped_at = clock.now()
        spoil()
        an.start(radios["an"])
        wait(lambda: an.log().count("kept in memory until then") >= 2, an.log)
        meanwhile()
        mended_at = clock.now()
        mended(an, mend)
        recovered_at = clock.now()
        # The next scan writes what came before.
        time.sleep(700 / RATE)
        wait(lambda: max(heard(agent, folder)) > recovered_at, an.log)
        assert an.stop() == 0
        assert binh.stop() == 0
    moments = [line["first"] for line in sent(read_trace(trace_file), "an")]
    assert [moment for moment in moments if moment < stopped_at]
    assert not [moment for moment in moments if stopped_at <= moment < mended_at]
    assert [moment for moment in moments if moment >= mended_at]
    moments = heard(agent, folder)
    assert [moment for moment in moments if stopped_at + RATE < moment < mended_at]
    assert [moment for moment in moments if moment > recovered_at]


@needs_a_card
@pytest.mark.parametrize("fault", ["read-only", "full"])
def test_an_agent_starts_on_a_bad_card_listens_and_mends_itself(
    tmp_path: Path, server: FakeServer, fault: str
) -> None:
    clock = clock_at(START, rate=RATE)
    with card(tmp_path / "card") as its:
        agent = joined(its.folder / "home", server, clock, its.prefix)
        spoil, mend = (
            (its.make_read_only, its.make_writable)
            if fault == "read-only"
            else (its.fill, its.make_room)
        )

        def meanwhile() -> None:
            facts = agent.answer("status")
            by_name = {check["name"]: check for check in facts["checks"]}
            assert facts["joined"]
            assert facts["running"]
            assert not by_name["disk"]["ok"]
            told = "make room" if fault == "full" else "check or replace the card"
            assert told in by_name["disk"]["text"]
            server.asked.clear()
            words = {
                ("read-only", "en"): "can only be read: check or replace it",
                ("read-only", "vi"): "đĩa chỉ cho phép đọc",
                ("full", "en"): "is full: free some space",
                ("full", "vi"): "đĩa đã đầy hoặc không ghi được",
            }
            refused = {"en": [["report", "12345678", "--yes"]], "vi": [["report", "1", "--yes"]]}
            if fault == "read-only":
                # What little these write may still find room on a full card.
                refused["en"] += [["check"], ["join", server.line, "--yes"]]
            for lang, commands in refused.items():
                for command in commands:
                    assert words[fault, lang] in agent.refusal(*command, lang=lang)
            # A code that was shown to the server is used up.
            assert not [path for _, path, _ in server.asked if path.startswith("/api/")]

        live_through(agent, tmp_path, spoil, mend, meanwhile)


def test_an_agent_starts_where_nothing_can_be_written(tmp_path: Path, server: FakeServer) -> None:
    """The same for those who may not mount: every write beyond a page meets the kernel's EFBIG."""
    agent = joined(tmp_path / "an", server, clock_at(START, rate=RATE), ())

    def spoil() -> None:
        agent.prefix = ("prlimit", "--fsize=4096:")

    def mend() -> None:
        assert agent.process is not None
        subprocess.run(["prlimit", f"--pid={agent.process.pid}", "--fsize=unlimited:"], check=True)
        agent.prefix = ()

    live_through(agent, tmp_path, spoil, mend, lambda: None)


@needs_a_card
def test_a_first_start_on_a_card_that_can_only_be_read_is_waited_out(
    tmp_path: Path, server: FakeServer
) -> None:
    clock = clock_at(START, rate=RATE)
    with (
        card(tmp_path / "card") as its,
        air_process(side_by_side("an"), tmp_path, clock) as (radios, trace_file),
        AgentProcess(its.folder / "home", clock, prefix=its.prefix) as an,
    ):
        its.make_read_only()
        start_badly(an, radios["an"])
        assert "run truyvet agent join --home" in an.refusal("status")
        mended(an, its.make_writable)
        assert an.answer("status")["running"]
        assert an.stop() == 0
    assert sent(read_trace(trace_file), "an")


@needs_a_card
def test_what_a_killed_agent_left_is_read_on_a_card_that_can_only_be_read(
    tmp_path: Path, server: FakeServer
) -> None:
    clock = clock_at(START, rate=RATE)
    with (
        card(tmp_path / "card") as its,
        air_process(side_by_side("an"), tmp_path, clock) as (radios, _),
        joined(its.folder / "home", server, clock, its.prefix) as an,
    ):
        an.start(radios["an"])
        wait(lambda: an.answer("status")["keys"] == 1, an.log)
        an.kill()
        its.make_read_only()
        facts = an.answer("status")
        assert (facts["keys"], facts["joined"], facts["running"]) == (1, True, False)
        start_badly(an, radios["an"])
        mended(an, its.make_writable)
        assert an.stop() == 0
