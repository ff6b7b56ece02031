"""The commands `truyvet server areas`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from server.app.help import HELP
from server.app.options import (
    agree,
    counted,
    home_option,
    json_option,
    open_until_the_end,
    yes_option,
)
from server.app.times import local_time
from tracing_core.commands import Group, Option
from tracing_core.errors import InvalidValue

if TYPE_CHECKING:
    from server.context import Server
    from tracing_core.trust.signed_areas import Area, AreaLevel, SignedAreas

__all__ = ["areas"]

_MOST_NAMED = 20
_WITHDRAWN = "Devices will show no level for any area, from their next check on."


@click.group(cls=Group, help=HELP["areas"])
def areas() -> None:
    """Publish the level of each area."""


@areas.command("set", help=HELP["areas set"])
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, readable=False))
@click.option(
    "--levels",
    "levels_file",
    cls=Option,
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, readable=False),
    help=HELP["--levels"],
)
@home_option
@json_option
def set_(file: Path, levels_file: Path | None, home: Path, as_json: bool) -> None:
    """Publish a list."""
    from server.areas.rules import current_areas, set_areas
    from server.areas.table import BadTable, read_areas

    opened = open_until_the_end(home)
    before = current_areas(opened, opened.region)
    try:
        levels = _levels(levels_file, before)
        found = read_areas(file, len(levels))
    except BadTable as error:
        for row in error.rows:
            click.echo(row, err=True)
        raise
    made = set_areas(opened, opened.region, levels, found)
    changes = _Changes(before.areas if before else (), made.areas)
    if as_json:
        click.echo(json.dumps({**_facts(opened, made), **changes.to_json()}))
        return
    for line in (*_summary(opened, made), *changes.lines()):
        click.echo(line)
    for line in _doubts(made):
        click.echo(line, err=True)


def _levels(file: Path | None, before: SignedAreas | None) -> tuple[AreaLevel, ...]:
    from server.areas.table import read_levels

    if file is not None:
        return read_levels(file)
    if before is None or not before.levels:
        raise InvalidValue(
            "the levels have no names yet: name them once with --levels FILE, a table with the"
            " columns level, vi and en"
        )
    return before.levels


class _Changes:
    """What differs from the list before."""

    def __init__(self, before: tuple[Area, ...], now: tuple[Area, ...]) -> None:
        old = {area.code: area for area in before}
        new = {area.code: area for area in now}
        self.added = [area for code, area in new.items() if code not in old]
        self.gone = [area for code, area in old.items() if code not in new]
        self.moved = [
            area for code, area in new.items() if code in old and old[code].level != area.level
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "new": [area.code for area in self.added],
            "gone": [area.code for area in self.gone],
            "changed": [area.code for area in self.moved],
        }

    def lines(self) -> Iterator[str]:
        yield (
            f"Compared with the list before: {len(self.added)} new, {len(self.gone)} gone,"
            f" {len(self.moved)} with another level"
        )
        for area in self.gone[:_MOST_NAMED]:
            yield f"  gone: {area.code} {area.name}"
        if self.gone:
            yield "Owners who had chosen an area that is gone are asked to choose again."


def _doubts(made: SignedAreas) -> Iterator[str]:
    lengths = {len(each.code) for each in made.areas if each.parent and each.code.isdigit()}
    if len(lengths) > 1:
        yield (
            f"The codes have from {min(lengths)} to {max(lengths)} digits: if the spreadsheet"
            " removed zeros in front, format that column as text and set the list again."
        )


def _facts(opened: Server, made: SignedAreas) -> dict[str, Any]:
    return {
        "region": opened.region,
        "sequence": made.sequence,
        "issued_at": made.issued_at,
        "areas": len(made.areas),
    }


def _summary(opened: Server, made: SignedAreas) -> Iterator[str]:
    top = sum(not area.parent for area in made.areas)
    parts = f"{top} at the top, {len(made.areas) - top} inside them"
    number = counted(len(made.areas), "area", "areas")
    yield f"{number} of {opened.region} ({parts}), set {local_time(made.issued_at)}"
    used = Counter(area.level for area in made.areas)
    for place, level in enumerate(made.levels, 1):
        yield f"  {place}: {used[place]}  {level.vi} / {level.en}"
    if used[0]:
        yield f"  no level: {used[0]}"


@areas.command(help=HELP["areas show"])
@home_option
@json_option
def show(home: Path, as_json: bool) -> None:
    """Show the list."""
    from server.areas.rules import current_areas

    opened = open_until_the_end(home)
    found = current_areas(opened, opened.region)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "region": opened.region,
                    "sequence": found.sequence if found else None,
                    "issued_at": found.issued_at if found else None,
                    "levels": [asdict(level) for level in found.levels] if found else [],
                    "areas": [asdict(area) for area in found.areas] if found else [],
                }
            )
        )
    elif found is None or not found.areas:
        click.echo("No areas are published.")
    else:
        for line in _summary(opened, found):
            click.echo(line)


@areas.command(help=HELP["areas clear"])
@home_option
@yes_option
@json_option
def clear(home: Path, is_agreed: bool, as_json: bool) -> None:
    """Withdraw the list."""
    from server.areas.rules import current_areas, set_areas

    opened = open_until_the_end(home)
    before = current_areas(opened, opened.region)
    # A signed empty list, so that devices see that the authority withdrew the levels. Its levels
    # stay named for the next list.
    if before is not None and before.areas:
        agree(_WITHDRAWN, is_agreed=is_agreed or as_json)
        set_areas(opened, opened.region, before.levels, ())
    count = len(before.areas) if before else 0
    if as_json:
        click.echo(json.dumps({"cleared": count}))
    else:
        click.echo(f"{counted(count, 'area', 'areas')} withdrawn")
