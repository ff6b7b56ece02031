"""The command `truyvet match`."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

__all__ = ["match", "public_key", "shown_progress"]

_LARGEST_PEM = 1 << 16


def _warm_up(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    from tracing_core.errors import require

    require("numba", extra="matcher")
    from matcher.fast import compile_ahead

    kernel, folder = compile_ahead()
    where = (
        "nowhere, so each run compiles anew; set TRUYVET_CACHE_DIR" if folder is None else folder
    )
    click.echo(f"Kernel {kernel.name} is compiled and kept in {where}")
    ctx.exit()


@click.command("match")
@click.argument("log", type=click.Path(path_type=Path))
@click.argument(
    "exports", metavar="EXPORT...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--public-key",
    "public_keys",
    metavar="PEM",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Use only files that this key signed; give it again for several keys.",
)
@click.option(
    "--risk",
    metavar="PRESET|FILE",
    help="How exposures are weighed: enx, narrow-v1, narrow-v2 (the default), wide-v1, wide-v2,"
    " nz, or a JSON file.",
)
@click.option(
    "--today",
    metavar="YYYY-MM-DD",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day from which the age of exposures counts. [default: the log's last]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--research", is_flag=True, help="Also tell which keys matched, and when. Not for other eyes."
)
@click.option(
    "--threads",
    metavar="N",
    type=click.IntRange(1),
    help="How many work at once in a large job. [default: one a processor]",
)
@click.option(
    "--warm-up",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_warm_up,
    help="Compile what large jobs use, once a machine, and say where it is kept.",
)
def match(
    log: Path,
    exports: tuple[Path, ...],
    public_keys: tuple[Path, ...],
    risk: str | None,
    today: datetime | None,
    as_json: bool,
    research: bool,
    threads: int | None,
) -> None:
    """Match a log of sightings against published key files.

    LOG is an agent's database or JSON Lines, gzipped or not. EXPORT is a zip, an export.bin, a
    folder or an index of them. Nothing is written.
    """
    # Imported here, so that asking for help stays quick.
    from matcher.matching import match as match_files
    from matcher.risk import load_configuration

    keys = [public_key(path) for path in public_keys]
    configuration = None if risk is None else load_configuration(risk)
    with shown_progress() as progress:
        result = match_files(
            log,
            exports,
            public_keys=keys,
            configuration=configuration,
            today=None if today is None else int(today.replace(tzinfo=UTC).timestamp()) // 86400,
            research=research,
            threads=threads,
            progress=progress,
        )
    click.echo(json.dumps(result.to_json(), indent=2) if as_json else str(result))


def public_key(path: Path) -> EllipticCurvePublicKey:
    """Read a public key from a PEM file."""
    from tracing_core.errors import InvalidKey
    from tracing_core.export_file import load_public_key
    from tracing_core.sqlite import translated

    with translated(path), path.open("rb") as file:
        pem = file.read(_LARGEST_PEM)
    try:
        return load_public_key(pem)
    except InvalidKey as error:
        raise InvalidKey(f"{path}: {error}") from error


@contextlib.contextmanager
def shown_progress() -> Iterator[Callable[[str], None] | None]:
    """Show what goes on, if a person looks on and the library for it is there."""
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
