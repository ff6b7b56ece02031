"""`truyvet air` as a process, and agents' radios as others."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ble_agent.radio.hci.radio import HciRadio
from ble_agent.radio.protocol import Heard
from ble_agent.virtual_air.air import Air
from ble_agent.virtual_air.scenario import Place, Scenario, Waypoint
from tests.ble_agent.virtual_air.air_trace import findings, heard, identifiers, read_trace, sent
from tests.ble_agent.virtual_air.airs import random_advertisement, until
from tracing_core.clock import ScaledClock

SCENARIO = """
[air]
mode = "{mode}"
noise_db = 2.0

[[controller]]
name = "an"

[[controller]]
name = "binh"
path = [[0, 1.5, 0]]
"""
TRUYVET = [sys.executable, "-c", "from tracing_core.cli import main; main()"]
# Sends one identifier after another for ever, as an agent whose loop never ends.
SENDER = """
import asyncio, secrets, sys
from ble_agent.radio.opening import open_radio
from tracing_core.protocol.advertisement import Advertisement
from tracing_core.clock import clock_from_environment
async def main():
    clock = clock_from_environment()
    async with open_radio(sys.argv[1], clock) as radio:
        while True:
            await radio.rotate(Advertisement(secrets.token_bytes(16), secrets.token_bytes(4)))
            assert "numpy" not in sys.modules
            print("on air", flush=True)
            await clock.sleep(300)
