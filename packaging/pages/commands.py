"""The page of commands: the help of every command, in English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
from click.testing import CliRunner

from tracing_core.cli import truyvet

__all__ = ["page"]

_WIDTH = 100
_TEMPLATE = Path(__file__).with_name("commands.md")


def page() -> str:
    """Return the page."""
    sections = [
        f"{'##' if len(words) < 2 else '###'} {' '.join(('truyvet', *words))}\n\n"
        f"```text\n{_help(words)}```"
        for words in _commands(truyvet, ())
    ]
    return _TEMPLATE.read_text().replace("<!-- COMMANDS -->", "\n\n".join(sections))


def _commands(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield words
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            if not below.hidden:
                yield from _commands(below, (*words, name))


def _help(words: tuple[str, ...]) -> str:
    runner = CliRunner(env={"TRUYVET_LANG": "en"})
    result = runner.invoke(
        truyvet,
        [*words, "--help"],
        prog_name="truyvet",
        terminal_width=_WIDTH,
        catch_exceptions=False,
    )
    # Blank lines may end in blanks in one version of click and not in another.
    return re.sub(r"[ \t]+$", "", result.output, flags=re.MULTILINE)
