"""One run of the demo, from the first process to the picture."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.util
import json
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from ble_agent.demo.picture import Picture, Told
from ble_agent.demo.play import Outcome, Play
from ble_agent.demo.processes import Processes
from ble_agent.demo.story import AFFECTED, NAMES, SECONDS, Story
from ble_agent.demo.table import show_table
from ble_agent.virtual_air.trace import Trace
from tracing_core.errors import MissingExtra, StoreError, TracingError

__all__ = ["conclude", "run"]

_LIBRARIES = ("bumble", "httpx2", "fastapi", "uvicorn", "sqlalchemy", "obstore")


def run(out: Path, seed: int) -> int:
    """Play the story of a seed and leave the picture, the trace and the answers in a folder.

    Returns
    -------
    int
        0 if every agent's answer is true, else 1.

    Raises
    ------
    TracingError
        When a process of the story fails; its log is then in the folder too.
    """
    for library in _LIBRARIES:
        if importlib.util.find_spec(library) is None:
            raise MissingExtra(f"{library} is not installed: pip install 'truyvet[all]'")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{out} cannot be used: {error.strerror}") from error
    start = time.monotonic()

    def say(line: str) -> None:
        click.echo(f"{time.monotonic() - start:5.1f} s  {line}")

    with tempfile.TemporaryDirectory(prefix="truyvet-demo-") as name:
        folder = Path(name)
        try:
            play, trace, outcomes = asyncio.run(_play(folder, seed, say))
        except TracingError:
            shutil.copytree(folder / "logs", out / "logs", dirs_exist_ok=True)
            raise
        shutil.copy(folder / "meeting.trace.jsonl", out / "trace.jsonl")
        shutil.copy(folder / "meeting.toml", out / "scenario.toml")
    return conclude(out, play, trace, outcomes)


async def _play(
    folder: Path, seed: int, say: Callable[[str], None]
) -> tuple[Play, Trace, dict[str, Outcome]]:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Cancelling unwinds to where the processes are ended.
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        async with Processes(folder / "logs") as processes:
            play = Play(Story.tell(seed), folder, processes, say)
            trace = await play.meet()
            await play.report()
            answers = await play.find_out()
            return play, trace, play.judge(trace, answers)
    except asyncio.CancelledError as error:
        raise TracingError("the demo was stopped; its processes have ended") from error


def _told(outcome: Outcome) -> Told:
    days = outcome.answer["days"]
    lines: tuple[str, ...] = ("Nothing was recorded",)
    if days:
        day = days[0]
        lines = (f"Risk: {day['level']}", f"on {day['date']}", f"about {day['minutes']} minutes")
    return Told(outcome.answer["level"], lines, outcome.fault is None)


def _draw(play: Play, trace: Trace, outcomes: Mapping[str, Outcome]) -> str:
    date = datetime.fromtimestamp(play.began, UTC)
    return Picture(
        play.story,
        trace,
        began=play.began,
        told={name: _told(outcome) for name, outcome in outcomes.items()},
        steps=[
            ("two days later", f"{NAMES[AFFECTED]} tests positive and gets a code"),
            ("with that code", f"{NAMES[AFFECTED]}'s agent reports {play.facts['keys']} keys"),
            ("six hours later", "the server publishes a signed batch"),
            ("at home", "every agent verifies and matches it"),
        ],
        title="Who was near whom, and what their agents told them",
        subtitle=f"{date:%-d %B %Y}, {SECONDS // 60} minutes: where the people of the story went,"
        " and what the virtual air let their agents hear",
    ).svg()


def conclude(out: Path, play: Play, trace: Trace, outcomes: Mapping[str, Outcome]) -> int:
    """Write the picture and the answers, print the table, and return the exit code."""
    picture, answers = out / "encounters.svg", out / "answers.json"
    try:
        picture.write_text(_draw(play, trace, outcomes), encoding="utf-8")
        found = {
            name: {
                "true": outcome.fault is None,
                "fault": outcome.fault,
                "expected": dataclasses.asdict(outcome.expected)
                | {"levels": sorted(outcome.expected.levels)},
                "answer": outcome.answer,
            }
            for name, outcome in outcomes.items()
        }
        answers.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{out} cannot be written: {error.strerror}") from error
    click.echo()
    show_table(outcomes)
    click.echo()
    click.echo(f"the picture is {picture}, every answer in {answers}")
    wrong = [NAMES[name] for name, outcome in outcomes.items() if outcome.fault is not None]
    if wrong:
        click.echo(f"wrong: {', '.join(wrong)}", err=True)
        return 1
    click.echo("every agent's answer is true")
    return 0
