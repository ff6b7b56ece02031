"""An agent that rests between two scans notices at once that its adapter is gone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from bumble.transport.common import Transport

from ble_agent.radio.hci.transport import open_hci
from ble_agent.virtual_air.air import Air
from ble_agent.virtual_air.scenario import AirMode
from tests.ble_agent.virtual_air.air_trace import findings, identifiers, read_trace
from tests.ble_agent.virtual_air.airs import (
    agent_on,
    air_of,
    pass_time,
    radio_on,
    random_advertisement,
    sleepers,
    standing,
    until,
)
from tracing_core.errors import RadioError, RadioFault


async def pass_minutes(air: Air, minutes: float) -> None:
    """Let the air's clock go on in steps, so that the agent acts in between."""
    for _ in range(round(60 * minutes)):
        await pass_time(air, 1.0)
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("mode", AirMode, ids=lambda mode: mode.value)
async def test_a_loss_between_scans_is_noticed_without_any_time_passing(
    mode: AirMode, tmp_path: Path
) -> None:
    trace = tmp_path / "trace.jsonl"
    async with air_of(*standing(an=0, binh=1), mode=mode, trace=trace) as (air, _):
        radio = radio_on(air, "an")
        async with agent_on(radio, tmp_path) as told:
            await pass_minutes(air, 1)
            assert told == [None]
            for lost in (1, 2):
                # Its scan of four seconds is over, and the next is minutes away.
                assert "an" not in air.scanning
                moment = air.clock.monotonic()
                air.disconnect("an")
                await until(lambda: told[-1] is not None)
                assert air.clock.monotonic() == moment
                assert told == [None, RadioFault.CONNECTION_LOST] * lost
                await pass_minutes(air, 1)
                assert told == [*[None, RadioFault.CONNECTION_LOST] * lost, None]
            await pass_minutes(air, 25)
            assert len(told) == 5
    lines = read_trace(trace)
    assert findings(lines) == []
    assert len(identifiers(lines, "an")) >= 3


async def test_an_adapter_that_is_away_for_long_is_looked_for_again_and_again(
    tmp_path: Path,
) -> None:
    is_away = False

    async def open_if_there(name: str, seconds: float) -> Transport:
        return await open_hci("tcp-client:127.0.0.1:1" if is_away else name, seconds)

    async with air_of(*standing(an=0)) as (air, _):
        radio = radio_on(air, "an", open_transport=open_if_there)
        async with agent_on(radio, tmp_path) as told:
            await pass_minutes(air, 1)
            is_away = True
            air.disconnect("an")
            await pass_minutes(air, 1)
            # After 2, 4, 8, 16 and 32 seconds, each a little late.
            assert told[1:] == [
                RadioFault.CONNECTION_LOST,
                *[RadioFault.NO_ADAPTER] * (len(told) - 2),
            ]
            assert len(told) in (5, 6, 7)
            is_away = False
            await pass_minutes(air, 2)
            assert told[-1] is None


async def test_the_one_who_rests_is_told_why() -> None:
    async with air_of(*standing(an=0)) as (air, _), radio_on(air, "an") as an:
        await an.rotate(random_advertisement())
        resting = asyncio.create_task(an.rest(1000.0))
        await until(lambda: sleepers(an) > 0)
        air.disconnect("an")
        with pytest.raises(RadioError, match="went away") as caught:
            await resting
        assert caught.value.reason is RadioFault.CONNECTION_LOST
        with pytest.raises(RadioError, match="went away"):
            await an.rest(0.0)


async def test_rest_is_as_long_as_was_asked_for() -> None:
    async with air_of(*standing(an=0)) as (air, _), radio_on(air, "an") as an:
        resting = asyncio.create_task(an.rest(10.0))
        await until(lambda: sleepers(an) > 0)
        await pass_time(air, 9.0)
        assert not resting.done()
        await pass_time(air, 1.0)
        await resting
