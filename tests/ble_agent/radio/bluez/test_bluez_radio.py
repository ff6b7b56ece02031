"""The radio `bluez`, with bleak in it, against a bluetoothd of our own on a private D-Bus."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ble_agent.radio.opening import open_radio
from ble_agent.radio.protocol import Finding, Heard
from ble_agent.radio.real_time import Timeouts
from tests.ble_agent.radio.bluez.fake_bluez import ADVERTISER, MONITORS, FakeBluez, private_bus
from tests.ble_agent.virtual_air.airs import (
    START,
    agent_on,
    begin_scan,
    random_advertisement,
    sleepers,
    until,
)
from tracing_core.clock import ManualClock, ScaledClock
from tracing_core.errors import AdvertisementFault, RadioError, RadioFault

pytest.importorskip("bleak")
pytest.importorskip("dbus_fast")
if shutil.which("dbus-daemon") is None:
    pytest.skip("dbus-daemon is missing: sudo apt install dbus-daemon", allow_module_level=True)

from bleak.backends.bluezdbus.manager import (
    BlueZManager,
    get_global_bluez_manager,
)

from ble_agent.radio.bluez.radio import BluezRadio
from ble_agent.radio.bluez.service import refusal


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with private_bus(tmp_path) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield address


@pytest.fixture
async def bluez(bus: str) -> AsyncIterator[FakeBluez]:
    fake = FakeBluez(bus)
    await fake.start()
    yield fake
    await close_bleak()
    fake.stop()


async def close_bleak() -> None:
    """End bleak's own connection, which otherwise lasts as long as the process."""
    with contextlib.suppress(Exception):
        manager: BlueZManager = await get_global_bluez_manager()
        assert manager._bus is not None
        manager._bus.disconnect()
        assert manager._bus_watcher_task is not None
        await manager._bus_watcher_task


async def listening(bluez: FakeBluez, radio: BluezRadio, heard: list[Heard]) -> asyncio.Task[None]:
    scan = await begin_scan(radio, 4.0, heard.append)
    assert bluez.discovering or scan.done()
    return scan


def advertising_calls(bluez: FakeBluez) -> list[str]:
    wanted = ("Advertisement", "Discovery", "Monitor")
    return [call for call in bluez.calls if call.endswith(wanted)]


async def test_every_identifier_is_registered_anew(bluez: FakeBluez) -> None:
    paths = set()
    async with BluezRadio("hci0", ManualClock(START)) as radio:
        for _ in range(3):
            advertisement = random_advertisement()
            await radio.rotate(advertisement)
            ((path, properties),) = bluez.advertisements.items()
            paths.add(path)
            assert properties == {
                "Type": "broadcast",
                "ServiceUUIDs": ["fd6f"],
                "ServiceData": {"fd6f": advertisement.service_data},
                "Timeout": 1200,
                "MinInterval": 200,
                "MaxInterval": 260,
            }
        await radio.rotate(None)
        assert not bluez.advertisements
    assert len(paths) == 3
    calls = advertising_calls(bluez)
    assert calls == ["RegisterAdvertisement", "UnregisterAdvertisement"] * 3


async def test_the_timeout_is_twenty_minutes_of_the_agents_clock(bluez: FakeBluez) -> None:
    clock = ScaledClock(shown=START, real=0.0, rate=40.0)
    async with BluezRadio(None, clock) as radio:
        await radio.rotate(random_advertisement())
        (properties,) = bluez.advertisements.values()
        assert properties["Timeout"] == 30


@pytest.mark.parametrize(("rate", "seconds"), [(1.0, 0), (40.0, 30)])
async def test_extended_controllers_get_no_timeout_that_would_end_too_early(
    bluez: FakeBluez, rate: float, seconds: int
) -> None:
    bluez.secondary_channels = ["1M", "2M", "Coded"]
    async with BluezRadio(None, ScaledClock(shown=START, real=0.0, rate=rate)) as radio:
        await radio.rotate(random_advertisement())
        (properties,) = bluez.advertisements.values()
        assert properties["Timeout"] == seconds