asyncio.run(main())
"""


def _clock() -> ScaledClock:
    return ScaledClock(shown=1_700_000_000, real=time.time(), rate=1200)


@contextlib.asynccontextmanager
async def _process(*command: str, clock: ScaledClock) -> AsyncIterator[Process]:
    environment = os.environ | {"TRUYVET_CLOCK": str(clock)}
    process = await asyncio.create_subprocess_exec(
        *command, stdout=PIPE, stderr=PIPE, env=environment
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@contextlib.asynccontextmanager
async def _air_process(
    tmp_path: Path, clock: ScaledClock, mode: str = "legacy"
) -> AsyncIterator[tuple[Process, dict[str, str]]]:
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(SCENARIO.format(mode=mode))
    arguments = ["air", str(scenario), "--trace", str(tmp_path / "trace.jsonl"), "--json"]
    async with _process(*TRUYVET, *arguments, clock=clock) as air:
        assert air.stdout is not None
        told = json.loads(await asyncio.wait_for(air.stdout.readline(), 30))
        assert told["start"] == pytest.approx(clock.now(), abs=3600)
        yield air, told["controllers"]


async def _stop(air: Process) -> None:
    air.terminate()
    _, errors = await asyncio.wait_for(air.communicate(), 30)
    assert (air.returncode, errors) == (0, b"")


@pytest.mark.parametrize("mode", ["legacy", "extended"])
async def test_an_hour_passes_in_seconds_and_is_all_in_the_trace(mode: str, tmp_path: Path) -> None:
    clock = _clock()
    async with _air_process(tmp_path, clock, mode) as (air, transports):
        got: list[Heard] = []
        async with (
            HciRadio(transports["an"], clock) as an,
            HciRadio(transports["binh"], clock) as binh,
        ):
            for _ in range(8):
                await an.rotate(random_advertisement())
                await binh.rotate(random_advertisement())
                await binh.scan(240, got.append)
                await clock.sleep(210)
        await _stop(air)
    lines = read_trace(tmp_path / "trace.jsonl")
    assert findings(lines) == []
    assert len(identifiers(lines, "an")) == len(identifiers(lines, "binh")) == 8
    runs = heard(lines, sender="an", receiver="binh")
    assert len(runs) == 8
    assert sum(run["count"] for run in runs) == len(got)
    values = [what.rssi_dbm for what in got]
    assert min(run["rssi_min"] for run in runs) == min(values)
    assert max(run["rssi_max"] for run in runs) == max(values)
    total = sum(run["rssi_mean"] * run["count"] for run in runs)
    assert total / len(got) == pytest.approx(sum(values) / len(values), abs=0.01)
    assert abs(total / len(got) + 43.5) < 1


async def test_a_killed_agent_is_silent_at_once_and_may_come_back(tmp_path: Path) -> None:
    clock = _clock()
    async with _air_process(tmp_path, clock) as (air, transports):
        sender = (sys.executable, "-c", SENDER, f"hci:{transports['an']}")
        trace, count = tmp_path / "trace.jsonl", 0
        async with HciRadio(transports["binh"], clock) as binh:
            for _ in range(2):
                async with _process(*sender, clock=clock) as agent:
                    assert agent.stdout is not None
                    for _ in range(3):
                        assert await agent.stdout.readline() == b"on air\n"
                    agent.kill()
                    await agent.wait()
                count += 3
                await until(lambda: len(sent(read_trace(trace), "an")) == count)  # noqa: B023
                silent: list[Heard] = []
                await binh.scan(600, silent.append)
                assert silent == []
        await _stop(air)
    lines = read_trace(trace)
    assert findings(lines) == []
    assert len(identifiers(lines, "an")) == len(sent(lines, "an")) == 6


async def test_the_trace_is_readable_while_the_air_lives(tmp_path: Path) -> None:
    clock = _clock()
    trace = tmp_path / "trace.jsonl"
    async with (
        _air_process(tmp_path, clock) as (air, transports),
        HciRadio(transports["an"], clock) as an,
    ):
        await an.rotate(random_advertisement())
        await clock.sleep(60)
        await an.rotate(random_advertisement())
        assert len(sent(read_trace(trace))) == 1
        air.kill()
        await air.wait()
    assert len(sent(read_trace(trace))) == 1


def test_wrong_use_is_one_line(tmp_path: Path) -> None:
    absent = subprocess.run(
        [*TRUYVET, "air", str(tmp_path / "absent.toml")], capture_output=True, text=True
    )
    assert absent.returncode == 1
    assert absent.stderr.startswith("truyvet: cannot read ")
    assert absent.stderr.count("\n") == 1
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(SCENARIO.format(mode="legacy"))
    thesis = tmp_path / "thesis.jsonl"
    thesis.write_text("my thesis")
    for arguments, why in (
        (["--trace", str(thesis)], "is already there: choose another name"),
        (["--trace", str(tmp_path / "no" / "trace")], "cannot write"),
        (["--host", "203.0.113.1"], "cannot serve on 203.0.113.1, port 0"),
    ):
        result = subprocess.run(
            [*TRUYVET, "air", str(scenario), *arguments], capture_output=True, text=True
        )
        assert (result.returncode, result.stdout) == (1, "")
        assert why in result.stderr
        assert result.stderr.count("\n") == 1
    assert thesis.read_text() == "my thesis"
    assert subprocess.run([*TRUYVET, "air"], capture_output=True).returncode == 2


async def test_a_full_disk_under_the_trace_is_told_at_the_end(tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):  # noqa: ASYNC240 (nobody waits)
        pytest.skip("this system has no /dev/full")
    clock = _clock()
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(SCENARIO.format(mode="legacy"))
    command = [*TRUYVET, "air", str(scenario), "--trace", "/dev/full"]
    async with _process(*command, clock=clock) as air:
        assert air.stdout is not None
        name, _, radio = (await air.stdout.readline()).decode().strip().partition(": --radio hci:")
        assert name == "an"
        async with HciRadio(radio, clock) as an:
            for _ in range(3):
                await an.rotate(random_advertisement())
        air.terminate()
        _, errors = await asyncio.wait_for(air.communicate(), 30)
    assert (air.returncode, errors.count(b"\n")) == (1, 1)
    assert b"cannot write /dev/full: No space left" in errors


async def test_nothing_logged_names_an_identifier_or_address(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    clock = _clock()
    sent_by_an = [random_advertisement() for _ in range(3)]
    async with (
        _air_process(tmp_path, clock) as (air, transports),
        HciRadio(transports["an"], clock) as an,
        HciRadio(transports["binh"], clock) as binh,
    ):
        for advertisement in sent_by_an:
            await an.rotate(advertisement)
            await binh.scan(60, lambda _: None)
        await an.rotate(None)
        air.kill()
        await air.wait()
        with pytest.raises(Exception, match="went away") as caught:
            await binh.scan(60, lambda _: None)
    assert not any(record.name.startswith("bumble") for record in caplog.records)
    text = (caplog.text + repr(caught.value) + repr(an) + repr(vars(binh))).lower()
    lines = sent(read_trace(tmp_path / "trace.jsonl"))
    assert len(lines) == 3
    for secret in [
        *(line["address"].lower() for line in lines),
        *(bytes.fromhex(line["address"].replace(":", ""))[::-1].hex() for line in lines),
        *(advertisement.rpi.hex() for advertisement in sent_by_an),
        *(repr(advertisement.rpi)[2:-1].lower() for advertisement in sent_by_an),
    ]:
        assert secret not in text


async def test_twenty_agents_for_an_hour(tmp_path: Path) -> None:
    clock = ScaledClock(shown=1_700_000_000, real=time.time(), rate=240)
    trace = tmp_path / "trace.jsonl"
    names = [f"agent-{number}" for number in range(20)]
    places = tuple(
        Place(name, (Waypoint(0, 3.0 * number, 0),)) for number, name in enumerate(names)
    )
    draw = random.Random(20)
    heard_by = dict.fromkeys(names, 0)

    async def live(air: Air, name: str) -> None:
        def hear(_: Heard) -> None:
            heard_by[name] += 1

        async with HciRadio(air.transports[name], clock) as radio:
            end = clock.now() + 3600
            rotate_at = scan_at = 0.0
            while (now := clock.now()) < end:
                if now >= rotate_at:
                    await radio.rotate(random_advertisement())
                    rotate_at = now + draw.uniform(600, 1200)
                if now >= scan_at:
                    await radio.scan(4.0, hear)
                    scan_at = now + draw.uniform(210, 300)
                await clock.sleep(min(rotate_at, scan_at, end) - clock.now())

    async with Air(Scenario(places, noise_db=3.0, seed=20), clock, trace=trace) as air:
        await asyncio.gather(*(live(air, name) for name in names))
        counted = air.packets_heard
    lines = read_trace(trace)
    assert findings(lines) == []
    assert all(2 <= len(identifiers(lines, name)) <= 7 for name in names)
    assert min(heard_by.values()) > 100
    traced = sum(line["count"] for line in lines if line["kind"] == "heard")
    assert traced == counted == sum(heard_by.values())
