"""The demo's ending in words: what was true, and what every agent told its owner."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import click

from ble_agent.demo.play import Outcome
from ble_agent.demo.story import AFFECTED, NAMES
from ble_agent.demo.truth import Truth

__all__ = ["show_table", "told_in_words", "truth_in_words"]

_HEADINGS = ("", f"near {NAMES[AFFECTED]}, says the air", "told by the agent", "")


def truth_in_words(expected: Truth) -> str:
    """Say what an agent ought to have said."""
    if expected.day is None:
        return "never heard"
    levels = " or ".join(sorted(expected.levels))
    least, most = expected.least_minutes, expected.most_minutes
    minutes = f"{least}" if least == most else f"{least} to {most}"
    return f"{expected.day}: {levels}, {minutes} minutes"


def told_in_words(outcome: Outcome) -> str:
    """Say what an agent said."""
    days = outcome.answer["days"]
    if not days:
        return "nothing was recorded"
    return "; ".join(f"{day['date']}: {day['level']}, {day['minutes']} minutes" for day in days)


def _rows(outcomes: Mapping[str, Outcome]) -> list[tuple[str, str, str, str]]:
    return [
        (
            NAMES[name],
            "tested positive" if name == AFFECTED else truth_in_words(outcome.expected),
            told_in_words(outcome),
            "true" if outcome.fault is None else f"WRONG: {outcome.fault}",
        )
        for name, outcome in outcomes.items()
    ]


def show_table(outcomes: Mapping[str, Outcome]) -> None:
    """Print the table, drawn by rich on a terminal that has it, else in plain columns."""
    rows = _rows(outcomes)
    try:
        from rich.console import Console
        from rich.table import Table
    except ModuleNotFoundError:
        _show_plain(rows)
        return
    if not sys.stdout.isatty():
        _show_plain(rows)
        return
    table = Table(*_HEADINGS)
    for row in rows:
        verdict = "green" if row[-1] == "true" else "bold red"
        table.add_row(*row[:-1], f"[{verdict}]{row[-1]}[/]")
    Console().print(table)


def _show_plain(rows: list[tuple[str, str, str, str]]) -> None:
    widths = [max(len(row[column]) for row in [_HEADINGS, *rows]) for column in range(4)]
    for row in [_HEADINGS, *rows]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
