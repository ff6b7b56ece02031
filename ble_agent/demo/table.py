"""The table that ends the demo: the truth next to every agent's answer."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import click

from ble_agent.demo.play import Outcome
from ble_agent.demo.story import AFFECTED, NAMES
from ble_agent.demo.texts import day_text, demo_text, level_text, levels_text
from ble_agent.demo.truth import Truth
from ble_agent.messages.language import Text

__all__ = ["answer_in_words", "show_table", "truth_in_words"]


def truth_in_words(expected: Truth) -> Text:
    """Return what an agent should have answered."""
    if expected.day is None:
        return demo_text("never_heard")
    least, most = expected.least_minutes, expected.most_minutes
    minutes: object = least if least == most else demo_text("range", least=least, most=most)
    return demo_text(
        "expected",
        date=day_text(expected.day),
        levels=levels_text(expected.levels),
        minutes=minutes,
    )


def answer_in_words(outcome: Outcome) -> Text:
    """Return what an agent answered."""
    days = [
        demo_text(
            "answered",
            date=day_text(day["date"]),
            level=level_text(day["level"]),
            minutes=day["minutes"],
        )
        for day in outcome.answer["days"]
    ]
    if not days:
        return demo_text("nothing")
    return Text("; ".join(day.en for day in days), "; ".join(day.vi for day in days))


def _verdict(outcome: Outcome) -> Text:
    if outcome.fault is None:
        return demo_text("true")
    return demo_text("not_true", fault=outcome.fault)


def _rows(outcomes: Mapping[str, Outcome], language: str) -> list[tuple[str, ...]]:
    nothing = Text("", "")
    rows = [
        (
            nothing,
            demo_text("heading_air", name=NAMES[AFFECTED]),
            demo_text("heading_agent"),
            nothing,
        )
    ]
    rows += [
        (
            Text(NAMES[name], NAMES[name]),
            demo_text("tested_positive") if name == AFFECTED else truth_in_words(outcome.expected),
            answer_in_words(outcome),
            _verdict(outcome),
        )
        for name, outcome in outcomes.items()
    ]
    return [tuple(cell.in_(language) for cell in row) for row in rows]


def show_table(outcomes: Mapping[str, Outcome], language: str = "en") -> None:
    """Print the table, drawn by rich if it is installed and this is a terminal, else plain."""
    rows = _rows(outcomes, language)
    try:
        from rich.console import Console
        from rich.table import Table
    except ModuleNotFoundError:
        _show_plain(rows)
        return
    if not sys.stdout.isatty():
        _show_plain(rows)
        return
    table = Table(*rows[0])
    for row, outcome in zip(rows[1:], outcomes.values(), strict=True):
        colour = "green" if outcome.fault is None else "bold red"
        table.add_row(*row[:-1], f"[{colour}]{row[-1]}[/]")
    Console().print(table)


def _show_plain(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
