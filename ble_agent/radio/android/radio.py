"""An Android phone's own Bluetooth: experimental, not yet run on a phone.

bleak listens, in active mode: in passive mode it hears only what other apps scan for. The
platform's advertiser sends. Android sends no Flags for an app, and draws a new address whenever an
advertisement starts, so an identifier is changed by stopping and starting.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakError,
)
from bleak.uuids import normalize_uuid_16

from ble_agent.messages.radio import radio_error
from ble_agent.radio.adapter import AdapterRadio
from ble_agent.radio.android.platform import AndroidPlatform, load_platform
from ble_agent.radio.protocol import Capabilities
from ble_agent.radio.quotation import hush, quote
from ble_agent.radio.real_time import Timeouts, slept_seconds
from tracing_core.clock import Clock
from tracing_core.errors import RadioError, RadioFault
from tracing_core.protocol.advertisement import SERVICE_UUID, Advertisement

__all__ = ["AndroidRadio"]

hush("bleak")

_TIMEOUTS = Timeouts()

_UUID = normalize_uuid_16(SERVICE_UUID)
_BLUETOOTH = "android.bluetooth.BluetoothAdapter"
_SETTINGS = "android.bluetooth.le.AdvertiseSettings"
_DATA = "android.bluetooth.le.AdvertiseData"
# AdvertiseCallback.ADVERTISE_FAILED_…
_FAILURES = {
    1: (RadioFault.NO_ADVERTISER, "android_too_large"),
    2: (RadioFault.REFUSED, "android_full"),
    3: (RadioFault.REFUSED, "android_twice"),
    4: (RadioFault.REFUSED, "android_fault"),
    5: (RadioFault.NO_ADVERTISER, "android_cannot_advertise"),
}


class AndroidRadio(AdapterRadio):
    """The phone's adapter, in an app built with Chaquopy or python-for-android.

    Parameters
    ----------
    clock
        The agent's clock, which times the scans.
    platform
        Bridge to Android's classes; the app's own unless given.
    timeouts, slept, language
        As for `AdapterRadio`.
    """

    capabilities = Capabilities(
        can_advertise=True,
        can_scan=True,
        exact_bytes=False,
        agent_chosen_address=False,
        note="experimental; in the background only while the app runs a foreground service",
    )
    # A phone sleeps whenever its screen is off, while its Bluetooth continues.
    _outlives_sleep = True

    def __init__(
        self,
        clock: Clock,
        *,
        platform: AndroidPlatform | None = None,
        timeouts: Timeouts = _TIMEOUTS,
        slept: Callable[[], float] = slept_seconds,
        language: str = "en",
    ) -> None:
        super().__init__("android", clock, timeouts, slept, language)
        self._platform = platform
        self._advertiser: Any = None
        self._callback: Any = None
        self._scanner: BleakScanner | None = None

    async def _open(self) -> None:
        self._callback = self._scanner = None
        if self._platform is None:
            self._platform = load_platform()
        self._advertiser = self._adapter().getBluetoothLeAdvertiser()
        if self._advertiser is None:
            raise radio_error(RadioFault.NO_ADVERTISER, "android_cannot_advertise")

    async def rest(self, seconds: float) -> None:
        """Wait for `seconds`, then check that Bluetooth is still on."""
        await super().rest(seconds)
        self._adapter()

    def _on_packet(self, _: BLEDevice, packet: AdvertisementData) -> None:
        body = packet.service_data.get(_UUID)
        self._hear(self._reception.read_service_data(body, packet.rssi, self.clock.now()))

    async def _start_listening(self) -> None:
        self._adapter()
        # Without a filter Android stops a scan when the screen goes off. It allows five scans per
        # half minute.
        scanner = BleakScanner(self._on_packet, [_UUID], scanning_mode="active")
        try:
            async with asyncio.timeout(self._timeouts.command_seconds):
                await scanner.start()
        except (BleakError, TimeoutError) as error:
            raise _scan_error(error) from error
        self._scanner = scanner

    async def _stop_listening(self) -> None:
        scanner, self._scanner = self._scanner, None
        if scanner is not None:
            with contextlib.suppress(BleakError):
                await scanner.stop()

    def _adapter(self) -> Any:
        assert self._platform is not None
        bluetooth = self._platform.find(_BLUETOOTH)
        adapter = bluetooth.getDefaultAdapter()
        if adapter is None:
            raise radio_error(RadioFault.NO_ADAPTER, "android_no_bluetooth")
        if adapter.getState() != bluetooth.STATE_ON:
            raise radio_error(RadioFault.POWERED_OFF, "android_off")
        return adapter

    async def _start_advertising(self, advertisement: Advertisement) -> None:
        assert self._platform is not None
        loop = asyncio.get_running_loop()
        started: asyncio.Future[int] = loop.create_future()

        def on_answer(code: int) -> None:
            # Android calls this in one of its threads.
            loop.call_soon_threadsafe(lambda: None if started.done() else started.set_result(code))

        self._callback = self._platform.make_callback(on_answer)
        try:
            with self._platform.translated():
                self._advertiser.startAdvertising(
                    self._settings(), self._data(advertisement), self._callback
                )
            async with asyncio.timeout(self._timeouts.command_seconds):
                code = await started
        except TimeoutError as error:
            raise radio_error(RadioFault.CONNECTION_LOST, "android_silent") from error
        if code:
            self._callback = None
            reason, name = _FAILURES.get(code, (RadioFault.REFUSED, "android_code"))
            raise radio_error(reason, name, code=code)

    async def _stop_advertising(self) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            assert self._platform is not None
            with self._platform.translated():
                self._advertiser.stopAdvertising(callback)

    def _settings(self) -> Any:
        assert self._platform is not None
        settings = self._platform.find(_SETTINGS)
        builder = self._platform.inner(_SETTINGS, "Builder")()
        # Balanced means a packet every 250 ms. Android allows timeouts of up to three minutes; even
        # without one it stops the advertisement of a dead app.
        builder.setAdvertiseMode(settings.ADVERTISE_MODE_BALANCED)
        builder.setConnectable(False)
        builder.setTimeout(0)
        return builder.build()

    def _data(self, advertisement: Advertisement) -> Any:
        assert self._platform is not None
        uuid = self._platform.find("android.os.ParcelUuid").fromString(_UUID)
        builder = self._platform.inner(_DATA, "Builder")()
        builder.setIncludeDeviceName(False)
        builder.setIncludeTxPowerLevel(False)
        builder.addServiceUuid(uuid)
        builder.addServiceData(uuid, self._platform.to_java_bytes(advertisement.service_data))
        return builder.build()


def _scan_error(error: Exception) -> RadioError:
    if isinstance(error, BleakBluetoothNotAvailableError):
        if error.reason is BleakBluetoothNotAvailableReason.POWERED_OFF:
            return radio_error(RadioFault.POWERED_OFF, "android_off")
        if error.reason is BleakBluetoothNotAvailableReason.NO_BLUETOOTH:
            return radio_error(RadioFault.NO_ADAPTER, "android_no_bluetooth")
        return radio_error(RadioFault.PERMISSION, "android_permission")
    if isinstance(error, TimeoutError):
        return radio_error(RadioFault.CONNECTION_LOST, "android_silent")
    return radio_error(RadioFault.REFUSED, "android_scan", reason=quote(error))
