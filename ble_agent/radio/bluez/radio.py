"""An adapter shared with the rest of the system, through bluetoothd.

bleak listens; advertising is done here, because no library registers what is needed. bluetoothd
refuses Flags in advertisements that take no connections, and the kernel draws a new address for
every registered advertisement. So an identifier is changed by unregistering and registering, never
by changing a property, which would send the new identifier under the old address.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from bleak import BleakScanner
from bleak.args.bluez import BlueZScannerArgs, OrPattern
from bleak.assigned_numbers import AdvertisementDataType
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakBluetoothNotAvailableError, BleakDBusError, BleakError
from bleak.uuids import normalize_uuid_16

from ble_agent.messages.language import Text
from ble_agent.messages.radio import radio_error, radio_text
from ble_agent.radio.adapter import AdapterRadio, retrieve
from ble_agent.radio.bluez.advertisement import BluezAdvertisement
from ble_agent.radio.bluez.service import Adapter, BluezService, refusal
from ble_agent.radio.protocol import (
    LONGEST_CONTROLLER_TIMEOUT_SECONDS,
    Capabilities,
    Finding,
    seconds_on_air,
)
from ble_agent.radio.quotation import hush
from ble_agent.radio.real_time import Timeouts, slept_seconds
from tracing_core.clock import Clock
from tracing_core.errors import RadioError, RadioFault
from tracing_core.protocol.advertisement import SERVICE_UUID, Advertisement

__all__ = ["BluezRadio"]

_TIMEOUTS = Timeouts()
hush("bleak", "dbus_fast")

_UUID = normalize_uuid_16(SERVICE_UUID)
_PATTERN = OrPattern(
    0, AdvertisementDataType.SERVICE_DATA_UUID16, SERVICE_UUID.to_bytes(2, "little")
)
_NO_RSSI_DBM = -127
# With an RSSI filter bluetoothd reports every strength, however little it changed; this passes all.
_EVERY_RSSI_DBM = -127


class BluezRadio(AdapterRadio):
    """An adapter used through bluetoothd.

    Parameters
    ----------
    adapter
        ``hci0`` or another; None for the first suitable one.
    clock
        The agent's clock, which times the scans.
    timeouts, slept, language
        As for `AdapterRadio`.
    """

    def __init__(
        self,
        adapter: str | None,
        clock: Clock,
        *,
        timeouts: Timeouts = _TIMEOUTS,
        slept: Callable[[], float] = slept_seconds,
        language: str = "en",
    ) -> None:
        name = "bluez" if adapter is None else f"bluez:{adapter}"
        super().__init__(name, clock, timeouts, slept, language)
        self._chosen = adapter
        self._opened_service: BluezService | None = None
        self._sent: tuple[str, BluezAdvertisement] | None = None
        self._scanners: list[BleakScanner] = []
        self._adapter: Adapter | None = None
        self._monitors = False
        self._count = 0
        self._late: asyncio.Task[None] | None = None

    @property
    def capabilities(self) -> Capabilities:
        """What the radio can do, known exactly while it is open."""
        return Capabilities(
            can_advertise=True,
            can_scan=True,
            exact_bytes=False,
            agent_chosen_address=False,
            # bluetoothd can only listen actively, and for that the kernel draws an address. A
            # legacy controller has only one, so the advertisement moves to it (since Linux
            # 6.12.118).
            listens_while_sending=self._adapter is None or self._adapter.is_extended,
            note="every packet's strength"
            if self._monitors
            else "one packet per device and scan: bluetoothd runs without --experimental",
        )

    @property
    def _service(self) -> BluezService:
        assert self._opened_service is not None
        return self._opened_service

    async def _open(self) -> None:
        await self._end_late_scan()
        self._sent, self._scanners = None, []
        self._opened_service = BluezService(
            self._lose, self._note_switched_off, self._timeouts.command_seconds
        )
        # bluetoothd removes what was registered by a connection that closes.
        self._undo.push_async_callback(self._service.close)
        await self._service.connect()
        self._adapter = await self._find()
        self._monitors = self._adapter.can_monitor
        self._service.use(self._adapter)
        await self._power_on(self._adapter)

    async def self_test(self) -> list[Finding]:
        """Send a random identifier, listen meanwhile, and return what works."""
        findings = await super().self_test()
        if not self.capabilities.listens_while_sending:
            findings.append(Finding(True, radio_text("test_between")))
        if not self._monitors:
            findings.append(Finding(True, radio_text("test_one_packet")))
        return findings

    async def _find(self) -> Adapter:
        found = await self._service.adapters()
        if self._chosen is not None:
            found = [adapter for adapter in found if adapter.name == self._chosen]
        if not found:
            self._switched_off = False
            if self._chosen is None:
                raise radio_error(RadioFault.NO_ADAPTER, "bluez_no_adapter")
            raise radio_error(RadioFault.NO_ADAPTER, "bluez_no_such_adapter", adapter=self._chosen)
        able = [adapter for adapter in found if adapter.has_low_energy and adapter.can_advertise]
        if able:
            # An adapter that is on is meant to be used.
            return next((adapter for adapter in able if adapter.powered), able[0])
        if found[0].has_low_energy:
            raise radio_error(RadioFault.NO_ADVERTISER, "cannot_advertise", adapter=found[0].name)
        raise radio_error(RadioFault.NO_LOW_ENERGY, "no_low_energy", adapter=found[0].name)

    async def _power_on(self, adapter: Adapter) -> None:
        if adapter.powered:
            self._switched_off = False
            return
        if self._switched_off:
            # Someone switched it off on purpose while it was in use.
            raise refusal("org.bluez.Error.NotReady", "")
        try:
            await self._service.power_on()
        except RadioError as error:
            if error.reason is RadioFault.REFUSED:
                # bluetoothd reports only "Failed" when rfkill blocks the adapter.
                raise refusal("org.bluez.Error.NotReady", "") from error
            raise

    async def _start_advertising(self, advertisement: Advertisement) -> None:
        # No object path is used twice, so that an answer about an old advertisement is not taken
        # for one about this.
        self._count += 1
        path = f"/org/truyvet/advertisement{self._count}"
        timeout = seconds_on_air(self.clock)
        assert self._adapter is not None
        if self._adapter.is_extended and timeout > LONGEST_CONTROLLER_TIMEOUT_SECONDS:
            # A longer timeout would end too early; a dead agent's advertisement ends with its
            # connection.
            timeout = 0
        sent = (
            path,
            BluezAdvertisement(
                advertisement.service_data,
                timeout,
                lambda: self._released(path),
            ),
        )
        self._sent = sent
        try:
            await self._service.register(*sent)
        except RadioError as error:
            self._sent = None
            if error.reason is not RadioFault.REFUSED:
                raise
            why = Text(str(error), error.vi)
            raise radio_error(RadioFault.REFUSED, "bluez_kernel", error=why) from error

    async def _stop_advertising(self) -> None:
        if self._sent is not None:
            sent, self._sent = self._sent, None
            try:
                await self._service.unregister(*sent)
            except BaseException:
                self._lose(radio_text("bluetoothd_still_sending"))
                raise

    def _released(self, path: str) -> None:
        if self._sent is not None and self._sent[0] == path:
            self._sent = None
            self._lose(radio_text("bluetoothd_removed"))

    def _on_packet(self, _: BLEDevice, packet: AdvertisementData) -> None:
        rssi_dbm = None if packet.rssi == _NO_RSSI_DBM else packet.rssi
        body = packet.service_data.get(_UUID)
        self._hear(self._reception.read_service_data(body, rssi_dbm, self.clock.now()))

    async def _start_listening(self) -> None:
        assert self._adapter is not None
        name = self._adapter.name
        if self._monitors:
            # While a monitor is registered the kernel does not filter duplicates; the other scanner
            # hears the same packets.
            arguments: BlueZScannerArgs = {"adapter": name, "or_patterns": [_PATTERN]}
            scanner = BleakScanner(_ignore, scanning_mode="passive", bluez=arguments)
            try:
                await self._begin(scanner)
            except RadioError:
                self._check()
                if self._late is not None:
                    raise
                self._log(logging.INFO, "log_no_monitors")
                self._monitors = False
        arguments = {
            "adapter": name,
            "filters": {"DuplicateData": True, "RSSI": _EVERY_RSSI_DBM},
        }
        await self._begin(BleakScanner(self._on_packet, [_UUID], bluez=arguments))

    async def _begin(self, scanner: BleakScanner) -> None:
        starting = asyncio.ensure_future(scanner.start())
        try:
            async with asyncio.timeout(self._timeouts.command_seconds):
                await asyncio.wait({starting})
            starting.result()
        except (BleakError, OSError, EOFError, TimeoutError) as error:
            if not starting.done():
                # bleak's connection outlives ours, and bluetoothd may still start the scan.
                scanners, self._scanners = [*self._scanners, scanner], []
                self._late = asyncio.create_task(_stop_late(starting, scanners))
            raise _scan_error(error) from error
        self._scanners.append(scanner)

    async def _end_late_scan(self) -> None:
        """Wait until nothing is left of a scan that bluetoothd was too slow to start."""
        if self._late is not None:
            await asyncio.wait({self._late}, timeout=self._timeouts.command_seconds)
            if not self._late.done():
                raise _scan_error(TimeoutError())
            self._late = None

    async def _stop_listening(self) -> None:
        failure: RadioError | None = None
        while self._scanners:
            scanner = self._scanners.pop()
            try:
                async with asyncio.timeout(self._timeouts.command_seconds):
                    await scanner.stop()
            except (BleakError, OSError, EOFError, TimeoutError) as error:
                failure = _scan_error(error)
        if failure is not None:
            raise failure


async def _stop_late(starting: asyncio.Future[None], scanners: list[BleakScanner]) -> None:
    """Stop scanners once the last of them has started or failed."""
    await asyncio.wait({starting})
    retrieve(starting)
    for scanner in reversed(scanners):
        with contextlib.suppress(BleakError, OSError, EOFError):
            await scanner.stop()


def _ignore(_: BLEDevice, __: AdvertisementData) -> None:
    """Ignore a packet that the other scanner hears too."""


def _scan_error(error: Exception) -> RadioError:
    if isinstance(error, BleakDBusError):
        details = error.args[1] if len(error.args) > 1 else ""
        return refusal(error.dbus_error, str(details))
    if isinstance(error, BleakBluetoothNotAvailableError):
        return refusal("org.bluez.Error.NotReady", "")
    if isinstance(error, BleakError):
        return refusal("org.freedesktop.DBus.Error.UnknownObject", "")
    return refusal("org.freedesktop.DBus.Error.NoReply", "")
