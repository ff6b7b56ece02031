"""The command `truyvet server trust`: what devices trust, and the last day."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from server.app.help import HELP
from server.app.options import agree, home_option, json_option, open_until_the_end, yes_option
from server.app.times import LAST_DAY
from tracing_core.commands import Command, Option
from tracing_core.errors import InvalidValue

if TYPE_CHECKING:
    from server.context import Server

__all__ = ["trust"]


@click.command(cls=Command, help=HELP["trust"])
@home_option
@click.option(
    "--last-day", cls=Option, metavar="YYYY-MM-DD", type=LAST_DAY, help=HELP["--last-day of trust"]
)
@yes_option
@json_option
def trust(home: Path, last_day: date | None, is_agreed: bool, as_json: bool) -> None:
    """Show what devices trust, and name the last day once."""
    opened = open_until_the_end(home)
    if last_day is not None:
        question = (
            f"The last day becomes {last_day} and is fixed. After it, this server and the devices"
            " that agree to it stop, and delete everything."
        )
        agree(question, is_agreed=is_agreed or as_json)
        _name(opened, last_day)
    facts = _facts(opened)
    click.echo(json.dumps(facts) if as_json else _text(facts, home))


def _name(server: Server, last_day: date) -> None:
    from server.trust.chain import add_last_day
    from tracing_core.trust.last_day import read_last_day

    now = server.clock.now()
    try:
        read_last_day(last_day.isoformat(), now)
    except InvalidValue as error:
        # What is wrong with the day concerns the option, not a document.
        raise InvalidValue(str(error).replace("last_day", "--last-day", 1)) from error
    add_last_day(server.keys, server.region, last_day, now)


def _facts(server: Server) -> dict[str, Any]:
    from server.trust.chain import chain_last_day

    manifest = server.keys.manifest()
    last_day = chain_last_day(manifest)
    return {
        "fingerprint": manifest.fingerprint,
        "documents": len(manifest.documents),
        "last_day": None if last_day is None else last_day.isoformat(),
    }


def _text(facts: dict[str, Any], home: Path) -> str:
    missing = f"none; name it once: truyvet server trust --last-day YYYY-MM-DD --home {home}"
    return (
        f"Fingerprint in the join line: {facts['fingerprint']}\n"
        f"Trust documents:              {facts['documents']}\n"
        f"Last day (UTC):               {facts['last_day'] or missing}"
    )
