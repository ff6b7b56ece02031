"""The command `truyvet demo`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ble_agent.demo.help import HELP
from tracing_core.commands import Command, Option, language_of
from tracing_core.texts import LANGUAGES

__all__ = ["demo"]


@click.command(cls=Command, help=HELP["demo"])
@click.option(
    "--out",
    cls=Option,
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("truyvet-demo"),
    show_default=True,
    help=HELP["--out"],
)
@click.option("--seed", cls=Option, type=int, default=1, show_default=True, help=HELP["--seed"])
@click.option(
    "--lang",
    cls=Option,
    type=click.Choice(LANGUAGES),
    default=None,
    help=HELP["--lang"],
)
def demo(out: Path, seed: int, lang: str | None) -> None:
    """Play the whole story on this machine."""
    from ble_agent.demo.run import run

    sys.exit(run(out, seed, lang or language_of()))
