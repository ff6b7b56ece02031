"""The command `truyvet demo`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ble_agent.messages.language import LANGUAGES, default_language

__all__ = ["demo"]


@click.command()
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("truyvet-demo"),
    show_default=True,
    help="Folder for the picture, the air's trace and the answers.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Vary times and places.")
@click.option(
    "--lang",
    type=click.Choice(LANGUAGES),
    default=None,
    help="Language of what is printed and drawn.  [default: the system's]",
)
def demo(out: Path, seed: int, lang: str | None) -> None:
    """Play the whole story on this machine, in one to two minutes.

    A key server, a virtual Bluetooth air and the agents of four people run as separate processes.
    Some of the people meet. Two days later one of them tests positive and reports, and the others'
    agents find out by themselves. The exit code is 0 only if every agent's answer is true.
    """
    from ble_agent.demo.run import run

    sys.exit(run(out, seed, lang or default_language()))
