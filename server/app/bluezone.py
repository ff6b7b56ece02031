"""The commands `truyvet server bluezone`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from server.app.help import HELP
from server.app.options import (
    agree,
    counted,
    home_option,
    json_option,
    open_server,
    open_until_the_end,
    yes_option,
)
from server.app.times import check_clock, local_time
from tracing_core.commands import Group
from tracing_core.errors import InvalidValue
from tracing_core.store.files import file_errors

__all__ = ["bluezone"]

_WITHDRAWN = (
    "Devices compare nothing more with the list. What they found stays with them for its 14 days:"
    " to correct it, publish a corrected list instead."
)


@click.group(cls=Group, help=HELP["bluezone"])
def bluezone() -> None:
    """Publish a list of Bluezone keys."""


@bluezone.command(help=HELP["bluezone publish"])
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, readable=False))
@home_option
@json_option
def publish(file: Path, home: Path, as_json: bool) -> None:
    """Publish a list."""
    from server.app.home import claim_folder
    from server.export.bluezone_list import publish_list
    from tracing_core.protocol.bluezone_list import MAX_LIST_BYTES

    with file_errors(file), file.open("rb") as opened_file:
        data = opened_file.read(MAX_LIST_BYTES + 1)
    opened = open_until_the_end(home)
    claim_folder(opened)
    check_clock(opened)
    try:
        made = publish_list(opened, opened.region, data)
    except InvalidValue as error:
        raise InvalidValue(f"{file}: {error}; nothing was published") from error
    leaves_at = made.last_second + opened.settings.retention_seconds
    if as_json:
        values = {"records": made.records, "sequence": made.sequence, "leaves_at": leaves_at}
        click.echo(json.dumps(values))
        return
    click.echo(f"{counted(made.records, 'record', 'records')} of Bluezone published")
    click.echo(f"The list leaves by itself at {local_time(leaves_at)}")


@bluezone.command(help=HELP["bluezone withdraw"])
@home_option
@yes_option
@json_option
def withdraw(home: Path, is_agreed: bool, as_json: bool) -> None:
    """Withdraw the list."""
    from server.app.home import claim_folder
    from server.export.bluezone_list import withdraw_list

    opened = open_server(home)
    claim_folder(opened)
    agree(_WITHDRAWN, is_agreed=is_agreed or as_json)
    was_published = withdraw_list(opened, opened.region)
    if as_json:
        click.echo(json.dumps({"withdrawn": was_published}))
    else:
        click.echo("The list is withdrawn." if was_published else "No list was published.")
