"""Options that the commands for one log and for many logs share."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from matcher.cli.help import HELP
from tracing_core.commands import Option

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

__all__ = [
    "exports_argument",
    "json_option",
    "public_key",
    "public_keys_option",
    "shown_progress",
    "today_option",
]


def _day(_ctx: click.Context, _parameter: click.Parameter, date: datetime | None) -> int | None:
    """Return the days from the Unix epoch to a date."""
    return None if date is None else int(date.replace(tzinfo=UTC).timestamp()) // 86400


exports_argument = click.argument(
    "exports",
    metavar="EXPORT...",
    nargs=-1,
    required=True,
    # A file that cannot be read is reported in one line, with exit code 1, when it is opened.
    type=click.Path(path_type=Path, readable=False),
)
public_keys_option = click.option(
    "--public-key",
    "public_keys",
    cls=Option,
    metavar="KEY",
    multiple=True,
    type=click.Path(path_type=Path, readable=False),
    help=HELP["--public-key"],
)
today_option = click.option(
    "--today",
    cls=Option,
    metavar="YYYY-MM-DD",
    type=click.DateTime(["%Y-%m-%d"]),
    callback=_day,
    help=HELP["--today"],
)
json_option = click.option("--json", "as_json", cls=Option, is_flag=True, help=HELP["--json"])


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
