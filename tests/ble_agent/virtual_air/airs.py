"""A virtual air on a clock that tests move, and a bare host for what the radio never sends."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import SystemRandom
from typing import Any

from bumble import hci
from bumble.host import Host
from bumble.transport import open_transport

from ble_agent.air.agent import Agent
from ble_agent.air.encounter_log import EncounterLog
from ble_agent.air.key_ring import KeyRing
from ble_agent.air.schedule import Schedule
from ble_agent.radio.hci.radio import HciRadio
from ble_agent.radio.protocol import Heard, Radio
from ble_agent.store.database import open_store
from ble_agent.virtual_air.air import Air
from ble_agent.virtual_air.scenario import AirMode, Place, Scenario, Waypoint
from tracing_core.clock import ManualClock
from tracing_core.errors import RadioFault
from tracing_core.protocol.advertisement import Advertisement
from tracing_core.protocol.associated_encrypted_metadata import Metadata

START = 1_700_000_000.0


def random_advertisement() -> Advertisement:
    return Advertisement(secrets.token_bytes(16), secrets.token_bytes(4))


def standing(**metres: float) -> tuple[Place, ...]:
    """Controllers on a line, each so many metres along it."""
    return tuple(Place(name, (Waypoint(0.0, x, 0.0),)) for name, x in metres.items())


@contextlib.asynccontextmanager
async def air_of(
    *places: Place, trace: Path | None = None, mode: AirMode = AirMode.LEGACY, **settings: Any
) -> AsyncIterator[tuple[Air, ManualClock]]:
    clock = ManualClock(START)
    async with Air(Scenario(places, mode=mode, **settings), clock, trace=trace) as air:
        yield air, clock


def radio_on(air: Air, name: str, **options: Any) -> HciRadio:
    return HciRadio(air.transports[name], air.clock, **options)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 (any condition, in this or another process)
            await asyncio.sleep(0.001)


def sleepers(radio: Radio) -> int:
    """How many wait for the radio's clock, which tests move."""
    assert isinstance(radio.clock, ManualClock)
    return radio.clock.sleepers


async def begin_scan(
    radio: Radio, seconds: float, heard: Callable[[Heard], None] = lambda _: None
) -> asyncio.Task[None]:
    """Begin a scan; on return its time runs, or it has failed."""
    before = sleepers(radio)
    scan = asyncio.ensure_future(radio.scan(seconds, heard))
    await until(lambda: scan.done() or sleepers(radio) > before)
    return scan


async def scan_for(air: Air, radio: HciRadio, name: str, seconds: float) -> list[Heard]:
    """Scan for so many seconds of the air's clock, which this moves."""
    heard: list[Heard] = []
    scan = await begin_scan(radio, seconds, heard.append)
    assert name in air.scanning or scan.done()
    assert isinstance(air.clock, ManualClock)
    air.clock.advance(seconds)
    await scan
    return heard


async def pass_time(air: Air, seconds: float) -> None:
    assert isinstance(air.clock, ManualClock)
    air.clock.advance(seconds)
    air.advance()
    await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def agent_on(radio: Radio, home: Path) -> AsyncIterator[list[RadioFault | None]]:
    """Run an agent; yield what it tells of its radio."""
    told: list[RadioFault | None] = []
    with open_store(home) as db:
        agent = Agent(
            radio,
            KeyRing(db),
            EncounterLog(db, radio.clock),
            Schedule(SystemRandom()),
            Metadata(0),
            on_radio_change=told.append,
        )
        running = asyncio.create_task(agent.run())
        try:
            yield told
        finally:
            agent.stop()
            await asyncio.wait_for(running, 20)


@contextlib.asynccontextmanager
async def bare_host(air: Air, name: str) -> AsyncIterator[Host]:
    """Bumble's host on a controller, reset and ready for any command."""
    async with await open_transport(air.transports[name]) as (source, sink):
        host = Host(source, sink)
        await host.reset()
        yield host


async def status_of(host: Host, command: hci.HCI_SyncCommand[Any]) -> int:
    response = await host.send_command(command)
    assert isinstance(response, hci.HCI_Command_Complete_Event)
    return int(response.return_parameters.status)


async def advertise_bytes(host: Host, data: bytes) -> None:
    """Send any bytes by legacy commands, under a fixed address."""
    for command in (
        hci.HCI_LE_Set_Advertising_Enable_Command(advertising_enable=0),
        hci.HCI_LE_Set_Random_Address_Command(
            random_address=hci.Address("11:22:33:44:55:66", hci.Address.RANDOM_DEVICE_ADDRESS)
        ),
        hci.HCI_LE_Set_Advertising_Parameters_Command(
            advertising_interval_min=320,
            advertising_interval_max=320,
            advertising_type=3,
            own_address_type=1,
            peer_address_type=0,
            peer_address=hci.Address.ANY,
            advertising_channel_map=7,
            advertising_filter_policy=0,
        ),
        hci.HCI_LE_Set_Advertising_Data_Command(advertising_data=data),
        hci.HCI_LE_Set_Advertising_Enable_Command(advertising_enable=1),
    ):
        assert await status_of(host, command) == 0