async def test_an_identifier_changes_with_listening_stopped(bluez: FakeBluez) -> None:
    clock = ManualClock(START)
    async with BluezRadio(None, clock) as radio:
        await radio.rotate(random_advertisement())
        scan = await listening(bluez, radio, [])
        bluez.calls.clear()
        await radio.rotate(random_advertisement())
        assert advertising_calls(bluez) == [
            "StopDiscovery",
            "UnregisterMonitor",
            "UnregisterAdvertisement",
            "RegisterAdvertisement",
            "RegisterMonitor",
            "StartDiscovery",
        ]
        clock.advance(4.0)
        await scan
        assert not bluez.discovering


async def test_a_scan_delivers_every_packet_and_counts_the_rest(bluez: FakeBluez) -> None:
    clock = ManualClock(START)
    heard: list[Heard] = []
    async with BluezRadio(None, clock) as radio:
        scan = await listening(bluez, radio, heard)
        advertisement = random_advertisement()
        bluez.report(1, advertisement.service_data, -60)
        bluez.report_again(1, -61)
        bluez.report_again(1, -62)
        bluez.report(2, None, -50)
        bluez.report(3, b"short", -50)
        bluez.report(4, advertisement.service_data, None)
        await until(lambda: radio.without_rssi == 1)
        clock.advance(4.0)
        await scan
    assert heard == [Heard(advertisement, rssi, START) for rssi in (-60, -61, -62)]
    assert radio.rejected == {
        AdvertisementFault.NO_SERVICE_DATA: 1,
        AdvertisementFault.WRONG_LENGTH: 1,
    }
    wanted = {"Transport": "le", "DuplicateData": True, "RSSI": -127}
    assert {name: bluez.filters[0][name] for name in wanted} == wanted


async def findings_of(radio: BluezRadio, clock: ManualClock) -> list[Finding]:
    testing = asyncio.create_task(radio.self_test())
    while not testing.done():
        clock.advance(4.0)
        await asyncio.sleep(0)
    return await testing


async def test_without_experimental_it_listens_by_discovery_alone(bus: str) -> None:
    bluez, clock = FakeBluez(bus, experimental=False), ManualClock(START)
    await bluez.start()
    try:
        async with BluezRadio(None, clock) as radio:
            assert "--experimental" in radio.capabilities.note
            findings = await findings_of(radio, clock)
            assert all(finding.ok for finding in findings)
            assert "--experimental" in findings[-1].text.en
        assert "RegisterMonitor" not in bluez.calls
    finally:
        await close_bleak()
        bluez.stop()


@pytest.mark.parametrize("channels", [[], ["1M", "2M", "Coded"]])
async def test_a_legacy_controller_listens_only_while_nothing_is_sent(
    bluez: FakeBluez, channels: list[str]
) -> None:
    clock = ManualClock(START)
    bluez.secondary_channels = channels
    async with BluezRadio(None, clock) as radio:
        assert radio.capabilities.listens_while_sending is bool(channels)
        findings = await findings_of(radio, clock)
    assert all(finding.ok for finding in findings)
    assert any("--radio mgmt" in finding.text.en for finding in findings) is not bool(channels)
    begin, end = (bluez.calls.index(f"{what}Advertisement") for what in ("Register", "Unregister"))
    meanwhile = bluez.calls[begin:end]
    assert ("StartDiscovery" in meanwhile) is bool(channels)
    assert "StartDiscovery" in bluez.calls


async def test_monitors_that_are_refused_are_done_without(bluez: FakeBluez) -> None:
    clock = ManualClock(START)
    bluez.errors["RegisterMonitor"] = ("org.bluez.Error.Failed", "no")
    async with BluezRadio(None, clock) as radio:
        scan = await listening(bluez, radio, [])
        clock.advance(4.0)
        await scan
        assert "--experimental" in radio.capabilities.note


@pytest.mark.parametrize("how", ["stop", "unplug", "switch_off"])
async def test_one_who_rests_is_told_at_once_that_the_adapter_is_lost(
    bluez: FakeBluez, how: str
) -> None:
    async with BluezRadio(None, ManualClock(START)) as radio:
        await radio.rotate(random_advertisement())
        resting = asyncio.create_task(radio.rest(300.0))
        await until(lambda: sleepers(radio) > 0)
        getattr(bluez, how)()
        with pytest.raises(RadioError, match="went away") as caught:
            await resting
        assert caught.value.reason is RadioFault.CONNECTION_LOST


