"""A controller for the agent alone, driven by raw HCI over any of Bumble's transports.

The agent draws the address, so identifier, metadata and address change in one step, and the bytes
on the air are exactly the specification's. No other program may use the adapter meanwhile.

Advertising reports are kept from Bumble, and its log is off: it would print addresses and
identifiers, those of damaged packets even as errors.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from bumble import hci, host
from bumble.core import ProtocolError
from bumble.transport.common import Transport

from ble_agent.messages.language import Text
from ble_agent.messages.radio import radio_error, radio_text
from ble_agent.radio.adapter import AdapterRadio, retrieve
from ble_agent.radio.hci.commands import CommandSet, ExtendedCommands, LegacyCommands, draw_address
from ble_agent.radio.hci.transport import close_hci, open_hci
from ble_agent.radio.protocol import Capabilities
from ble_agent.radio.quotation import hush
from ble_agent.radio.real_time import Timeouts, slept_seconds
from ble_agent.radio.reports import EVENT_LE_META
from tracing_core.clock import Clock
from tracing_core.errors import RadioError, RadioFault
from tracing_core.protocol.advertisement import FLAGS, Advertisement

__all__ = ["HciRadio"]

hush("bumble")

_TIMEOUTS = Timeouts(command_seconds=3.0, closing_seconds=3.0)

_T = TypeVar("_T")
_EVENT_PACKET = 0x04
_TO_HOST = frozenset({0x0E, 0x0F, 0xFF})  # Command Complete, Command Status, vendor's own
_HARDWARE_ERROR = 0x10
_PULLED = radio_text("transport_lost")
# The specification requires the host to reset a controller that reports this (Core 5.4, volume 4,
# part A, 4).
_FAILED = radio_text("hardware_error")


class _Incoming:
    """Filter between transport and host: keeps advertising reports, passes on answers."""

    def __init__(
        self,
        answers: host.Host,
        on_report: Callable[[bytes], None],
        lost: asyncio.Future[Text],
    ) -> None:
        self._answers = answers
        self._on_report = on_report
        # One per transport: its end may be reported after the next transport was opened.
        self._lost = lost

    def on_packet(self, packet: bytes) -> None:
        if len(packet) < 2 or packet[0] != _EVENT_PACKET:
            return
        if packet[1] == EVENT_LE_META:
            self._on_report(packet[1:])
        elif packet[1] in _TO_HOST:
            self._answers.on_packet(packet)
        elif packet[1] == _HARDWARE_ERROR:
            self._end(_FAILED)

    def on_transport_lost(self) -> None:
        self._end(_PULLED)

    def on_terminated(self, terminated: asyncio.Future[None]) -> None:
        retrieve(terminated)
        self.on_transport_lost()

    def _end(self, why: Text) -> None:
        if not self._lost.done():
            self._lost.set_result(why)


class HciRadio(AdapterRadio):
    """A Bluetooth controller reached by raw HCI.

    Parameters
    ----------
    transport
        Bumble's name for the transport: ``hci-socket:0``, ``usb:0``, ``tcp-client:HOST:PORT``.
    clock
        The agent's clock, which times the scans.
    flags
        The Flags to send; None for none, as on Android.
    open_transport
        Opens a transport by its name, within a number of seconds.
    timeouts, slept, language
        As for `AdapterRadio`.
    """

    capabilities = Capabilities(
        can_advertise=True,
        can_scan=True,
        exact_bytes=True,
        agent_chosen_address=True,
        note="uses the adapter alone; no other program can meanwhile",
    )

    def __init__(
        self,
        transport: str,
        clock: Clock,
        *,
        flags: int | None = FLAGS,
        open_transport: Callable[[str, float], Awaitable[Transport]] = open_hci,
        timeouts: Timeouts = _TIMEOUTS,
        slept: Callable[[], float] = slept_seconds,
        language: str = "en",
    ) -> None:
        super().__init__(f"hci:{transport}", clock, timeouts, slept, language)
        self._spec = transport
        self._flags = flags
        self._open_transport = open_transport
        self._opened_host: host.Host | None = None
        self._commands: CommandSet = LegacyCommands()
        self._advertising = False

    @property
    def _host(self) -> host.Host:
        assert self._opened_host is not None
        return self._opened_host

    async def _open(self) -> None:
        self._advertising = False
        transport = await self._open_transport(self._spec, self._timeouts.open_seconds)
        self._undo.push_async_callback(close_hci, transport, self._timeouts.closing_seconds)
        source, sink = transport
        self._opened_host = host.Host(controller_sink=sink)
        self._host.hci_metadata = getattr(source, "metadata", {})
        incoming = _Incoming(self._host, self._on_event, self._lost)
        source.set_packet_sink(incoming)
        source.terminated.add_done_callback(incoming.on_terminated)
        await self._reset()
        self._undo.push_async_callback(self._forget)

    async def _forget(self) -> None:
        """Reset the controller: after suspend, for example, it may still be there and sending."""
        if self._lost.done() and self._lost.result() == _PULLED:
            return
        with contextlib.suppress(ProtocolError, OSError, RuntimeError, AssertionError):
            async with asyncio.timeout(self._timeouts.command_seconds):
                await self._host.send_command(hci.HCI_Reset_Command())

    def _on_event(self, event: bytes) -> None:
        if self._listening:
            for what in self._reception.read_event(event, self.clock.now()):
                self._hear(what)

    async def _reset(self) -> None:
        try:
            await self._answered(self._host.reset(), "RESET", self._timeouts.open_seconds)
        except RadioError as error:
            if error.reason is not RadioFault.REFUSED or self._has_low_energy():
                raise
        if not self._has_low_energy():
            raise radio_error(RadioFault.NO_LOW_ENERGY, "hci_no_low_energy", name=self.name)
        supported = self._host.supported_commands
        # Legacy commands suffice on every controller that has them; the specification forbids a
        # mixture (Core 5.4, volume 4, part E, 3.1.1).
        sets: tuple[CommandSet, ...] = (LegacyCommands(), ExtendedCommands())
        for commands in sets:
            if commands.required <= supported:
                self._commands = commands
                return
        raise radio_error(RadioFault.NO_ADVERTISER, "hci_cannot_advertise", name=self.name)

    def _has_low_energy(self) -> bool:
        return self._host.supports_lmp_features(hci.LmpFeatureMask.LE_SUPPORTED_CONTROLLER)

    async def _start_advertising(self, advertisement: Advertisement) -> None:
        data = advertisement.encode(flags=self._flags)
        self._advertising = True
        for command in self._commands.start_advertising(draw_address(), data):
            await self._command(command)

    async def _stop_advertising(self) -> None:
        if self._advertising:
            try:
                await self._command(self._commands.stop_advertising())
            except RadioError:
                # What is on the air is unknown now, until the adapter is opened again.
                await self._forget()
                self._lose(radio_text("still_sending"))
                raise
            self._advertising = False

    async def _start_listening(self) -> None:
        for command in self._commands.start_scanning():
            await self._command(command)

    async def _stop_listening(self) -> None:
        # Reports before the answer still belong to the scan.
        await self._command(self._commands.stop_scanning())

    async def _command(self, command: hci.HCI_SyncCommand[Any]) -> None:
        name = command.name.removeprefix("HCI_").removesuffix("_COMMAND")
        response = await self._answered(
            self._host.send_command(command), name, self._timeouts.command_seconds
        )
        status = _status(response)
        if status != hci.HCI_SUCCESS:
            raise _refusal(name, status)

    async def _answered(self, answer: Coroutine[Any, Any, _T], name: str, seconds: float) -> _T:
        """Wait for an answer, the end of the transport, or the timeout."""
        if self._lost.done():
            answer.close()
            raise self._gone()
        # The exchange finishes even if the caller is cancelled, or the next command would take this
        # one's answer for its own.
        task = asyncio.ensure_future(answer)
        task.add_done_callback(retrieve)
        ends: set[asyncio.Future[Any]] = {task, self._lost}
        await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            try:
                return task.result()
            except ProtocolError as error:
                raise _refusal(name, error.error_code or 0) from error
            except (OSError, RuntimeError, AssertionError) as error:
                self._lose(_PULLED)
                raise self._gone() from error
        task.cancel()
        self._lose(radio_text("no_answer", command=name))
        raise self._gone()


def _status(
    response: hci.HCI_Command_Complete_Event[Any] | hci.HCI_Command_Status_Event,
) -> int:
    if isinstance(response, hci.HCI_Command_Status_Event):
        return int(response.status)
    parameters = response.return_parameters
    if isinstance(parameters, hci.HCI_GenericReturnParameters):
        return parameters.data[0] if parameters.data else hci.HCI_SUCCESS
    return int(parameters.status)


def _refusal(name: str, status: int) -> RadioError:
    reason = hci.HCI_ErrorCode(status).name
    return radio_error(RadioFault.REFUSED, "hci_refused", command=name, reason=reason)
