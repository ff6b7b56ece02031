"""Twenty agents in one process on the virtual air, for an hour of a clock that waits for them.

The clock moves only when all of them sleep, so a busy machine only takes longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from ble_agent.air.agent import Agent
from ble_agent.air.encounter_log import EncounterLog
from ble_agent.air.key_ring import KeyRing
from ble_agent.air.schedule import Schedule
from ble_agent.radio.hci.radio import HciRadio
from ble_agent.store.database import open_store
from ble_agent.virtual_air.air import _TICK_REAL_SECONDS, Air
from ble_agent.virtual_air.scenario import AirMode, Place, Scenario, Waypoint
from tests.ble_agent.virtual_air.air_trace import Line, change_gaps, findings, read_trace, sent
from tracing_core.clock import ManualClock
from tracing_core.protocol.advertisement import Advertisement
from tracing_core.protocol.associated_encrypted_metadata import Metadata, encrypt_aem
from tracing_core.protocol.interval import interval_number
from tracing_core.protocol.rolling_proximity_identifier import rpis_of
from tracing_core.protocol.temporary_exposure_key import derive_aemk
from tracing_core.store.database import Database
from tracing_core.store.sighting import select_sightings

# Half an hour before UTC midnight, so that keys change too.
START = 20_000 * 86_400 - 1800.0
HOUR = 3600.0
AGENTS = 20
FORMS = (0x1A, 0x04, None)


class PatientClock(ManualClock):
    """A clock that knows who waits for it."""

    def __init__(self, now: float) -> None:
        super().__init__(now)
        self.sleeping = 0
        self._deadlines: list[float] = []

    async def sleep(self, seconds: float) -> None:
        if seconds == _TICK_REAL_SECONDS:  # the air itself, not an agent
            await super().sleep(seconds)
            return
        heapq.heappush(self._deadlines, self.monotonic() + seconds)
        self.sleeping += 1
        try:
            await super().sleep(seconds)
        finally:
            self.sleeping -= 1

    def next_wait(self) -> float:
        while self._deadlines[0] <= self.monotonic():
            heapq.heappop(self._deadlines)
        return self._deadlines[0] - self.monotonic()


@dataclass
class Device:
    """One agent with what it says of itself, and the form of its packets."""

    name: str
    db: Database
    flags: int | None
    metadata: Metadata
    agent: Agent


async def pass_an_hour(air: Air, clock: PatientClock, running: list[asyncio.Task[None]]) -> None:
    while clock.monotonic() < HOUR:
        async with asyncio.timeout(20):
            # No timer: whoever is awake has something to do in this loop.
            while clock.sleeping < AGENTS:
                await asyncio.sleep(0)
                assert not any(task.done() for task in running)
        clock.advance(clock.next_wait())
        air.advance()
        await asyncio.sleep(0)


def device_on(air: Air, number: int, db: Database) -> Device:
    name, flags = f"agent-{number}", FORMS[number % len(FORMS)]
    metadata = Metadata(-number)
    radio = HciRadio(air.transports[name], air.clock, flags=flags)
    log = EncounterLog(db, air.clock, random=Random(number))
    agent = Agent(radio, KeyRing(db), log, Schedule(Random(number)), metadata)
    return Device(name, db, flags, metadata, agent)


@pytest.mark.parametrize("mode", AirMode, ids=lambda mode: mode.value)
async def test_an_hour_of_twenty_agents(tmp_path: Path, mode: AirMode) -> None:
    clock = PatientClock(START)
    places = tuple(
        Place(f"agent-{number}", (Waypoint(0.0, 1.5 * number, number % 4),))
        for number in range(AGENTS)
    )
    scenario = Scenario(places, mode, path_loss_exponent=2.5)
    with contextlib.ExitStack() as stack:
        async with Air(scenario, clock, trace=tmp_path / "trace.jsonl") as air:
            devices = []
            for number in range(AGENTS):
                home = tmp_path / str(number)
                home.mkdir()
                devices.append(device_on(air, number, stack.enter_context(open_store(home))))
            running = [asyncio.create_task(device.agent.run()) for device in devices]
            await pass_an_hour(air, clock, running)
            for device in devices:
                device.agent.stop()
            await asyncio.gather(*running)
        trace = read_trace(tmp_path / "trace.jsonl")
        assert air.packets_dropped == 0
        # No address with two identifiers, no identifier with two addresses; 200 to 270 ms.
        assert findings(trace, gaps=(600, 1200)) == []
        check_packets(trace, devices)
        check_logs(scenario, devices, air.packets_heard)


def identifiers_of(device: Device) -> dict[bytes, tuple[int, Advertisement]]:
    """Every identifier the device may have sent: its interval, and with its metadata."""
    found = {}
    for tek in KeyRing(device.db).keys_to_report(START + HOUR):
        aemk = derive_aemk(tek.key_data)
        for interval, rpi in enumerate(rpis_of(tek), tek.rolling_start_interval_number):
            aem = encrypt_aem(aemk, rpi, device.metadata)
            found[rpi] = interval, Advertisement(rpi, aem)
    return found


def check_packets(trace: list[Line], devices: list[Device]) -> None:
    for device in devices:
        known = identifiers_of(device)
        assert len(known) == 2 * 144
        lines = sent(trace, device.name)
        assert 4 <= len(lines) <= 7
        assert all(600 <= gap <= 1200 for gap in change_gaps(trace, device.name))
        before = "" if device.flags is None else f"0201{device.flags:02x}"
        for line in lines:
            data = str(line["data"])
            interval, advertisement = known[bytes.fromhex(data[-40:-8])]
            body = advertisement.rpi.hex() + advertisement.aem.hex()
            assert data == f"{before}03036ffd17166ffd{body}"
            assert interval == interval_number(float(line["first"]))


def check_logs(scenario: Scenario, devices: list[Device], packets_heard: int) -> None:
    sender_of = {rpi: device.name for device in devices for rpi in identifiers_of(device)}
    place_of = {place.name: place for place in scenario.places}
    samples = 0
    pairs: Counter[tuple[str, str]] = Counter()
    for device in devices:
        for row in select_sightings(device.db):
            sender = sender_of[row.rpi]
            (x, y), (other_x, other_y) = place_of[device.name].at(0), place_of[sender].at(0)
            expected = scenario.signal_dbm(abs(complex(x - other_x, y - other_y)))
            assert all(abs(sample - expected) <= 1 for sample in row.rssi_dbm)
            assert START <= row.seen_at <= START + HOUR
            assert not row.clock_suspect
            samples += len(row.rssi_dbm)
            pairs[device.name, sender] += 1
    # Everybody heard everybody in each scan, and not one packet was lost on the way to the disk.
    assert len(pairs) == AGENTS * (AGENTS - 1)
    assert min(pairs.values()) >= HOUR // 300
    assert samples == packets_heard > 80_000
