"""An adapter shared with the system, through the kernel's management channel.

The bytes on the air are exactly the specification's, and the kernel draws a new non-resolvable
private address for every identifier. Listening is passive: an advertisement monitor makes the
kernel listen without sending and without its filter of duplicates. It works with or without
bluetoothd, and needs CAP_NET_ADMIN.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import struct
from collections.abc import Callable, Iterator, Mapping

from ble_agent.messages.radio import radio_error, radio_text
from ble_agent.radio.adapter import SLEPT, AdapterRadio
from ble_agent.radio.mgmt.channel import (
    NO_INDEX,
    MgmtChannel,
    MgmtCommand,
    MgmtEvent,
    MgmtRefusedError,
    MgmtStatus,
    is_powered,
    open_control_channel,
    read_adv_features,
    read_controller_info,
    read_device_found,
    read_monitors,
    read_tlvs,
)
from ble_agent.radio.mgmt.guardian import Guardian
from ble_agent.radio.protocol import (
    LONGEST_CONTROLLER_TIMEOUT_SECONDS,
    Capabilities,
    Finding,
    seconds_on_air,
)
from ble_agent.radio.real_time import Timeouts, slept_seconds
from tracing_core.clock import Clock
from tracing_core.errors import AdvertisementFault, RadioError, RadioFault
from tracing_core.protocol.advertisement import FLAGS, SERVICE_UUID, Advertisement

__all__ = ["MgmtRadio"]

_TIMEOUTS = Timeouts()
_LE_ADDRESSES = bytes([0x06])  # public and random
# One pattern: at the start of Service Data, 2 bytes that are the service's UUID, padded to 31.
_PATTERNS = struct.pack("<BBBBH29x", 1, 0x16, 0, 2, SERVICE_UUID)
# Types of Read and Set Default System Configuration, and their values in slots of 0.625 ms:
# advertising every 200 to 260 ms (the controller adds up to 10), listening without a pause. With a
# legacy controller the kernel still sends every 100 to 150 ms.
_DEFAULTS = {
    kind: struct.pack("<H", slots)
    for kind, slots in {0x000A: 320, 0x000B: 416, 0x0013: 160, 0x0014: 160}.items()
}


class MgmtRadio(AdapterRadio):
    """An adapter used through the kernel's management channel.

    Parameters
    ----------
    index
        Number of the adapter: 0 for hci0; None for the first with Low Energy.
    clock
        The agent's clock, which times the scans.
    flags
        The Flags to send; None for none, as on Android.
    connect
        Opens the channel.
    timeouts, slept, language
        As for `AdapterRadio`.
    """

    def __init__(
        self,
        index: int | None,
        clock: Clock,
        *,
        flags: int | None = FLAGS,
        connect: Callable[[], socket.socket] = open_control_channel,
        timeouts: Timeouts = _TIMEOUTS,
        slept: Callable[[], float] = slept_seconds,
        language: str = "en",
    ) -> None:
        name = "mgmt" if index is None else f"mgmt:hci{index}"
        super().__init__(name, clock, timeouts, slept, language)
        self._chosen = index
        self._flags = flags
        self._connect = connect
        self._has_monitors = True
        self._opened_channel: MgmtChannel | None = None
        self.guardian: Guardian | None = None
        """The process that removes what a dead agent leaves; None before the radio is open."""
        self._index = NO_INDEX
        self._instance = b""
        self._is_extended = False
        self._foreign_monitors: list[bytes] = []
        self._advertising = False
        self._monitor: bytes | None = None
        self._discovering = False

    @property
    def _channel(self) -> MgmtChannel:
        assert self._opened_channel is not None
        return self._opened_channel

    @property
    def capabilities(self) -> Capabilities:
        """What the radio can do; how well it listens is known after the first scan."""
        return Capabilities(
            can_advertise=True,
            can_scan=True,
            exact_bytes=True,
            agent_chosen_address=False,
            note="every packet's strength, heard without sending"
            if self._has_monitors
            else "one packet per device and scan: the kernel is older than 5.10",
        )

    async def _open(self) -> None:
        self._index, self._advertising = NO_INDEX, False
        self._monitor, self._discovering = None, False
        try:
            channel = self._connect()
        except OSError as error:
            raise _no_channel(error) from error
        self._opened_channel = MgmtChannel(
            channel, self._on_event, lambda: self._lose(radio_text("channel_closed"))
        )
        self._undo.callback(self._channel.close)
        self._index = await self._find()
        await self._power_on()
        await self._take_instance()
        await self._list_monitors()
        await self._set_defaults()

    async def _silence_what_was_lost(self) -> None:
        if self._advertising:
            # After suspend, for example, the adapter may still be there and sending.
            self._advertising = False
            with contextlib.suppress(MgmtRefusedError, OSError, TimeoutError):
                await self._channel.command(
                    MgmtCommand.REMOVE_ADVERTISING,
                    self._index,
                    self._instance,
                    seconds=self._timeouts.command_seconds,
                )

    async def self_test(self) -> list[Finding]:
        """Send a random identifier, listen meanwhile, and return what works."""
        findings = await super().self_test()
        if not self._has_monitors:
            findings.append(Finding(True, radio_text("test_old_kernel")))
        return findings

    def _on_event(self, event: int, index: int, body: bytes) -> None:
        if index != self._index or index == NO_INDEX:
            return
        if event in (MgmtEvent.MONITOR_DEVICE_FOUND, MgmtEvent.DEVICE_FOUND):
            self._on_found(event, body)
        elif event == MgmtEvent.INDEX_REMOVED:
            self._lose(radio_text("unplugged"))
        elif event == MgmtEvent.NEW_SETTINGS and not is_powered(body):
            self._note_switched_off()
        elif event == MgmtEvent.CONTROLLER_RESUME and self._advertising:
            # After suspend the kernel continues with the old identifier under a new address.
            self._lose(SLEPT)
        elif (
            event == MgmtEvent.ADVERTISING_REMOVED
            and body[:1] == self._instance
            and self._advertising
        ):
            # Its time was up, or bluetoothd restarted and removed it.
            self._advertising = False
            self._lose(radio_text("advertisement_removed"))

    def _on_found(self, event: int, body: bytes) -> None:
        if not self._listening:
            return
        found = read_device_found(event, body)
        if found is None:
            self._reception.rejected[AdvertisementFault.TRUNCATED] += 1
            return
        self._hear(self._reception.read(found.data, found.rssi_dbm, self.clock.now()))

    async def _find(self) -> int:
        answer = await self._command(MgmtCommand.READ_INDEX_LIST, index=NO_INDEX)
        with _whole():
            (count,) = struct.unpack_from("<H", answer)
            found: list[int] = sorted(struct.unpack_from(f"<{count}H", answer, 2))
        if self._chosen is not None:
            found = [index for index in found if index == self._chosen]
        for index in found:
            with _whole():
                info = read_controller_info(await self._command(MgmtCommand.READ_INFO, index=index))
            if info.has_low_energy:
                return index
        if found:
            raise radio_error(RadioFault.NO_LOW_ENERGY, "no_low_energy", adapter=f"hci{found[0]}")
        self._switched_off = False
        if self._chosen is None:
            raise radio_error(RadioFault.NO_ADAPTER, "no_adapter")
        raise radio_error(RadioFault.NO_ADAPTER, "no_such_adapter", adapter=f"hci{self._chosen}")

    async def _power_on(self) -> None:
        with _whole():
            info = read_controller_info(await self._command(MgmtCommand.READ_INFO))
        if not info.low_energy_on:
            await self._command(MgmtCommand.SET_LE, b"\x01")
        if info.powered:
            self._switched_off = False
        elif self._switched_off:
            # Someone switched it off on purpose while it was in use.
            raise _refused(MgmtCommand.SET_POWERED, MgmtStatus.NOT_POWERED, f"hci{self._index}")
        else:
            try:
                await self._command(MgmtCommand.SET_POWERED, b"\x01")
            except _Refused as error:
                if error.status != MgmtStatus.FAILED:
                    raise
                # Kernel 6.12 gives no other reason when rfkill blocks the adapter.
                raise _refused(
                    MgmtCommand.SET_POWERED, MgmtStatus.RFKILLED, f"hci{self._index}"
                ) from error

    async def _take_instance(self) -> None:
        with _whole():
            features = read_adv_features(await self._command(MgmtCommand.READ_ADV_FEATURES))
        if features.most_instances == 0:
            raise radio_error(
                RadioFault.NO_ADVERTISER, "cannot_advertise", adapter=f"hci{self._index}"
            )
        # bluetoothd takes the lowest free instance, so the agent takes the highest. An
        # advertisement there was left by an agent that was killed.
        self._instance = bytes([features.most_instances])
        if self._instance in features.used_instances:
            await self._command(MgmtCommand.REMOVE_ADVERTISING, self._instance)
        self._is_extended = features.is_extended
        try:
            self.guardian = Guardian(
                self._index,
                self._instance[0],
                self._connect,
                self._lose_guardian,
                closing_seconds=self._timeouts.closing_seconds,
            )
        except OSError as error:
            raise radio_error(
                RadioFault.REFUSED, "no_guardian", name=self.name, reason=error.strerror
            ) from error
        self._undo.push_async_callback(self.guardian.close)
        self._undo.push_async_callback(self._silence_what_was_lost)

    async def _list_monitors(self) -> None:
        """Note the monitors of other programs and of killed agents."""
        self._foreign_monitors = []
        with contextlib.suppress(_Refused), _whole():
            answer = await self._command(MgmtCommand.READ_MONITOR_FEATURES)
            self._foreign_monitors = read_monitors(answer)

    async def _set_defaults(self) -> None:
        """Set the protocol's intervals; an older kernel keeps its own."""
        with contextlib.suppress(_Refused):
            before = read_tlvs(await self._command(MgmtCommand.READ_DEFAULTS))
            ours = {kind: value for kind, value in _DEFAULTS.items() if kind in before}
            await self._command(MgmtCommand.SET_DEFAULTS, _tlvs(ours))
            restored = _tlvs({kind: before[kind] for kind in ours})
            self._undo.push_async_callback(self._restore_defaults, restored)

    async def _restore_defaults(self, defaults: bytes) -> None:
        with contextlib.suppress(RadioError):
            await self._command(MgmtCommand.SET_DEFAULTS, defaults)

    async def _start_advertising(self, advertisement: Advertisement) -> None:
        data = advertisement.encode(flags=self._flags)
        seconds = seconds_on_air(self.clock)
        timeout = seconds
        if self._is_extended and seconds > LONGEST_CONTROLLER_TIMEOUT_SECONDS:
            # A longer timeout would end too early; the guardian ends the advertisement.
            timeout = 0
        self._instruct(Guardian.watch_advertisement, seconds)
        self._advertising = True
        body = self._instance + struct.pack("<IHHBB", 0, 0, timeout, len(data), 0) + data
        try:
            await self._command(MgmtCommand.ADD_ADVERTISING, body)
        except _Refused as error:
            if error.status != MgmtStatus.FAILED or not self._foreign_monitors:
                raise
            # A monitor keeps the adapter listening, and a legacy controller then takes no address.
            self._log(logging.WARNING, "log_monitors")
            while self._foreign_monitors:
                with contextlib.suppress(_Refused):
                    handle = self._foreign_monitors.pop()
                    await self._command(MgmtCommand.REMOVE_MONITOR, handle)
            await self._command(MgmtCommand.ADD_ADVERTISING, body)

    async def _stop_advertising(self) -> None:
        if self._advertising:
            # This distinguishes the kernel's own removals from ours.
            self._advertising = False
            try:
                await self._command(MgmtCommand.REMOVE_ADVERTISING, self._instance)
            except _Refused as error:
                # The kernel no longer has it: it was refused, or its time was up.
                if error.status != MgmtStatus.INVALID_PARAMETERS:
                    self._advertising = True
                    raise
            self._instruct(Guardian.watch_advertisement, 0)

    def _instruct(self, order: Callable[[Guardian, int], None], number: int) -> None:
        assert self.guardian is not None
        try:
            order(self.guardian, number)
        except OSError as error:
            self._lose_guardian()
            raise self._gone() from error

    def _lose_guardian(self) -> None:
        self._lose(radio_text("guardian_ended"))

    async def _start_listening(self) -> None:
        if self._has_monitors:
            try:
                self._monitor = await self._command(MgmtCommand.ADD_PATTERNS_MONITOR, _PATTERNS)
                self._instruct(Guardian.watch_monitor, int.from_bytes(self._monitor, "little"))
            except _Refused as error:
                if error.status not in (MgmtStatus.UNKNOWN_COMMAND, MgmtStatus.NOT_SUPPORTED):
                    raise
                self._has_monitors = False
        if not self._has_monitors:
            await self._command(MgmtCommand.START_DISCOVERY, _LE_ADDRESSES)
            self._discovering = True

    async def _stop_listening(self) -> None:
        monitor, self._monitor = self._monitor, None
        discovering, self._discovering = self._discovering, False
        if monitor is not None:
            await self._command(MgmtCommand.REMOVE_MONITOR, monitor)
            self._instruct(Guardian.watch_monitor, 0)
        if discovering:
            with contextlib.suppress(_Refused):
                # The kernel ends a discovery after ten seconds anyway.
                await self._command(MgmtCommand.STOP_DISCOVERY, _LE_ADDRESSES)

    async def _command(
        self, command: MgmtCommand, body: bytes = b"", *, index: int | None = None
    ) -> bytes:
        """Send a command to the adapter, or to another; every fault is a `RadioError`."""
        if self._lost.done():
            raise self._gone()
        to = self._index if index is None else index
        try:
            return await self._channel.command(
                command, to, body, seconds=self._timeouts.command_seconds
            )
        except MgmtRefusedError as error:
            raise _refused(command, error.status, f"hci{to}") from error
        except TimeoutError:
            self._lose(radio_text("no_answer", command=command.name))
        except OSError:
            self._lose(radio_text("channel_closed"))
        raise self._gone()


