"""The radio `android` on a fake phone, with bleak's real scanner for python-for-android."""

from __future__ import annotations

import asyncio
import sys

import pytest

from ble_agent.radio.opening import open_radio
from ble_agent.radio.protocol import Heard
from ble_agent.radio.real_time import Timeouts
from tests.ble_agent.radio.android.fake_android import (
    SERVICE_UUID,
    Phone,
    install_chaquopy,
    install_pyjnius,
)
from tests.ble_agent.virtual_air.airs import START, random_advertisement, until
from tracing_core.clock import ManualClock
from tracing_core.errors import AdvertisementFault, RadioError, RadioFault

pytest.importorskip("bleak")

from ble_agent.radio.android.radio import AndroidRadio


@pytest.fixture(params=["pyjnius", "chaquopy"])
def phone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Phone:
    fake = Phone()
    (install_pyjnius if request.param == "pyjnius" else install_chaquopy)(fake, monkeypatch)
    return fake


@pytest.fixture
def scanning_phone(monkeypatch: pytest.MonkeyPatch) -> Phone:
    fake = Phone()
    install_pyjnius(fake, monkeypatch)
    return fake


async def test_every_identifier_is_an_advertisement_of_its_own(phone: Phone) -> None:
    async with AndroidRadio(ManualClock(START)) as radio:
        callbacks = set()
        for _ in range(3):
            advertisement = random_advertisement()
            await radio.rotate(advertisement)
            ((settings, data, callback),) = phone.on_air
            callbacks.add(callback)
            assert bytes(data.pop("addServiceData")[1]) == advertisement.service_data
            assert data == {
                "setIncludeDeviceName": False,
                "setIncludeTxPowerLevel": False,
                "addServiceUuid": SERVICE_UUID,
            }
            assert settings["setConnectable"] is False
            assert settings["setTimeout"] == 0
            balanced = phone.find("android.bluetooth.le.AdvertiseSettings").ADVERTISE_MODE_BALANCED
            assert settings["setAdvertiseMode"] == balanced
        assert len(callbacks) == 3
        await radio.rotate(None)
        assert not phone.on_air
        await radio.rotate(random_advertisement())
    assert not phone.on_air


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (1, RadioFault.NO_ADVERTISER, "too large"),
        (2, RadioFault.REFUSED, "other apps"),
        (5, RadioFault.NO_ADVERTISER, "cannot advertise"),
        (77, RadioFault.REFUSED, "77"),
    ],
)
async def test_refusals_to_advertise(
    phone: Phone, code: int, reason: RadioFault, words: str
) -> None:
    async with AndroidRadio(ManualClock(START)) as radio:
        phone.answer = code
        with pytest.raises(RadioError, match=words) as caught:
            await radio.rotate(random_advertisement())
        assert caught.value.reason is reason
        phone.answer = 0
        await radio.rotate(random_advertisement())
        assert len(phone.on_air) == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("JVM exception: java.lang.SecurityException: 11:22:33", RadioFault.PERMISSION),
        ("JVM exception: java.lang.IllegalStateException: 11:22:33", RadioFault.REFUSED),
    ],
)
async def test_exceptions_of_java_say_what_to_do(
    phone: Phone, error: str, reason: RadioFault
) -> None:
    async with AndroidRadio(ManualClock(START)) as radio:
        phone.error = error
        with pytest.raises(RadioError) as caught:
            await radio.rotate(random_advertisement())
        assert caught.value.reason is reason
        assert "11:22" not in str(caught.value)
        phone.error = ""


async def test_a_phone_that_does_not_answer_is_lost(phone: Phone) -> None:
    timeouts = Timeouts(command_seconds=0.05)
    async with AndroidRadio(ManualClock(START), timeouts=timeouts) as radio:
        phone.answer = None
        with pytest.raises(RadioError, match="does not answer") as caught:
            await radio.rotate(random_advertisement())
        assert caught.value.reason is RadioFault.CONNECTION_LOST


async def test_phones_without_what_it_takes_say_so(phone: Phone) -> None:
    for attribute, value, reason in (
        ("has_adapter", False, RadioFault.NO_ADAPTER),
        ("has_advertiser", False, RadioFault.NO_ADVERTISER),
        ("state", 10, RadioFault.POWERED_OFF),
    ):
        good = getattr(phone, attribute)
        setattr(phone, attribute, value)
        with pytest.raises(RadioError) as caught:
            async with AndroidRadio(ManualClock(START)):
                pass
        assert caught.value.reason is reason
        setattr(phone, attribute, good)


async def test_a_scan_delivers_every_packet_and_counts_the_rest(scanning_phone: Phone) -> None:
    phone, clock = scanning_phone, ManualClock(START)
    heard: list[Heard] = []
    async with AndroidRadio(clock) as radio:
        scan = asyncio.create_task(radio.scan(4.0, heard.append))
        await until(lambda: bool(phone.scans) or scan.done())
        advertisement = random_advertisement()
        for rssi_dbm in (-60, -61, 127):
            phone.report(advertisement.service_data, rssi_dbm)
        phone.report(b"short", -60)
        phone.report(None, -60)
        await until(lambda: radio.rejected.total() == 2)
        # bleak waits a fifth of a second for Android to refuse; only then the time of a scan runs.
        while not scan.done():
            clock.advance(4.0)
            await asyncio.sleep(0.01)
        await scan
        assert not phone.scans
    assert heard == [Heard(advertisement, -60, START), Heard(advertisement, -61, START)]
    assert radio.without_rssi == 1
    assert radio.rejected[AdvertisementFault.WRONG_LENGTH] == 1
    assert radio.rejected[AdvertisementFault.NO_SERVICE_DATA] == 1


async def test_self_test_sends_and_listens(scanning_phone: Phone) -> None:
    clock = ManualClock(START)
    async with AndroidRadio(clock) as radio:
        testing = asyncio.create_task(radio.self_test())
        while not testing.done():
            clock.advance(1.0)
            await asyncio.sleep(0.01)
        assert all(finding.ok for finding in await testing)
        scanning_phone.state = 10
        with pytest.raises(RadioError, match="switch it on"):
            await radio.scan(4.0, lambda _: None)


async def test_bluetooth_switched_off_is_noticed_and_sleep_is_not(phone: Phone) -> None:
    slept = [0.0]
    async with AndroidRadio(ManualClock(START), slept=lambda: slept[-1]) as radio:
        slept.append(1e9)
        await radio.rotate(random_advertisement())
        await radio.rest(0.0)
        phone.state = 10
        with pytest.raises(RadioError) as caught:
            await radio.rest(0.0)
        assert caught.value.reason is RadioFault.POWERED_OFF


async def test_elsewhere_it_says_where_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("java", "jnius"):
        monkeypatch.setitem(sys.modules, name, None)
    radio = open_radio("android", ManualClock(START))
    with pytest.raises(RadioError, match="only in an Android app"):
        async with radio:
            pass
