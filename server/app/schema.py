"""The command `truyvet server schema`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from server.app.help import HELP
from server.app.options import counted, home_option, json_option, open_server
from tracing_core.commands import Command

if TYPE_CHECKING:
    from server.operation.schema import TableFacts

__all__ = ["schema"]


@click.command(cls=Command, help=HELP["schema"])
@home_option
@json_option
def schema(home: Path, as_json: bool) -> None:
    """Show what the database holds."""
    from server.operation.schema import read_schema

    tables = read_schema(open_server(home).database)
    if as_json:
        click.echo(json.dumps({"tables": [each.to_json() for each in tables]}, ensure_ascii=False))
        return
    for each in tables:
        for line in _lines(each):
            click.echo(line)


def _lines(table: TableFacts) -> Iterator[str]:
    yield f"{table.name}: {counted(table.rows, 'row', 'rows')}"
    purpose = table.purpose
    if purpose is None:
        yield "  This version does not know what it is for."
    else:
        yield f"  {purpose.holds.en}"
        yield f"  What for: {purpose.why.en}"
        yield f"  How long: {purpose.kept.en}"
        yield f"  Who can read it: {purpose.readers.en}"
    for column in table.columns:
        if column.purpose is None:
            yield f"  - {column.name} ({column.type}): this version does not know what it is for."
            continue
        limit = column.purpose.limit.said()
        shown = f", {limit}" if limit else ""
        yield f"  - {column.name} ({column.type}{shown}): {column.purpose.holds.en}"
