"""The raw HCI radio on the virtual air: real HCI packets over TCP."""

from __future__ import annotations

import asyncio
import math
import statistics
from pathlib import Path

import pytest
from bumble import hci

from ble_agent.radio.protocol import Heard
from ble_agent.virtual_air.scenario import AirMode, Pair, Place, Waypoint
from tests.ble_agent.virtual_air.air_trace import findings, heard, identifiers, read_trace, sent
from tests.ble_agent.virtual_air.airs import (
    START,
    advertise_bytes,
    air_of,
    bare_host,
    begin_scan,
    pass_time,
    radio_on,
    random_advertisement,
    scan_for,
    sleepers,
    standing,
    status_of,
    until,
)
from tracing_core.errors import AdvertisementFault, RadioError, RadioFault

ALL_MODES = pytest.mark.parametrize("mode", AirMode, ids=lambda mode: mode.value)


@ALL_MODES
@pytest.mark.parametrize("flags", [0x1A, 0x04, None], ids=["gaen", "kernel", "android"])
async def test_exact_bytes_are_on_the_air_and_heard(
    mode: AirMode, flags: int | None, tmp_path: Path
) -> None:
    advertisement = random_advertisement()
    trace = tmp_path / "trace.jsonl"
    async with (
        air_of(*standing(an=0, binh=2), mode=mode, trace=trace) as (air, _),
        radio_on(air, "an", flags=flags) as an,
        radio_on(air, "binh") as binh,
    ):
        await an.rotate(advertisement)
        got = await scan_for(air, binh, "binh", 4.0)
    body = "03036ffd17166ffd" + advertisement.rpi.hex() + advertisement.aem.hex()
    expected = body if flags is None else f"0201{flags:02x}{body}"
    assert {line["data"] for line in sent(read_trace(trace))} == {expected}
    assert len(expected) // 2 == (28 if flags is None else 31)
    assert {what.advertisement for what in got} == {advertisement}
    assert 4 / 0.27 <= len(got) <= 4 / 0.2 + 1
    assert all(START <= what.heard_at <= START + 4 for what in got)
    assert not binh.rejected


@ALL_MODES
async def test_signal_strength_is_that_of_the_pair(mode: AirMode, tmp_path: Path) -> None:
    metres = {"an": 0.0, "binh": 2.0, "chi": 10.0}
    async with (
        air_of(*standing(**metres), mode=mode, path_loss_exponent=2.5) as (air, _),
        radio_on(air, "an") as an,
        radio_on(air, "binh") as binh,
        radio_on(air, "chi") as chi,
    ):
        await an.rotate(random_advertisement())
        for radio, name in ((binh, "binh"), (chi, "chi")):
            got = await scan_for(air, radio, name, 4.0)
            expected = -40.0 - 25.0 * math.log10(metres[name])
            assert got
            assert all(abs(what.rssi_dbm - expected) <= 1 for what in got)


@ALL_MODES
async def test_signal_strength_is_what_a_pair_sets_wherever_it_stands(mode: AirMode) -> None:
    pairs = (Pair(("an", "binh"), -58.0), Pair(("chi", "an"), -83.0))
    async with (
        air_of(*standing(an=0, binh=500, chi=1), mode=mode, pairs=pairs) as (air, _),
        radio_on(air, "an") as an,
        radio_on(air, "binh") as binh,
        radio_on(air, "chi") as chi,
    ):
        for radio in (an, binh, chi):
            await radio.rotate(random_advertisement())
        at_binh = await scan_for(air, binh, "binh", 4.0)
        at_chi = await scan_for(air, chi, "chi", 4.0)
        at_an = await scan_for(air, an, "an", 4.0)
    # 499 m lie between Bình and Chi, for whom nothing is set.
    assert {what.rssi_dbm for what in at_binh} == {-58, -94}
    assert {what.rssi_dbm for what in at_chi} == {-83, -94}
    assert {what.rssi_dbm for what in at_an} == {-58, -83}


async def test_noise_and_loss_are_as_set() -> None:
    settings = {"noise_db": 4.0, "loss": 0.25, "seed": 7}
    async with (
        air_of(*standing(an=0, binh=1), **settings) as (air, _),
        radio_on(air, "an") as an,
        radio_on(air, "binh") as binh,
    ):
        await an.rotate(random_advertisement())
        before = air.packets_sent
        got = await scan_for(air, binh, "binh", 600.0)
        share = len(got) / (air.packets_sent - before)
    values = [what.rssi_dbm for what in got]
    assert abs(share - 0.75) < 0.05
    assert abs(statistics.mean(values) + 40) < 0.5
    assert abs(statistics.stdev(values) - 4) < 0.5


