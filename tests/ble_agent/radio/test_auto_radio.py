"""The radio `auto`: what it takes, what it says of it, and what it does when that fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from ble_agent.messages.language import Text
from ble_agent.radio.auto import AutoRadio
from ble_agent.radio.opening import open_radio
from ble_agent.radio.protocol import Capabilities, Finding, Heard
from tests.ble_agent.virtual_air.airs import START, random_advertisement
from tracing_core.clock import Clock, ManualClock
from tracing_core.errors import AdvertisementFault, MissingExtra, RadioError, RadioFault
from tracing_core.protocol.advertisement import Advertisement


class OneRadio:
    """A radio that does what a test tells it to."""

    exhausted = False
    capabilities = Capabilities(True, True, True, False, "a note")

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self.clock = clock
        self.rejected: Counter[AdvertisementFault] = Counter()
        self.without_rssi = 0
        self.open_error: Exception | None = None
        self.send_error: RadioError | None = None
        self.is_open = False
        self.sent: list[Advertisement | None] = []

    async def __aenter__(self) -> OneRadio:
        if self.open_error is not None:
            raise self.open_error
        self.is_open = True
        return self

    async def __aexit__(self, *_: Any) -> None:
        self.is_open = False

    async def rotate(self, advertisement: Advertisement | None) -> None:
        if self.send_error is not None:
            raise self.send_error
        self.sent.append(advertisement)

    async def scan(self, seconds: float, heard: Callable[[Heard], None]) -> None:
        self.without_rssi += 1
        self.rejected[AdvertisementFault.TRUNCATED] += 1

    async def rest(self, seconds: float) -> None:
        if self.send_error is not None:
            raise self.send_error

    async def self_test(self) -> list[Finding]:
        return [Finding(True, Text("it works", "chạy tốt"))]


class Radios:
    """What there is on a device."""

    def __init__(self) -> None:
        clock = ManualClock(START)
        self.mgmt, self.bluez = OneRadio("mgmt", clock), OneRadio("bluez", clock)
        self.auto = AutoRadio(clock, self.make)
        self.made: list[str] = []

    def make(self, kind: str, clock: Clock) -> Any:
        self.made.append(kind)
        return {"mgmt": self.mgmt, "bluez": self.bluez, "android": self.bluez}[kind]


NO_RIGHT = RadioError(RadioFault.PERMISSION, "no right")
REFUSED = RadioError(RadioFault.REFUSED, "the kernel refused")
LOST = RadioError(RadioFault.CONNECTION_LOST, "it went away")


OFF = RadioError(RadioFault.POWERED_OFF, "the adapter hci0 is off")


async def test_an_adapter_switched_off_is_not_switched_on_by_another_kind() -> None:
    radios = Radios()
    async with radios.auto:
        pass
    radios.mgmt.open_error = OFF
    with pytest.raises(RadioError, match="is off"):
        await radios.auto.__aenter__()
    radios.mgmt.open_error = None
    async with radios.auto:
        assert radios.mgmt.is_open
    # Each is made once, for it remembers that somebody switched it off.
    assert radios.made == ["mgmt"]


async def test_an_adapter_off_at_the_start_is_left_to_another_kind() -> None:
    radios = Radios()
    radios.mgmt.open_error = OFF
    async with radios.auto:
        assert radios.bluez.is_open


async def test_the_best_that_opens_is_taken() -> None:
    radios = Radios()
    assert radios.auto.name == "auto"
    assert radios.auto.capabilities.can_advertise is False
    async with radios.auto as auto:
        assert auto.name == "auto (mgmt)"
        assert auto.capabilities.note == "a note"
        await auto.rotate(None)
        await auto.scan(1.0, lambda _: None)
        assert radios.mgmt.is_open
        assert not radios.bluez.is_open
    assert radios.mgmt.sent == [None]
    assert not radios.mgmt.is_open


async def test_what_keeps_the_better_from_opening_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    radios = Radios()
    radios.mgmt.open_error = NO_RIGHT
    async with radios.auto as auto:
        assert auto.name == "auto (bluez)"
        findings = await auto.self_test()
    assert [finding.text.en for finding in findings] == [
        "Chosen: bluez (shares the adapter with other programs and needs no special permission).",
        "Not mgmt: no right.",
        "it works",
    ]
    assert findings[1].text.vi.startswith("Không chọn mgmt: ")
    assert all(finding.ok for finding in findings)
    assert "auto did not choose mgmt: no right" in caplog.text


async def test_none_that_opens_is_one_error_that_names_each() -> None:
    radios = Radios()
    radios.mgmt.open_error = NO_RIGHT
    radios.bluez.open_error = MissingExtra("bleak", extra="agent")
    with pytest.raises(RadioError) as caught:
        async with radios.auto:
            pass
    assert str(caught.value) == (
        "no radio can be used:\n  mgmt: no right\n"
        "  bluez: bleak is not installed: run pip install '.[agent]' in the project's folder"
    )
    assert caught.value.reason is RadioFault.NO_ADAPTER


async def test_one_that_refuses_to_send_gives_way_to_the_next() -> None:
    radios = Radios()
    radios.mgmt.send_error = REFUSED
    async with radios.auto as auto:
        with pytest.raises(RadioError, match="refused"):
            await auto.rotate(random_advertisement())
    async with radios.auto as auto:
        assert auto.name == "auto (bluez)"
        radios.bluez.send_error = REFUSED
        with pytest.raises(RadioError, match="refused"):
            await auto.rotate(random_advertisement())
    # When none is left, all are tried again.
    async with radios.auto as auto:
        assert auto.name == "auto (mgmt)"


async def test_one_that_goes_away_is_taken_again() -> None:
    radios = Radios()
    radios.mgmt.send_error = LOST
    async with radios.auto as auto:
        for doing in (auto.rest(300.0), auto.rotate(random_advertisement())):
            with pytest.raises(RadioError, match="went away"):
                await doing
    async with radios.auto as auto:
        assert auto.name == "auto (mgmt)"


async def test_counts_go_on_over_openings() -> None:
    radios = Radios()
    async with radios.auto as auto:
        await auto.scan(1.0, lambda _: None)
        assert auto.without_rssi == 1
    radios.mgmt.open_error = NO_RIGHT
    async with radios.auto as auto:
        await auto.scan(1.0, lambda _: None)
        assert auto.without_rssi == 2
        assert auto.rejected[AdvertisementFault.TRUNCATED] == 2


async def test_on_android_there_is_one_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P4A_BOOTSTRAP", "webview")
    radios = Radios()
    async with radios.auto as auto:
        assert auto.name == "auto (android)"
    assert not radios.mgmt.is_open


def test_auto_is_what_the_text_opens() -> None:
    assert open_radio("auto", ManualClock(START)).name == "auto"
    with pytest.raises(RadioError, match="no radio is called"):
        open_radio("auto:hci0", ManualClock(START))