class _Refused(RadioError):
    """A command that the kernel refused."""

    def __init__(self, error: RadioError, status: int) -> None:
        super().__init__(error.reason, str(error), vi=error.vi)
        self.status = status


_CAUSES: Mapping[int, tuple[RadioFault, str]] = {
    MgmtStatus.PERMISSION_DENIED: (RadioFault.PERMISSION, "kernel_permission"),
    MgmtStatus.RFKILLED: (RadioFault.POWERED_OFF, "adapter_blocked"),
    MgmtStatus.NOT_POWERED: (RadioFault.POWERED_OFF, "adapter_off"),
    MgmtStatus.INVALID_INDEX: (RadioFault.CONNECTION_LOST, "adapter_gone"),
}


def _refused(command: MgmtCommand, status: int, adapter: str) -> _Refused:
    reason, name = _CAUSES.get(status, (RadioFault.REFUSED, "kernel_refused"))
    error = radio_error(reason, name, command=command.name, adapter=adapter, status=status)
    return _Refused(error, status)


def _no_channel(error: OSError) -> RadioError:
    if error.errno in (errno.EPERM, errno.EACCES):
        return radio_error(RadioFault.PERMISSION, "kernel_permission")
    return radio_error(RadioFault.NO_ADAPTER, "kernel_without_bluetooth", reason=error.strerror)


def _tlvs(values: Mapping[int, bytes]) -> bytes:
    return b"".join(struct.pack("<HB", kind, len(value)) + value for kind, value in values.items())


@contextlib.contextmanager
def _whole() -> Iterator[None]:
    """Turn an answer that is cut short into a `RadioError`."""
    try:
        yield
    except struct.error as error:
        raise radio_error(RadioFault.REFUSED, "kernel_answer") from error
