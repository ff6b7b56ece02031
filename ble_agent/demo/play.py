"""The three acts: people meet, one of them reports, everybody's agent finds out by itself."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ble_agent.demo.processes import Processes
from ble_agent.demo.story import AFFECTED, NAMES, RATE, SECONDS, TRANSMIT_DBM, Story
from ble_agent.demo.texts import day_text, demo_text
from ble_agent.demo.truth import Truth, fault, truth
from ble_agent.messages.language import Text
from ble_agent.virtual_air.trace import Trace, read_trace
from tracing_core.clock import ScaledClock
from tracing_core.configuration.env2 import ExposureConfiguration

__all__ = ["Outcome", "Play"]

_DAY = 86_400
_MORNING = 2 * 3600
_START_SECONDS = 5.0
# By then the hour in which An reports lies two hours back, as the server wants it.
_UNTIL_EXPORT = 6 * 3600


def _two_days_ago() -> int:
    return int(time.time()) // _DAY * _DAY - 2 * _DAY + _MORNING


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _date(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).date().isoformat()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one agent said in the end, beside what it ought to have said."""

    expected: Truth
    answer: Mapping[str, Any]
    """What ``truyvet agent check --json`` printed."""
    fault: Text | None
    """What is wrong with the answer; None if it is true."""


@dataclass
class Play:
    """One run of the story, act by act: `meet`, `report`, `find_out`."""

    story: Story
    folder: Path
    """Where the homes, the logs and the trace of this run go; it must exist."""
    processes: Processes
    on_step: Callable[[Text], None]
    """Called at every step, with one line that says what happens."""
    began: int = field(default_factory=_two_days_ago)
    """When people set out (UTC Unix seconds of the story's clock): nine in the morning in Hà Nội,
    two days ago."""
    port: int = field(default_factory=_free_port)
    facts: dict[str, int] = field(default_factory=dict)
    """How many keys were reported, and how many files published."""

    def home(self, name: str) -> Path:
        """Return the folder of somebody's agent."""
        return self.folder / name

    @property
    def reported_at(self) -> int:
        """When the affected person reports (UTC Unix seconds of the story's clock)."""
        return self.began + 2 * _DAY

    @property
    def found_out_at(self) -> int:
        """When everybody's agent looks for new keys (UTC Unix seconds of the story's clock)."""
        return self.reported_at + _UNTIL_EXPORT

    def _set_clock(self, told: float, rate: float = 1.0, *, after: float = 0.0) -> None:
        """Give all further processes a clock that shows `told` so many real seconds from now."""
        self.processes.clock = ScaledClock(told=told, real=time.time() + after, rate=rate)

    async def _server(self, *arguments: str) -> Any:
        home = ("--home", str(self.folder / "server"))
        return await self.processes.run("server-command", "server", *arguments, *home, "--json")

    async def _agent(self, name: str, *arguments: str) -> Any:
        home = ("--home", str(self.home(name)), "--lang", "en")
        return await self.processes.run(f"{name}-command", "agent", *home, *arguments)

    async def _start_server(self) -> None:
        home = ("--home", str(self.folder / "server"), "--port", str(self.port), "--json")
        await self.processes.start_service("server", "server", "run", *home)

    async def _start_agents(self, act: str, scenario: str) -> Path:
        """Start the air and everybody's agent on it; return where the trace will be."""
        plan, trace = self.folder / f"{act}.toml", self.folder / f"{act}.trace.jsonl"
        plan.write_text(scenario)
        ready = await self.processes.start_service(
            "air", "air", str(plan), "--trace", str(trace), "--json"
        )
        for name, transport in ready["controllers"].items():
            home = ("--home", str(self.home(name)), "--lang", "en")
            await self.processes.start(name, "agent", *home, "run", "--radio", f"hci:{transport}")
        return trace

    async def meet(self) -> Trace:
        """Let everybody join, go out and meet; return what happened on the air."""
        # The clock stands before the story's beginning until every agent has started.
        self._set_clock(self.began - 600)
        self.on_step(demo_text("server_set_up"))
        url = f"http://127.0.0.1:{self.port}"
        made = await self._server("init", "--region", "VN", "--url", url)
        await self._start_server()
        self.on_step(demo_text("agents_join", names=", ".join(NAMES.values())))
        await asyncio.gather(*(self._agent(name, "join", made["join"], "--json") for name in NAMES))
        await self.processes.stop("server")
        self._set_clock(self.began, RATE, after=_START_SECONDS)
        await self._start_server()
        date = day_text(_date(self.began))
        self.on_step(demo_text("they_go_out", minutes=SECONDS // 60, date=date, rate=RATE))
        trace = await self._start_agents("meeting", self.story.scenario(self.began))
        assert self.processes.clock is not None
        left = (self.began + SECONDS - self.processes.clock.now()) / RATE
        await self.processes.watch(left)
        await self.processes.stop(*NAMES)
        await self.processes.stop("air", "server")
        return read_trace(trace)

    async def report(self) -> None:
        """Let the affected person test positive two days later, and report with a code."""
        self.on_step(demo_text("two_days_later", date=day_text(_date(self.reported_at))))
        self._set_clock(self.reported_at)
        await self._start_server()
        later = Story.apart(self.story.seed)
        await self._start_agents("later", later.scenario(self.reported_at))
        self.on_step(demo_text("tests_positive", name=NAMES[AFFECTED]))
        dates = ("--symptom-date", _date(self.began), "--test-date", _date(self.reported_at))
        issued = await self._server("issue", "--test-type", "confirmed", *dates)
        reported = await self._agent(AFFECTED, "report", issued["code"], "--yes", "--json")
        self.facts["keys"] = reported["reported_keys"]
        count = reported["reported_keys"]
        self.on_step(demo_text("agent_reports", name=NAMES[AFFECTED], count=count))
        await self.processes.stop(*NAMES)
        await self.processes.stop("air", "server")

    async def find_out(self) -> dict[str, Mapping[str, Any]]:
        """Let the server publish, and everybody's agent check; return what each one said."""
        self.on_step(demo_text("server_publishes", hours=_UNTIL_EXPORT // 3600))
        self._set_clock(self.found_out_at)
        await self._start_server()
        published = await self._server("export")
        self.facts["files"] = len(published["files"])
        self.on_step(demo_text("agents_match"))
        answers = await asyncio.gather(*(self._agent(name, "check", "--json") for name in NAMES))
        await self.processes.stop("server")
        return dict(zip(NAMES, answers, strict=True))

    def judge(self, trace: Trace, answers: Mapping[str, Mapping[str, Any]]) -> dict[str, Outcome]:
        """Hold every answer against what the air's trace says."""
        outcomes = {}
        for name, answer in answers.items():
            expected = truth(
                trace,
                name,
                AFFECTED,
                transmit_dbm=TRANSMIT_DBM,
                configuration=ExposureConfiguration.default(),
            )
            outcomes[name] = Outcome(expected, answer, fault(expected, answer))
        return outcomes