@pytest.mark.parametrize("told_by", ["login manager", "clocks"])
async def test_after_suspend_it_sends_another_identifier_and_listens(
    bluez: FakeBluez, told_by: str, tmp_path: Path
) -> None:
    clock = ManualClock(START)
    slept = [0.0]
    radio = BluezRadio(None, clock, slept=lambda: slept[-1])
    async with agent_on(radio, tmp_path) as told:

        async def a_scan_and_an_identifier() -> tuple[str, bytes]:
            bluez.calls.clear()
            while not (bluez.advertisements and "StartDiscovery" in bluez.calls):
                clock.advance(1.0)
                await asyncio.sleep(0.001)
            ((path, properties),) = bluez.advertisements.items()
            return path, properties["ServiceData"]["fd6f"]

        before = await a_scan_and_an_identifier()
        if told_by == "clocks":
            slept.append(1e9)
            # It looks when a rest or a scan begins or ends.
            async with asyncio.timeout(20):
                while told == [None]:
                    clock.advance(1.0)
                    await asyncio.sleep(0.001)
        else:
            await bluez.wake()
        await until(lambda: told[1:] == [RadioFault.CONNECTION_LOST])
        await until(lambda: not bluez.advertisements)
        after = await a_scan_and_an_identifier()
        assert before[0] != after[0]
        assert before[1] != after[1]
        assert told == [None, RadioFault.CONNECTION_LOST, None]


@pytest.mark.parametrize("how", ["stop", "unplug", "switch_off"])
async def test_a_scan_ends_at_once_when_the_adapter_is_lost(bluez: FakeBluez, how: str) -> None:
    async with BluezRadio(None, ManualClock(START)) as radio:
        await radio.rotate(random_advertisement())
        scan = await listening(bluez, radio, [])
        getattr(bluez, how)()
        with pytest.raises(RadioError, match="went away") as caught:
            await scan
        assert caught.value.reason is RadioFault.CONNECTION_LOST
        with pytest.raises(RadioError, match="went away"):
            await radio.rotate(random_advertisement())


async def test_bluetoothd_started_anew_is_used_again(bluez: FakeBluez) -> None:
    clock = ManualClock(START)
    radio = BluezRadio(None, clock)
    async with radio:
        scan = await listening(bluez, radio, [])
        bluez.stop()
        with pytest.raises(RadioError, match="bluetoothd stopped"):
            await scan
    with pytest.raises(RadioError, match="bluetoothd is not running") as caught:
        async with radio:
            pass
    assert caught.value.reason is RadioFault.NO_SERVICE
    await bluez.start()
    heard: list[Heard] = []
    async with radio:
        await radio.rotate(random_advertisement())
        assert len(bluez.advertisements) == 1
        scan = await listening(bluez, radio, heard)
        bluez.report(9, random_advertisement().service_data, -70)
        await until(lambda: bool(heard))
        clock.advance(4.0)
        await scan


async def test_an_adapter_off_because_it_is_unplugged_is_switched_on_again(
    bluez: FakeBluez,
) -> None:
    radio = BluezRadio(None, ManualClock(START))
    async with radio:
        scan = await listening(bluez, radio, [])
        bluez.switch_off()
        bluez.unplug()
        with pytest.raises(RadioError, match="unplugged"):
            await scan
    bluez.adapters["/org/bluez/hci0"] = {ADVERTISER, MONITORS}
    async with radio:
        assert bluez.powered


async def test_a_person_who_switches_it_off_is_obeyed(bluez: FakeBluez) -> None:
    radio = BluezRadio(None, ManualClock(START), timeouts=Timeouts(unplugging_seconds=0.01))
    async with radio:
        scan = await listening(bluez, radio, [])
        bluez.switch_off()
        with pytest.raises(RadioError, match="switched off"):
            await scan
    with pytest.raises(RadioError, match="bluetoothctl power on") as caught:
        async with radio:
            pass
    assert caught.value.reason is RadioFault.POWERED_OFF
    bluez.powered = True
    async with radio:
        pass