async def test_nobody_hears_out_of_range_and_who_walks_up_does(tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    walker = Place("binh", (Waypoint(100, 5000, 0), Waypoint(200, 1, 0)))
    async with (
        air_of(*standing(an=0), walker, trace=trace) as (air, _),
        radio_on(air, "an") as an,
        radio_on(air, "binh") as binh,
    ):
        await an.rotate(random_advertisement())
        assert await scan_for(air, binh, "binh", 100.0) == []
        near = await scan_for(air, binh, "binh", 150.0)
    assert near[0].rssi_dbm == -100
    assert near[-1].rssi_dbm == -40
    (line,) = heard(read_trace(trace), sender="an", receiver="binh")
    assert line["count"] == len(near)
    assert (line["rssi_min"], line["rssi_max"]) == (-100, -40)
    # 1000 m away, where −100 dBm begins, is 80 s into the walk of 100 s.
    assert line["first"] == pytest.approx(START + 180, abs=1)


@ALL_MODES
async def test_twenty_rotations_while_scanning_link_nothing(mode: AirMode, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    async with (
        air_of(*standing(an=0, binh=1), mode=mode, trace=trace) as (air, clock),
        radio_on(air, "an") as an,
        radio_on(air, "binh") as binh,
    ):
        got: list[Heard] = []
        scans = [await begin_scan(radio, 400.0, got.append) for radio in (an, binh)]
        for _ in range(20):
            await an.rotate(random_advertisement())
            await binh.rotate(random_advertisement())
            assert air.scanning == {"an", "binh"}
            await pass_time(air, 20.0)
        await asyncio.gather(*scans)
        assert air.scanning == frozenset()
        assert clock.now() == START + 400
    lines = read_trace(trace)
    assert findings(lines, gaps=(20, 20), slack=0.1) == []
    assert len(identifiers(lines, "an")) == len(identifiers(lines, "binh")) == 20
    assert len({what.advertisement.rpi for what in got}) == 40
    assert sum(line["count"] for line in lines if line["kind"] == "heard") == len(got)


@ALL_MODES
async def test_packets_come_every_200_to_270_ms(mode: AirMode, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    step = 0.001
    async with (
        air_of(*standing(an=0), mode=mode, trace=trace) as (air, clock),
        radio_on(air, "an") as an,
    ):
        gaps = []
        for _ in range(5):
            await an.rotate(random_advertisement())
            last, count = clock.now(), air.packets_sent
            for _ in range(5000):
                clock.advance(step)
                air.advance()
                assert air.packets_sent - count <= 1
                if air.packets_sent > count:
                    gaps.append(clock.now() - last)
                    last, count = clock.now(), air.packets_sent
    assert len(gaps) > 5 * 5 / 0.27 - 5
    assert 0.2 - 2 * step <= min(gaps) <= max(gaps) <= 0.27 + 2 * step
    lines = read_trace(trace)
    assert findings(lines) == []
    means = {(line["last"] - line["first"]) / (line["count"] - 1) for line in sent(lines)}
    assert len(means) == 5  # Drawn anew with every identifier.


async def test_silence_on_request_and_at_the_end(tmp_path: Path) -> None:
    async with air_of(*standing(an=0)) as (air, _):
        async with radio_on(air, "an") as an:
            await an.rotate(random_advertisement())
            await pass_time(air, 1.0)
            await an.rotate(None)
            silent = air.packets_sent
            assert silent > 1
            await pass_time(air, 60.0)
            assert air.packets_sent == silent
            await an.rotate(None)
            await an.rotate(random_advertisement())
            await pass_time(air, 1.0)
        sending = air.packets_sent
        assert sending > silent
        await until(lambda: "an" not in air.connected)
        await pass_time(air, 60.0)
        assert air.packets_sent == sending


async def test_a_cut_connection_silences_the_controller_and_tells_the_radio() -> None:
    async with air_of(*standing(an=0, binh=1)) as (air, _):
        async with radio_on(air, "an") as an, radio_on(air, "binh") as binh:
            await an.rotate(random_advertisement())
            scan = await begin_scan(an, 100.0)
            air.disconnect("an")
            with pytest.raises(RadioError, match="went away") as caught:
                await asyncio.wait_for(scan, 10)
            assert caught.value.reason is RadioFault.CONNECTION_LOST
            with pytest.raises(RadioError) as caught:
                await an.rotate(random_advertisement())
            assert caught.value.reason is RadioFault.CONNECTION_LOST
            assert await scan_for(air, binh, "binh", 60.0) == []
        async with radio_on(air, "an") as again, radio_on(air, "binh") as binh:
            await again.rotate(random_advertisement())
            assert await scan_for(air, binh, "binh", 4.0)


async def test_the_same_radio_is_opened_anew_after_a_loss(tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    async with air_of(*standing(an=0, binh=1), trace=trace) as (air, _):
        an = radio_on(air, "an")
        async with radio_on(air, "binh") as binh:
            for _ in range(3):
                async with an:
                    await an.rotate(random_advertisement())
                    assert await scan_for(air, binh, "binh", 4.0)
                    air.disconnect("an")
                    with pytest.raises(RadioError):
                        await an.rotate(random_advertisement())
    assert findings(read_trace(trace)) == []
    assert len(identifiers(read_trace(trace), "an")) == 3


async def test_a_controller_has_one_client() -> None:
    async with air_of(*standing(an=0)) as (air, _), radio_on(air, "an") as an:
        with pytest.raises(RadioError) as caught:
            async with radio_on(air, "an"):
                pass
        assert caught.value.reason in (RadioFault.CONNECTION_LOST, RadioFault.NO_ADAPTER)
        await an.rotate(random_advertisement())


async def test_a_scan_can_be_cancelled() -> None:
    async with (
        air_of(*standing(an=0, binh=1)) as (air, _),
        radio_on(air, "an") as an,
        radio_on(air, "binh") as binh,
    ):
        await an.rotate(random_advertisement())
        scan = await begin_scan(binh, 100.0)
        assert "binh" in air.scanning
        scan.cancel()
        with pytest.raises(asyncio.CancelledError):
            await scan
        assert "binh" not in air.scanning
        assert await scan_for(air, binh, "binh", 4.0)


async def test_any_bytes_are_survived_and_counted() -> None:
    wrong = {
        b"\x1f\x16\x6f\xfd" + bytes(20): AdvertisementFault.TRUNCATED,
        b"": AdvertisementFault.NO_SERVICE_DATA,
        bytes(31): AdvertisementFault.NO_SERVICE_DATA,
        b"\x16\x16\x6f\xfd" + bytes(19): AdvertisementFault.WRONG_LENGTH,
        b"\x03\x16\x6f\xfd\x03\x16\x6f\xfd": AdvertisementFault.WRONG_LENGTH,
        b"\xff" * 31: AdvertisementFault.TRUNCATED,
    }
    async with (
        air_of(*standing(an=0, binh=1)) as (air, _),
        bare_host(air, "an") as an,
        radio_on(air, "binh") as binh,
    ):
        got: list[Heard] = []
        scan = await begin_scan(binh, 1000.0, got.append)
        rounds = 50
        for _ in range(rounds):
            for data in wrong:
                await advertise_bytes(an, data)
        await advertise_bytes(an, random_advertisement().encode())
        await pass_time(air, 1000.0)
        await scan
        assert len(got) > 1000 / 0.27
        assert binh.rejected.total() == rounds * len(wrong)
        for reason in AdvertisementFault:
            assert binh.rejected[reason] == rounds * list(wrong.values()).count(reason)


async def test_long_extended_advertisements_arrive_in_pieces() -> None:
    advertisement = random_advertisement()
    filler = b"\xfe\xff" + bytes(253)
    data = filler * 3 + advertisement.encode()
    async with (
        air_of(*standing(an=0, binh=1), mode=AirMode.EXTENDED) as (air, _),
        bare_host(air, "an") as an,
        radio_on(air, "binh") as binh,
    ):
        await _advertise_extended(an, data)
        got = await scan_for(air, binh, "binh", 4.0)
    assert {what.advertisement for what in got} == {advertisement}
    assert not binh.rejected


async def _advertise_extended(host: object, data: bytes) -> None:
    from bumble.host import Host

    assert isinstance(host, Host)
    operation = hci.HCI_LE_Set_Extended_Advertising_Data_Command.Operation
    parts = [data[start : start + 200] for start in range(0, len(data), 200)]
    kinds = [
        operation.FIRST_FRAGMENT,
        *[operation.INTERMEDIATE_FRAGMENT] * (len(parts) - 2),
        operation.LAST_FRAGMENT,
    ]
    commands = [
        hci.HCI_LE_Set_Extended_Advertising_Parameters_Command(
            advertising_handle=1,
            advertising_event_properties=0,
            primary_advertising_interval_min=320,
            primary_advertising_interval_max=400,
            primary_advertising_channel_map=7,
            own_address_type=0,
            peer_address_type=0,
            peer_address=hci.Address.ANY,
            advertising_filter_policy=0,
            advertising_tx_power=0x7F,
            primary_advertising_phy=1,
            secondary_advertising_max_skip=0,
            secondary_advertising_phy=1,
            advertising_sid=3,
            scan_request_notification_enable=0,
        ),
        *(
            hci.HCI_LE_Set_Extended_Advertising_Data_Command(
                advertising_handle=1,
                operation=kind,
                fragment_preference=0,
                advertising_data=part,
            )
            for kind, part in zip(kinds, parts, strict=True)
        ),
        hci.HCI_LE_Set_Extended_Advertising_Enable_Command(
            enable=1,
            advertising_handles=[1],
            durations=[0],
            max_extended_advertising_events=[0],
        ),
    ]
    for command in commands:
        assert await status_of(host, command) == 0


async def test_self_test_says_what_works_and_ends_silent() -> None:
    async with (
        air_of(*standing(an=0, binh=1)) as (air, clock),
        radio_on(air, "an") as an,
        radio_on(air, "binh") as binh,
    ):
        await an.rotate(random_advertisement())
        before = sleepers(binh)
        test = asyncio.ensure_future(binh.self_test())
        await until(lambda: sleepers(binh) > before)
        clock.advance(10)
        results = await test
        await an.rotate(None)
        silent = air.packets_sent
        await pass_time(air, 10)
        assert air.packets_sent == silent
    assert [finding.ok for finding in results] == [True] * 4
    assert " 0 others" in results[-1].text.en
    assert all(finding.text.en and finding.text.vi for finding in results)
