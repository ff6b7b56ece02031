"""Options that the commands of `truyvet server` share, and what they open."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from server.app.help import HELP
from tracing_core.commands import Option

if TYPE_CHECKING:
    from server.config import Settings
    from server.context import Server

__all__ = [
    "DATABASE",
    "agree",
    "counted",
    "home_option",
    "json_option",
    "load_home",
    "open_server",
    "open_until_the_end",
    "yes_option",
]

DATABASE = f"{__name__}.database"
"""Where the context of a command keeps the value of ``--database``."""

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def counted(number: int, one: str, many: str) -> str:
    """Return a number and what it counts."""
    return f"{number} {one if number == 1 else many}"


def _default_home() -> str:
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local/share")
    return str(Path(data) / "truyvet/server")


def _keep_database(ctx: click.Context, _: click.Parameter, url: str | None) -> None:
    ctx.meta[DATABASE] = url


def home_option(command: Decorated) -> Decorated:
    """Add ``--home`` and ``--database`` to a command."""
    command = click.option(
        "--database",
        cls=Option,
        metavar="URL",
        expose_value=False,
        callback=_keep_database,
        help=HELP["--database"],
    )(command)
    return click.option(
        "--home",
        cls=Option,
        metavar="DIR",
        envvar="TRUYVET_SERVER_HOME",
        default=_default_home,
        show_default="~/.local/share/truyvet/server",
        # The code that reads it reports what is wrong, in one line.
        type=click.Path(path_type=Path, file_okay=False, resolve_path=True, readable=False),
        help=HELP["--home"],
    )(command)


def json_option(command: Decorated) -> Decorated:
    """Add ``--json`` to a command."""
    option = click.option("--json", "as_json", cls=Option, is_flag=True, help=HELP["--json"])
    return option(command)


def yes_option(command: Decorated) -> Decorated:
    """Add ``--yes`` to a command."""
    return click.option("--yes", "is_agreed", cls=Option, is_flag=True, help=HELP["--yes"])(command)


def agree(consequence: str, *, is_agreed: bool) -> None:
    """Ask before something that cannot be undone; programs say ``--yes``."""
    if is_agreed:
        return
    click.echo(consequence, err=True)
    click.confirm("Go on?", abort=True, err=True)


def load_home(home: Path, **changes: Any) -> Settings:
    """Return the settings of a home folder, with the database that the command line names."""
    from server.config import load_settings

    url = click.get_current_context().meta.get(DATABASE)
    return load_settings(home, **changes, **({"database_url": url} if url else {}))


def open_server(home: Path) -> Server:
    """Open the server of a home folder, with the clock of the environment."""
    from server.context import Server
    from tracing_core.clock import clock_from_environment

    return Server.open(load_home(home), clock_from_environment())


def open_until_the_end(home: Path) -> Server:
    """Open a server for what is not done after its last day.

    Raises
    ------
    StoreError
        When the server cannot be opened, or its last day is over.
    """
    from server.operation.end_of_use import check_not_ended

    opened = open_server(home)
    check_not_ended(opened)
    return opened
