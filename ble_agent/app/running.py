"""The running agent: the radio's loop, with checks and cover reports alongside it."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from random import SystemRandom
from typing import Any

import click

from ble_agent.air.agent import Agent
from ble_agent.air.persistence import Persistence
from ble_agent.air.schedule import CONTINUOUS, ScanTiming, Schedule
from ble_agent.app.damage_note import damage_note
from ble_agent.authority.cover import CoverTraffic
from ble_agent.authority.link import ServerLink
from ble_agent.config import AgentConfig
from ble_agent.exposures.checker import Checker
from ble_agent.exposures.notifier import Notifier
from ble_agent.messages.catalogue import say
from ble_agent.owner.end import End
from ble_agent.radio.opening import open_radio
from ble_agent.radio.protocol import Radio
from ble_agent.service import notify
from ble_agent.store.home import finish_ending, is_over
from ble_agent.store.state import DamageState
from tracing_core.clock import Clock
from tracing_core.errors import StoreFull
from tracing_core.protocol.associated_encrypted_metadata import CalibrationConfidence, Metadata

__all__ = ["chosen_radio", "run"]

_logger = logging.getLogger(__name__)


def chosen_radio(config: AgentConfig, clock: Clock) -> Radio:
    """Return the radio that the settings name, not yet entered."""
    return open_radio(config.radio or "auto", clock, language=config.lang)


def run(config: AgentConfig, clock: Clock, *, named_home: str = "") -> None:
    """Run the agent until SIGTERM or SIGINT.

    Parameters
    ----------
    config
        The agent's settings.
    clock
        The agent's clock.
    named_home
        The home folder to name in commands that the owner is to type; "" for the usual one.
    """
    asyncio.run(_run(config, clock, named_home))
    notify("STOPPING=1")


async def _run(config: AgentConfig, clock: Clock, named_home: str) -> None:
    if is_over(config.home):
        _say_it_is_over(config)
        return
    radio = chosen_radio(config, clock)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if radio.clock is not clock:
        # A recording is from the past, so present key files and days have nothing to do with it.
        await _use(radio, config, stopping, [], is_recording=True)
        return
    end = End(ServerLink(config.home, clock, config.server), language=config.lang)
    while not (stopping.is_set() or is_over(config.home)):
        if end.is_reached():
            await end.wait(stopping)
        else:
            services = [*_services(config, clock, named_home), end.watch()]
            await _use(radio, config, stopping, services, is_recording=False)


def _say_it_is_over(config: AgentConfig) -> None:
    finish_ending(config.home)
    _logger.warning("%s", say("over_note", config.lang))
    # A service that ends before it is ready would be started again and again.
    notify("READY=1")


async def _use(
    radio: Radio,
    config: AgentConfig,
    stopping: asyncio.Event,
    services: list[Coroutine[Any, Any, None]],
    *,
    is_recording: bool,
) -> None:
    """Use the radio until the agent is stopped, a recording ends or a service has ended."""
    with Persistence(
        config.home,
        radio.clock,
        is_recording=is_recording,
        on_recovery=lambda damage: _warn_of_damage(damage, config.lang),
    ) as store:
        try:
            store.open()
        except StoreFull:
            # A recording can be replayed once there is space; what is on the air now cannot.
            if is_recording:
                raise
        agent = Agent(
            radio,
            store,
            store.log,
            Schedule(SystemRandom(), _timing(config)),
            Metadata(
                config.transmit_power_dbm,
                minor_version=1,
                calibration_confidence=CalibrationConfidence.LOW,
            ),
            language=config.lang,
            on_radio_change=lambda fault: store.note_radio(radio.name, fault),
        )
        await _run_beside(agent, [*services, _until(stopping)])


def _warn_of_damage(damage: DamageState | None, language: str) -> None:
    _logger.warning("%s", damage_note(damage, language, is_joined=False))


def _timing(config: AgentConfig) -> ScanTiming:
    if config.continuous_scan:
        return CONTINUOUS
    return ScanTiming(
        config.scan_seconds, config.least_scan_gap_seconds, config.most_scan_gap_seconds
    )


def _services(
    config: AgentConfig, clock: Clock, named_home: str
) -> list[Coroutine[Any, Any, None]]:
    """Return the services that run alongside the loop."""
    link = ServerLink(config.home, clock, config.server)
    notifier = Notifier(
        config.notify_command,
        is_desktop=config.notify_desktop,
        language=config.lang,
        home=named_home,
        quiet_minutes=config.quiet_minutes,
    )
    checker = Checker(
        link,
        SystemRandom(),
        language=config.lang,
        notifier=notifier,
        # Under a service manager this is the log, which must not hold days and strengths.
        show=_show if sys.stderr.isatty() else None,
    )
    services = [checker.run()]
    if config.cover_traffic:
        services.append(CoverTraffic(link, SystemRandom()).run())
    return services


async def _until(stopping: asyncio.Event) -> None:
    await stopping.wait()


def _show(text: str) -> None:
    click.echo(text, err=True)


async def _run_beside(agent: Agent, services: list[Coroutine[Any, Any, None]]) -> None:
    tasks = [asyncio.create_task(service) for service in services]
    for task in tasks:
        task.add_done_callback(lambda _: agent.stop())
    try:
        await agent.run()
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