async def test_an_advertisement_that_bluetoothd_removes_is_a_loss(bluez: FakeBluez) -> None:
    async with BluezRadio(None, ManualClock(START)) as radio:
        await radio.rotate(random_advertisement())
        await bluez.release(next(iter(bluez.advertisements)))
        with pytest.raises(RadioError, match="removed its advertisement"):
            await radio.rotate(random_advertisement())


@pytest.mark.parametrize(
    ("member", "error", "reason", "words"),
    [
        ("RegisterAdvertisement", "org.bluez.Error.Failed", RadioFault.REFUSED, "--radio mgmt"),
        ("RegisterAdvertisement", "org.bluez.Error.NotPermitted", RadioFault.REFUSED, "another"),
        ("UnregisterAdvertisement", "org.bluez.Error.DoesNotExist", RadioFault.REFUSED, "restart"),
    ],
)
async def test_refusals_to_advertise(
    bluez: FakeBluez, member: str, error: str, reason: RadioFault, words: str
) -> None:
    async with BluezRadio(None, ManualClock(START)) as radio:
        bluez.errors[member] = (error, "Failed to register advertisement")
        if member == "UnregisterAdvertisement":
            await radio.rotate(random_advertisement())
        with pytest.raises(RadioError, match=words) as caught:
            await radio.rotate(random_advertisement())
        assert caught.value.reason is reason
        bluez.errors.clear()
        if member == "RegisterAdvertisement":
            await radio.rotate(random_advertisement())
            assert len(bluez.advertisements) == 1


@pytest.mark.parametrize(
    ("member", "error", "reason", "words"),
    [
        ("GetManagedObjects", "org.freedesktop.DBus.Error.AccessDenied", "PERMISSION", "group"),
        ("GetManagedObjects", "org.freedesktop.DBus.Error.Spawn.ChildExited", "NO_SERVICE", "apt"),
        ("Set", "org.bluez.Error.Failed", "POWERED_OFF", "rfkill"),
        ("Set", "org.freedesktop.DBus.Error.AccessDenied", "PERMISSION", "group"),
    ],
)
async def test_refusals_to_open(
    bluez: FakeBluez, member: str, error: str, reason: str, words: str
) -> None:
    bluez.errors[member] = (error, "no")
    with pytest.raises(RadioError, match=words) as caught:
        async with BluezRadio(None, ManualClock(START)):
            pass
    assert caught.value.reason is RadioFault[reason]
    assert "\n" not in str(caught.value)


async def test_refusals_to_listen(bluez: FakeBluez) -> None:
    async with BluezRadio(None, ManualClock(START)) as radio:
        bluez.errors["StartDiscovery"] = ("org.bluez.Error.NotReady", "Resource Not Ready")
        with pytest.raises(RadioError) as caught:
            await radio.scan(4.0, lambda _: None)
        assert caught.value.reason is RadioFault.POWERED_OFF
        assert bluez.calls[-1] == "UnregisterMonitor"


async def test_adapters_are_chosen(bluez: FakeBluez) -> None:
    bluez.adapters = {
        "/org/bluez/hci10": {ADVERTISER, MONITORS},
        "/org/bluez/hci2": {ADVERTISER},
        "/org/bluez/hci1": set(),
    }
    for name, monitors in ((None, False), ("hci10", True)):
        async with BluezRadio(name, ManualClock(START)) as radio:
            await radio.rotate(random_advertisement())
            assert ("every packet" in radio.capabilities.note) is monitors
    for name, reason in (("hci1", RadioFault.NO_ADVERTISER), ("hci7", RadioFault.NO_ADAPTER)):
        with pytest.raises(RadioError, match=name) as caught:
            async with BluezRadio(name, ManualClock(START)):
                pass
        assert caught.value.reason is reason
    bluez.roles = []
    with pytest.raises(RadioError, match="no Bluetooth Low Energy"):
        async with BluezRadio(None, ManualClock(START)):
            pass


