"""The command ``truyvet match-many``."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Iterator
from concurrent.futures import Executor
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

__all__ = ["match_many"]

_CONNECT_SECONDS = 10
_ADDRESS = re.compile(r"(tcp|tls|ws|wss|ucx)://\S+:\d+")


@click.command("match-many", cls=Command, help=HELP["match-many"])
@inputs("logs")
@click.option(
    "--out",
    cls=Option,
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help=HELP["--out"],
)
@matching_options("match-many")
@click.option(
    "--workers",
    cls=Option,
    metavar="N",
    type=click.IntRange(min=1),
    help=HELP["--workers"],
)
@click.option("--dask", cls=Option, metavar="ADDRESS", help=HELP["--dask"])
@click.option(
    "--memory",
    cls=Option,
    metavar="MIB",
    type=click.IntRange(min=1, max=1 << 20),
    default=512,
    show_default=True,
    help=HELP["--memory"],
)
@result_options("match-many")
def match_many(
    logs: Path,
    exports: tuple[Path, ...],
    out: Path,
    public_keys: tuple[Path, ...],
    risk: str | None,
    today: int | None,
    workers: int | None,
    dask: str | None,
    memory: int,
    as_json: bool,
    research: bool,
) -> None:
    """Match many logs."""
    # Imported here to keep --help fast.
    from matcher.many.matching import match_many as match_logs
    from matcher.many.result import check_new
    from matcher.notes import counted
    from matcher.risk import load_configuration
    from tracing_core.errors import InvalidLog

    if dask is not None and workers is not None:
        raise click.UsageError(HELP["dask or workers"].in_(language_of()))
    check_new(out)
    keys = [public_key(path) for path in public_keys]
    configuration = None if risk is None else load_configuration(risk)
    with _executor(dask) as executor, shown_progress() as progress:
        result = match_logs(
            logs.absolute(),
            exports,
            executor=executor,
            workers=workers,
            public_keys=keys,
            configuration=configuration,
            today=today,
            research=research,
            memory=memory << 20,
            shared=out.absolute().parent if dask else None,
            progress=progress,
        )
        result.write(out)
    summary = result.to_json() | {"out": str(out)}
    click.echo(json.dumps(summary, indent=2) if as_json else f"{result}\nTables are in {out}")
    if result.unusable_logs:
        named = counted(len(result.unusable_logs), "log")
        raise InvalidLog(f"{named} cannot be read and left out; first: {result.unusable_logs[0]}")


@contextlib.contextmanager
def _executor(address: str | None) -> Iterator[Executor | None]:
    """Yield a cluster's executor; None without an address."""
    if address is None:
        yield None
        return
    from tracing_core.errors import InvalidValue, require

    if not _ADDRESS.fullmatch(address):
        raise InvalidValue(f"{address!r:.80} is not a Dask scheduler address: use tcp://HOST:PORT")
    distributed = require("distributed", extra="cluster")
    # The client logs a lost connection and then raises it too: silence the log.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = distributed.Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidValue(
            f"no Dask scheduler answers at {address} ({reason:.160}): start one, or check --dask"
        ) from error
    try:
        if not client.scheduler_info()["workers"]:
            raise InvalidValue(f"the Dask cluster at {address} has no workers: start one")
        yield client.get_executor(pure=False)
    finally:
        client.close()
