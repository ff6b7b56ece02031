"""The play in three acts: people meet, one of them reports, every agent finds out."""

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
# By then the hour in which An reports is two hours past, as the server requires.
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
    """An agent's answer, compared with the expected one."""

    expected: Truth
    answer: Mapping[str, Any]
    """Output of ``truyvet agent check --json``."""
    fault: Text | None
    """What is wrong with the answer; None if it is true."""


@dataclass
class Play:
    """One run of the story, act by act: `meet`, `report`, `find_out`."""

    story: Story
    folder: Path
    """Folder for the homes, the logs and the trace of this run; it must exist."""
    processes: Processes
    on_step: Callable[[Text], None]
    """Called at every step, with one line that says what happens."""
    began: int = field(default_factory=_two_days_ago)
    """Start of the story (UTC Unix seconds of its clock): nine in the morning in Hà Nội, two days
    ago."""
    port: int = field(default_factory=_free_port)
    facts: dict[str, int] = field(default_factory=dict)
    """Number of keys reported, and of files published."""

    def home(self, name: str) -> Path:
        """Return the home of a person's agent."""
        return self.folder / name

    @property
    def reported_at(self) -> int:
        """Time of the report (UTC Unix seconds of the story's clock)."""
        return self.began + 2 * _DAY

    @property
    def found_out_at(self) -> int:
        """Time of every agent's check (UTC Unix seconds of the story's clock)."""
        return self.reported_at + _UNTIL_EXPORT

    def _set_clock(self, shown: float, rate: float = 1.0, *, after: float = 0.0) -> None:
        """Give all further processes a clock that shows `shown` in `after` real seconds."""
        self.processes.clock = ScaledClock(shown=shown, real=time.time() + after, rate=rate)

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
        """Start the air and every agent on it, and return the path of the trace."""
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
        """Let all agents join and all people meet, and return what happened on the air."""
        # The clock is before the start of the story until every agent has started.
        self._set_clock(self.began - 600)
        self.on_step(demo_text("server_set_up"))
        url = f"http://127.0.0.1:{self.port}"
        made = await self._server("init", "--region", "VN", "--url", url)
        await self._start_server()
        self.on_step(demo_text("agents_join", names=", ".join(NAMES.values())))
        await asyncio.gather(
            *(self._agent(name, "join", made["join"], "--yes", "--json") for name in NAMES)
        )
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
        """Play the second act: two days later, one person tests positive and reports."""
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
        """Let the server publish and every agent check, and return the answers."""
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
        """Compare every answer with the air's trace."""
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
