"""The rules of HCI that the virtual controllers keep, spoken to by a bare host."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from bumble import hci
from bumble.host import Host

from ble_agent.radio.hci.commands import ExtendedCommands, LegacyCommands, draw_address
from ble_agent.virtual_air.scenario import AirMode
from tests.ble_agent.virtual_air.air_trace import read_trace, sent
from tests.ble_agent.virtual_air.airs import (
    air_of,
    bare_host,
    pass_time,
    radio_on,
    random_advertisement,
    scan_for,
    standing,
    status_of,
    until,
)

DISALLOWED = hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR
INVALID = hci.HCI_ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR
UNKNOWN = hci.HCI_ErrorCode.UNKNOWN_HCI_COMMAND_ERROR


def _set_address() -> hci.HCI_LE_Set_Random_Address_Command:
    return hci.HCI_LE_Set_Random_Address_Command(random_address=draw_address())


async def _start_legacy(host: Host) -> None:
    for command in LegacyCommands().start_advertising(draw_address(), b"\x02\x01\x06"):
        assert await status_of(host, command) == 0


async def test_the_random_address_is_fixed_while_it_is_in_use() -> None:
    legacy = LegacyCommands()
    async with air_of(*standing(an=0)) as (air, _), bare_host(air, "an") as host:
        await _start_legacy(host)
        assert await status_of(host, _set_address()) == DISALLOWED
        parameters = legacy.start_advertising(draw_address(), b"")[1]
        assert await status_of(host, parameters) == DISALLOWED
        assert await status_of(host, legacy.stop_advertising()) == 0
        assert await status_of(host, _set_address()) == 0
        for command in legacy.start_scanning():
            assert await status_of(host, command) == 0
        assert await status_of(host, _set_address()) == DISALLOWED
        assert await status_of(host, legacy.start_scanning()[0]) == DISALLOWED
        assert await status_of(host, legacy.stop_scanning()) == 0
        assert await status_of(host, _set_address()) == 0


async def test_nothing_is_sent_under_an_address_that_was_never_set() -> None:
    enable = LegacyCommands().start_advertising(draw_address(), b"")[1:]
    async with air_of(*standing(an=0)) as (air, _), bare_host(air, "an") as host:
        statuses = [await status_of(host, command) for command in enable]
        assert statuses == [0, 0, INVALID]
        await pass_time(air, 10)
        assert air.packets_sent == 0


@pytest.mark.parametrize(
    ("mode", "legacy", "extended"),
    [(AirMode.LEGACY, 0, UNKNOWN), (AirMode.EXTENDED, UNKNOWN, 0)],
    ids=["legacy", "extended"],
)
async def test_each_mode_knows_its_family(mode: AirMode, legacy: int, extended: int) -> None:
    async with air_of(*standing(an=0), mode=mode) as (air, _), bare_host(air, "an") as host:
        assert await status_of(host, LegacyCommands().stop_scanning()) == legacy
        assert await status_of(host, ExtendedCommands().stop_scanning()) == extended
        assert (LegacyCommands().required <= host.supported_commands) == (legacy == 0)
        assert (ExtendedCommands().required <= host.supported_commands) == (extended == 0)
        vendor = hci.HCI_Command(op_code=0xFC42)
        response = await host._send_command(vendor)  # type: ignore[arg-type]
        assert isinstance(response, hci.HCI_Command_Complete_Event)
        assert response.parameters[3] == UNKNOWN


async def test_families_do_not_mix_until_a_reset() -> None:
    legacy, extended = LegacyCommands().stop_scanning(), ExtendedCommands().stop_scanning()
    async with (
        air_of(*standing(an=0), mode=AirMode.BOTH) as (air, _),
        bare_host(air, "an") as host,
    ):
        for first, second in ((legacy, extended), (extended, legacy)):
            assert await status_of(host, first) == 0
            assert await status_of(host, second) == DISALLOWED
            assert await status_of(host, first) == 0
            assert await status_of(host, hci.HCI_Reset_Command()) == 0


async def test_reset_ends_everything() -> None:
    async with (
        air_of(*standing(an=0, binh=1)) as (air, _),
        bare_host(air, "an") as host,
    ):
        await _start_legacy(host)
        for command in LegacyCommands().start_scanning():
            assert await status_of(host, command) == 0
        assert air.scanning == {"an"}
        assert await status_of(host, hci.HCI_Reset_Command()) == 0
        assert air.scanning == frozenset()
        before = air.packets_sent
        await pass_time(air, 10)
        assert air.packets_sent == before


async def test_a_window_shorter_than_the_interval_misses_packets() -> None:
    heard: list[hci.HCI_LE_Advertising_Report_Event.Report] = []
    async with (
        air_of(*standing(an=0, binh=1)) as (air, clock),
        radio_on(air, "an") as an,
        bare_host(air, "binh") as host,
    ):
        await an.rotate(random_advertisement())
        host.on("advertising_report", heard.append)
        scan = hci.HCI_LE_Set_Scan_Parameters_Command(0, 160, 40, 0, 0)
        assert await status_of(host, scan) == 0
        assert await status_of(host, LegacyCommands().start_scanning()[1]) == 0
        before = air.packets_sent
        await pass_time(air, 400)
        assert await status_of(host, LegacyCommands().stop_scanning()) == 0
        assert clock.now() > 0
        assert 0.2 < len(heard) / (air.packets_sent - before) < 0.3
        assert {int(report.event_type) for report in heard} == {3}


async def test_the_duplicate_filter_reports_an_address_once_a_scan() -> None:
    heard: list[object] = []
    legacy = LegacyCommands()
    async with (
        air_of(*standing(an=0, binh=1)) as (air, _),
        radio_on(air, "an") as an,
        bare_host(air, "binh") as host,
    ):
        host.on("advertising_report", heard.append)
        for expected in (1, 2):
            filtered = hci.HCI_LE_Set_Scan_Enable_Command(le_scan_enable=1, filter_duplicates=1)
            assert await status_of(host, filtered) == 0
            await an.rotate(random_advertisement())
            await pass_time(air, 10)
            assert await status_of(host, legacy.stop_scanning()) == 0
            assert len(heard) == expected


async def test_a_client_may_come_back_before_it_is_gone() -> None:
    async with air_of(*standing(an=0)) as (air, _):
        an = radio_on(air, "an")
        for _ in range(20):
            async with an:
                await an.rotate(random_advertisement())
        async with bare_host(air, "an"):
            assert air.connected == {"an"}


async def test_no_host_harms_the_air() -> None:
    draw = random.Random(5)
    async with (
        air_of(*standing(an=0, binh=1, chi=2)) as (air, _),
        radio_on(air, "binh") as binh,
        radio_on(air, "chi") as chi,
    ):
        await binh.rotate(random_advertisement())
        _, host, port = air.transports["an"].split(":")
        codes = [code for code in hci.HCI_Command.command_classes if code >> 10 in (3, 4, 8)]
        for _ in range(30):
            reader, writer = await asyncio.open_connection(host, int(port))
            for _ in range(40):
                body = draw.randbytes(draw.choice([0, 1, 2, 7, 15, 32, 60]))
                code = draw.choice(codes).to_bytes(2, "little")
                writer.write(b"\x01" + code + bytes([len(body)]) + body)
            if draw.random() < 0.5:
                writer.write(draw.randbytes(50))
            await writer.drain()
            await reader.read(10)
            await pass_time(air, 1.0)
            writer.close()
            await until(lambda: "an" not in air.connected)
        assert air.scanning == frozenset()
        assert await scan_for(air, chi, "chi", 4.0)
        async with radio_on(air, "an") as an:
            await an.rotate(random_advertisement())
            assert len({what.rssi_dbm for what in await scan_for(air, chi, "chi", 4.0)}) == 2


async def test_a_set_with_a_duration_ends_by_itself_and_the_host_is_told(tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    ended: list[int] = []
    async with (
        air_of(*standing(a=0), trace=trace, mode=AirMode.EXTENDED) as (air, _),
        bare_host(air, "a") as host,
    ):
        host.on("advertising_set_termination", lambda status, *_: ended.append(status))
        *before, _ = ExtendedCommands().start_advertising(draw_address(), b"\x02\x01\x06")
        enable = hci.HCI_LE_Set_Extended_Advertising_Enable_Command(
            enable=1,
            advertising_handles=[0],
            durations=[500],
            max_extended_advertising_events=[0],
        )
        for command in (*before, enable):
            assert await status_of(host, command) == 0
        await pass_time(air, 4.9)
        assert not ended
        await pass_time(air, 5.0)
        await until(lambda: bool(ended))
    assert ended == [hci.HCI_ErrorCode.ADVERTISING_TIMEOUT_ERROR]
    (run,) = sent(read_trace(trace))
    assert 4.7 < run["last"] - run["first"] < 5.0
