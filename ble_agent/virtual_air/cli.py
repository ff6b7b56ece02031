"""The command `truyvet air`."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import click

from ble_agent.virtual_air.help import HELP
from tracing_core.commands import Command, Option
from tracing_core.errors import require
from tracing_core.store.files import refuse_existing

__all__ = ["air"]


@click.command(cls=Command, help=HELP["air"])
@click.argument("scenario", type=click.Path(path_type=Path, readable=False))
@click.option(
    "--trace",
    cls=Option,
    type=click.Path(path_type=Path, readable=False),
    help=HELP["--trace"],
)
@click.option("--force", cls=Option, is_flag=True, help=HELP["--force"])
@click.option("--host", cls=Option, default="127.0.0.1", show_default=True, help=HELP["--host"])
@click.option("--json", "as_json", cls=Option, is_flag=True, help=HELP["--json"])
def air(scenario: Path, trace: Path | None, force: bool, host: str, as_json: bool) -> None:
    """Serve the virtual Bluetooth controllers of a scenario."""
    require("bumble", extra="hci")
    if trace is not None and not force:
        refuse_existing(trace)
    asyncio.run(_serve(scenario, trace, host, as_json))


async def _serve(scenario: Path, trace: Path | None, host: str, as_json: bool) -> None:
    from ble_agent.virtual_air.air import Air
    from ble_agent.virtual_air.scenario import Scenario
    from tracing_core.clock import clock_from_environment

    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    virtual = Air(Scenario.read(scenario), clock_from_environment(), trace=trace, host=host)
    async with virtual:
        if as_json:
            click.echo(json.dumps({"controllers": virtual.transports, "start": virtual.start}))
        else:
            for name, transport in virtual.transports.items():
                click.echo(f"{name}: --radio hci:{transport}")
            click.echo("Press Ctrl-C to stop.")
        await stopped.wait()
