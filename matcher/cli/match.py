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
from tracing_core.commands import Command, Option, language_of

__all__ = ["match"]

# Written out here to keep --help fast.
_GAEN, _BLUEZONE = "gaen", "bluezone"


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
    "--protocol",
    cls=Option,
    type=click.Choice([_GAEN, _BLUEZONE]),
    metavar="NAME",
    default=_GAEN,
    show_default=True,
    help=HELP["--protocol"],
)
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
    protocol: str,
    threads: int | None,
) -> None:
    """Match a log."""
    if protocol == _BLUEZONE:
        without = {
            "--public-key": public_keys or None,
            "--risk": risk,
            "--today": today,
            "--threads": threads,
        }
        for option, value in without.items():
            if value is not None:
                text = HELP["only with gaen"].filled(language_of(), option=option)
                raise click.UsageError(text)
        _match_bluezone(log, exports, as_json=as_json, research=research)
        return
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


def _match_bluezone(log: Path, lists: tuple[Path, ...], *, as_json: bool, research: bool) -> None:
    from matcher.others.matching import match_bluezone

    result = match_bluezone(log, lists, research=research)
    click.echo(json.dumps(result.to_json(), indent=2) if as_json else str(result))
