"""Arguments and options that the commands for one log and for many logs share."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from matcher.cli.help import HELP
from tracing_core.commands import Option

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

__all__ = ["inputs", "matching_options", "public_key", "result_options", "shown_progress"]

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Input(click.Path):
    """A path that is read; an address is refused whole, for as a path it would lose a slash."""

    def __init__(self) -> None:
        # A file that cannot be read is reported in one line, with exit code 1, when it is opened.
        super().__init__(readable=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path.

        Raises
        ------
        InvalidValue
            When the value is an address.
        """
        if isinstance(value, str) and _ADDRESS.match(value):
            from tracing_core.errors import InvalidValue

            raise InvalidValue(_how_to_download(value))
        return super().convert(value, param, ctx)


def _how_to_download(address: str) -> str:
    shown = address if address.isprintable() else repr(address)
    if re.split("[?#]", address)[0].endswith((".txt", "/")):
        return f"{shown} is an address: download the key files that it lists, and give their folder"
    return f"{shown} is an address: download it first, as curl -fO does, and give the file"


def _day(_ctx: click.Context, _parameter: click.Parameter, date: datetime | None) -> int | None:
    """Return the days from the Unix epoch to a date."""
    return None if date is None else int(date.replace(tzinfo=UTC).timestamp()) // 86400


def _together(
    *decorators: Callable[[_Function], _Function],
) -> Callable[[_Function], _Function]:
    """Return one decorator that adds several arguments or options, in their order in the help."""

    def decorate(function: _Function) -> _Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def inputs(log: str) -> Callable[[_Function], _Function]:
    """Return the arguments: the log or logs, and the key files."""
    exports = click.argument("exports", metavar="EXPORT...", nargs=-1, required=True, type=_Input())
    return _together(click.argument(log, type=_Input()), exports)


def matching_options(command: str) -> Callable[[_Function], _Function]:
    """Return the options of a command that say which keys count, and how exposures are weighed."""
    return _together(
        click.option(
            "--public-key",
            "public_keys",
            cls=Option,
            metavar="KEY",
            multiple=True,
            type=_Input(),
            help=HELP["--public-key"],
        ),
        click.option("--risk", cls=Option, metavar="PRESET|FILE", help=HELP[f"{command} --risk"]),
        click.option(
            "--today",
            cls=Option,
            metavar="YYYY-MM-DD",
            type=click.DateTime(["%Y-%m-%d"]),
            callback=_day,
            help=HELP["--today"],
        ),
    )


def result_options(command: str) -> Callable[[_Function], _Function]:
    """Return the options of a command that say what is printed or written."""
    return _together(
        click.option("--json", "as_json", cls=Option, is_flag=True, help=HELP["--json"]),
        click.option("--research", cls=Option, is_flag=True, help=HELP[f"{command} --research"]),
    )


def public_key(path: Path) -> EllipticCurvePublicKey:
    """Read a public key from a file of any form."""
    from tracing_core.export_file import MAX_PUBLIC_KEY_BYTES, read_public_key
    from tracing_core.store.files import file_errors

    with file_errors(path), path.open("rb") as file:
        data = file.read(MAX_PUBLIC_KEY_BYTES + 1)
    return read_public_key(data, str(path)).public_key


@contextlib.contextmanager
def shown_progress() -> Iterator[Callable[[str], None] | None]:
    """Show progress on a terminal, if rich is installed; yield None otherwise."""
    if not sys.stderr.isatty():
        yield None
        return
    try:
        from rich.console import Console
    except ImportError:
        yield None
        return
    with Console(stderr=True).status("starting") as status:
        yield status.update
