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

from ble_agent.demo.picture import Card, Picture
from ble_agent.demo.play import Outcome, Play
from ble_agent.demo.processes import Processes
from ble_agent.demo.story import AFFECTED, NAMES, SECONDS, Story
from ble_agent.demo.table import show_table
from ble_agent.demo.texts import day_text, demo_text, level_text
from ble_agent.messages.language import Text
from ble_agent.virtual_air.trace import Trace
from tracing_core.errors import MissingExtra, StoreError, TracingError

__all__ = ["conclude", "run"]

_LIBRARIES = ("bumble", "httpx2", "fastapi", "uvicorn", "sqlalchemy", "obstore")


def run(out: Path, seed: int, language: str = "en") -> int:
    """Play the story of a seed, and write the picture, the trace and the answers to a folder.

    Returns
    -------
    int
        0 if every agent's answer is true, otherwise 1.

    Raises
    ------
    TracingError
        When a process of the story fails; the logs are then in the folder too.
    """
    for library in _LIBRARIES:
        if importlib.util.find_spec(library) is None:
            raise MissingExtra(library, extra="all")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fault = demo_text("folder_unusable", folder=out, reason=error.strerror)
        raise StoreError(fault.in_(language)) from error
    start = time.monotonic()

    def on_step(step: Text) -> None:
        click.echo(f"{time.monotonic() - start:5.1f} s  {step.in_(language)}")

    with tempfile.TemporaryDirectory(prefix="truyvet-demo-") as name:
        folder = Path(name)
        try:
            play, trace, outcomes = asyncio.run(_play(folder, seed, on_step, language))
        except TracingError:
            shutil.copytree(folder / "logs", out / "logs", dirs_exist_ok=True)
            raise
        shutil.copy(folder / "meeting.trace.jsonl", out / "trace.jsonl")
        shutil.copy(folder / "meeting.toml", out / "scenario.toml")
    return conclude(out, play, trace, outcomes, language)


async def _play(
    folder: Path, seed: int, on_step: Callable[[Text], None], language: str
) -> tuple[Play, Trace, dict[str, Outcome]]:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Cancelling leaves the context manager that ends the processes.
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        async with Processes(folder / "logs") as processes:
            play = Play(Story.tell(seed), folder, processes, on_step)
            trace = await play.meet()
            await play.report()
            answers = await play.find_out()
            return play, trace, play.judge(trace, answers)
    except asyncio.CancelledError as error:
        raise TracingError(demo_text("stopped").in_(language)) from error


def _card(outcome: Outcome, language: str) -> Card:
    days = outcome.answer["days"]
    lines = [demo_text("card_nothing")]
    if days:
        day = days[0]
        lines = [
            demo_text("card_risk", level=level_text(day["level"])),
            demo_text("card_date", date=day_text(day["date"])),
            demo_text("card_minutes", minutes=day["minutes"]),
        ]
    words = tuple(line.in_(language) for line in lines)
    return Card(outcome.answer["level"], words, outcome.fault is None)


def _steps(play: Play) -> list[tuple[Text, Text]]:
    values = {"name": NAMES[AFFECTED], "count": play.facts["keys"]}
    return [
        (demo_text(f"step_{number}"), demo_text(f"step_{number}_what", **values))
        for number in range(1, 5)
    ]


def _draw(play: Play, trace: Trace, outcomes: Mapping[str, Outcome], language: str) -> str:
    began = datetime.fromtimestamp(play.began, UTC)
    month = Text(f"{began:%B}", str(began.month))
    date = demo_text("date", day=began.day, month=month, year=began.year)
    return Picture(
        play.story,
        trace,
        began=play.began,
        cards={name: _card(outcome, language) for name, outcome in outcomes.items()},
        steps=[(when.in_(language), what.in_(language)) for when, what in _steps(play)],
        title=demo_text("title").in_(language),
        subtitle=demo_text("subtitle", date=date, minutes=SECONDS // 60).in_(language),
        language=language,
    ).svg()


def conclude(
    out: Path,
    play: Play,
    trace: Trace,
    outcomes: Mapping[str, Outcome],
    language: str = "en",
) -> int:
    """Write the picture and the answers, print the table, and return the exit code."""
    picture, answers = out / "encounters.svg", out / "answers.json"
    try:
        picture.write_text(_draw(play, trace, outcomes, language), encoding="utf-8")
        found = {
            name: {
                "true": outcome.fault is None,
                "fault": None if outcome.fault is None else outcome.fault.en,
                "expected": dataclasses.asdict(outcome.expected)
                | {"levels": sorted(outcome.expected.levels)},
                "answer": outcome.answer,
            }
            for name, outcome in outcomes.items()
        }
        answers.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        fault = demo_text("folder_unwritable", folder=out, reason=error.strerror)
        raise StoreError(fault.in_(language)) from error
    click.echo()
    show_table(outcomes, language)
    click.echo()
    click.echo(demo_text("files", picture=picture, answers=answers).in_(language))
    wrong = [NAMES[name] for name, outcome in outcomes.items() if outcome.fault is not None]
    if wrong:
        click.echo(demo_text("wrong", names=", ".join(wrong)).in_(language), err=True)
        return 1
    click.echo(demo_text("all_true").in_(language))
    return 0
