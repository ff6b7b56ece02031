"""The command ``truyvet match``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from matcher.cli.help import HELP
from matcher.cli.options import (
    inputs,
    matching_options,
    public_key,
    result_options,
    shown_progress,
)
from tracing_core.commands import Command, Option

__all__ = ["match"]


def _warm_up(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    from matcher.kernels.choice import require_numba

    require_numba()
    from matcher.columns.warm_up import compile_ahead

    kernel, folder = compile_ahead()
    if folder is None:
        kept = "not kept, because no cache folder can be written: set TRUYVET_CACHE_DIR"
    else:
        kept = f"kept in {folder}"
    click.echo(f"Kernel {kernel.name} is compiled and {kept}")
    ctx.exit()


@click.command("match", cls=Command, help=HELP["match"])
@inputs("log")
@matching_options("match")
@result_options("match")
@click.option(
    "--threads",
    cls=Option,
    metavar="N",
    type=click.IntRange(1),
    help=HELP["--threads"],
)
@click.option(
    "--warm-up",
    cls=Option,
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_warm_up,
    help=HELP["--warm-up"],
)
def match(
    log: Path,
    exports: tuple[Path, ...],
    public_keys: tuple[Path, ...],
    risk: str | None,
    today: int | None,
    as_json: bool,
    research: bool,
    threads: int | None,
) -> None:
    """Match a log."""
    # Imported here to keep --help fast.
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
            today=today,
            research=research,
            threads=threads,
            progress=progress,
        )
    click.echo(json.dumps(result.to_json(), indent=2) if as_json else str(result))