async def test_bluetoothd_that_does_not_answer_is_lost(bluez: FakeBluez) -> None:
    timeouts = Timeouts(command_seconds=2.0)
    async with BluezRadio(None, ManualClock(START), timeouts=timeouts) as radio:
        bluez.deaf.add("RegisterAdvertisement")
        with pytest.raises(RadioError, match="does not answer") as caught:
            await radio.rotate(random_advertisement())
        assert caught.value.reason is RadioFault.CONNECTION_LOST


@pytest.mark.parametrize("slow", ["RegisterMonitor", "StartDiscovery"])
async def test_a_scan_that_begins_too_late_is_ended_before_the_next(
    bluez: FakeBluez, slow: str
) -> None:
    clock = ManualClock(START)
    radio = BluezRadio(None, clock, timeouts=Timeouts(command_seconds=2.0))
    begun = bluez.slow[slow] = asyncio.Event()
    async with radio:
        await radio.rotate(random_advertisement())
        with pytest.raises(RadioError, match="does not answer") as caught:
            await radio.scan(4.0, lambda _: None)
        assert caught.value.reason is RadioFault.CONNECTION_LOST
        assert radio.capabilities.note == "every packet's strength"
    assert not bluez.advertisements
    with pytest.raises(RadioError, match="does not answer"):
        async with radio:
            pytest.fail("nobody knows yet what bluetoothd will do")
    begun.set()
    async with radio:
        assert not bluez.discovering
        assert bluez.calls.count("RegisterMonitor") == bluez.calls.count("UnregisterMonitor") == 1
        scan = await listening(bluez, radio, [])
        clock.advance(4.0)
        await scan
    assert not bluez.discovering


async def test_no_bus_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/nothing")
    with pytest.raises(RadioError, match="D-Bus is not running") as caught:
        async with BluezRadio(None, ManualClock(START)):
            pass
    assert caught.value.reason is RadioFault.NO_SERVICE


async def test_nothing_logged_holds_an_identifier(
    bluez: FakeBluez, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    clock = ManualClock(START)
    heard: list[Heard] = []
    advertisement = random_advertisement()
    async with BluezRadio(None, clock) as radio:
        await radio.rotate(advertisement)
        scan = await listening(bluez, radio, heard)
        bluez.report(1, advertisement.service_data, -60)
        await until(lambda: bool(heard))
        clock.advance(4.0)
        await scan
    text = caplog.text.lower()
    assert advertisement.rpi.hex() not in text
    assert repr(advertisement.rpi)[2:-1].lower() not in text
    assert "00:11:22" not in text
    assert "00_11_22" not in text


async def test_no_error_of_bluetoothds_brings_an_address_into_a_log(
    bluez: FakeBluez, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    clock = ManualClock(START)
    device = "/org/bluez/hci0/dev_00_11_22_33_44_55 and 00:11:22:33:44:66"
    said: list[str] = []
    async with BluezRadio(None, clock) as radio:
        scan = await listening(bluez, radio, [])
        # What makes bleak start once more, and warn when that fails.
        bluez.errors["StopDiscovery"] = ("org.bluez.Error.InProgress", f"stop {device}")
        bluez.errors["StartDiscovery"] = ("org.bluez.Error.Failed", f"start {device}")
        clock.advance(4.0)
        await scan
        for failing in (radio.scan(4.0, lambda _: None), radio.rotate(random_advertisement())):
            bluez.errors["RegisterAdvertisement"] = ("org.bluez.Error.Failed", f"send {device}")
            with pytest.raises(
                RadioError, match=r"bluetoothd refused \(Failed: s\w+ /org"
            ) as caught:
                await failing
            said.append(str(caught.value))
    text = "".join([caplog.text, *said])
    assert "00:11" not in text
    assert "00_11" not in text


def test_specs_are_read() -> None:
    clock = ManualClock(START)
    assert open_radio("bluez", clock).name == "bluez"
    assert open_radio("bluez:hci1", clock).name == "bluez:hci1"
    with pytest.raises(RadioError, match="no radio is called"):
        open_radio("bluez:../hci0", clock)


def test_unknown_refusals_are_one_line() -> None:
    error = refusal("org.bluez.Error.Strange", "first\nsecond")
    assert str(error) == "bluetoothd refused (Strange: first): restart it"
