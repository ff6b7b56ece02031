"""One software controller of a virtual air: HCI's rules for advertising and scanning.

Bumble's controller answers the questions of a starting host. Advertising and scanning are done
here: Bumble's delivers no non-connectable packets and reports the others twice, at −50 dBm. It also
mistakes the unit of intervals, and never refuses a command.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from bumble import hci
from bumble.controller import Controller

from ble_agent.virtual_air.scenario import AirMode
from ble_agent.virtual_air.trace import Run

__all__ = ["Advertiser", "AirControl", "Scanning", "VirtualController"]

_logger = logging.getLogger(__name__)
_SUCCESS = hci.HCI_ErrorCode.SUCCESS
_DISALLOWED = hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR
_INVALID = hci.HCI_ErrorCode.INVALID_COMMAND_PARAMETERS_ERROR
_UNKNOWN_COMMAND = hci.HCI_ErrorCode.UNKNOWN_HCI_COMMAND_ERROR
_UNKNOWN_SET = hci.HCI_ErrorCode.UNKNOWN_ADVERTISING_IDENTIFIER_ERROR
_NO_ADDRESS = hci.Address("00:00:00:00:00:00")

_LEGACY_FAMILY = frozenset(
    {
        hci.HCI_LE_SET_ADVERTISING_PARAMETERS_COMMAND,
        hci.HCI_LE_READ_ADVERTISING_PHYSICAL_CHANNEL_TX_POWER_COMMAND,
        hci.HCI_LE_SET_ADVERTISING_DATA_COMMAND,
        hci.HCI_LE_SET_SCAN_RESPONSE_DATA_COMMAND,
        hci.HCI_LE_SET_ADVERTISING_ENABLE_COMMAND,
        hci.HCI_LE_SET_SCAN_PARAMETERS_COMMAND,
        hci.HCI_LE_SET_SCAN_ENABLE_COMMAND,
        hci.HCI_LE_CREATE_CONNECTION_COMMAND,
    }
)
_EXTENDED_FAMILY = frozenset(
    {
        hci.HCI_LE_SET_ADVERTISING_SET_RANDOM_ADDRESS_COMMAND,
        hci.HCI_LE_SET_EXTENDED_ADVERTISING_PARAMETERS_COMMAND,
        hci.HCI_LE_SET_EXTENDED_ADVERTISING_DATA_COMMAND,
        hci.HCI_LE_SET_EXTENDED_SCAN_RESPONSE_DATA_COMMAND,
        hci.HCI_LE_SET_EXTENDED_ADVERTISING_ENABLE_COMMAND,
        hci.HCI_LE_READ_MAXIMUM_ADVERTISING_DATA_LENGTH_COMMAND,
        hci.HCI_LE_READ_NUMBER_OF_SUPPORTED_ADVERTISING_SETS_COMMAND,
        hci.HCI_LE_REMOVE_ADVERTISING_SET_COMMAND,
        hci.HCI_LE_CLEAR_ADVERTISING_SETS_COMMAND,
        hci.HCI_LE_SET_EXTENDED_SCAN_PARAMETERS_COMMAND,
        hci.HCI_LE_SET_EXTENDED_SCAN_ENABLE_COMMAND,
        hci.HCI_LE_EXTENDED_CREATE_CONNECTION_COMMAND,
    }
)
# A host may ask for the number of sets and still use legacy commands.
_QUESTIONS = frozenset(
    {
        hci.HCI_LE_READ_MAXIMUM_ADVERTISING_DATA_LENGTH_COMMAND,
        hci.HCI_LE_READ_NUMBER_OF_SUPPORTED_ADVERTISING_SETS_COMMAND,
    }
)
_LEGACY_PDU = 0x10
_LEGACY_EVENT_TYPES = {0x13: 0, 0x15: 1, 0x12: 2, 0x10: 3}
_EXTENDED_EVENT_TYPES = {legacy: event for event, legacy in _LEGACY_EVENT_TYPES.items()} | {4: 0x15}
_LONGEST_LEGACY_DATA = 31
_LONGEST_DATA = 1650
_LONGEST_FRAGMENT = 229
_MOST_SETS = 8
_DURATION_UNIT_SECONDS = 0.01
_ADVERTISING_TIMEOUT = 0x3C

_Status = hci.HCI_StatusReturnParameters


def _legacy_report(event_type: int, address: hci.Address, data: bytes) -> bytes:
    body = bytes([event_type, address.address_type]) + bytes(address) + bytes([len(data)]) + data
    return bytes([4, 0x3E, len(body) + 3, 0x02, 1]) + body


def _extended_report(
    event_type: int, address: hci.Address, sid: int, data: bytes
) -> tuple[bytes, bytes]:
    secondary_phy, identifier = (0, 0xFF) if event_type & _LEGACY_PDU else (1, sid)
    before = (
        event_type.to_bytes(2, "little")
        + bytes([address.address_type])
        + bytes(address)
        + bytes([1, secondary_phy, identifier, 0x7F])
    )
    after = bytes(9) + bytes([len(data)]) + data
    return bytes([4, 0x3E, len(before) + 1 + len(after) + 2, 0x0D, 1]) + before, after


class Advertiser:
    """A legacy advertiser or one advertising set, and what it sends."""

    def __init__(self, controller: VirtualController) -> None:
        self.controller = controller
        self.event_type = _EXTENDED_EVENT_TYPES[0]
        self.interval_slots = (0x800, 0x800)
        self.own_address_type = 0
        self.random_address = _NO_ADDRESS
        self.sid = 0
        self.data = b""
        self.enabled = False
        self.generation = 0
        """Changes whenever sending stops, which cancels what was planned before."""
        self.interval = 0.0
        """Seconds between packets, without the random delay."""
        self.duration = 0.0
        """Seconds to send after the next start; 0 for no end."""
        self.ends_at = math.inf
        self.sent: Run | None = None
        self.heard: dict[VirtualController, Run] = {}
        self.address = _NO_ADDRESS
        self.legacy_report: bytes | None = None
        self.extended_reports: list[tuple[bytes, bytes]] = []

    @property
    def is_random(self) -> bool:
        """Whether it sends under a random address."""
        return bool(self.own_address_type & 1)

    def prepare(self) -> None:
        """Prepare the reports of what it sends from now on, without the signal strength."""
        self.address = self.random_address if self.is_random else self.controller.public_address
        self.legacy_report = None
        if self.event_type & _LEGACY_PDU:
            self.legacy_report = _legacy_report(
                _LEGACY_EVENT_TYPES[self.event_type], self.address, self.data
            )
        parts = [
            self.data[start : start + _LONGEST_FRAGMENT]
            for start in range(0, len(self.data), _LONGEST_FRAGMENT)
        ] or [b""]
        more = self.event_type | 0x20
        self.extended_reports = [
            _extended_report(
                more if number < len(parts) else self.event_type, self.address, self.sid, part
            )
            for number, part in enumerate(parts, 1)
        ]


@dataclass(slots=True)
class Scanning:
    """How a controller scans, and what it has to report."""

    is_extended: bool = False
    """Whether the host asked by extended commands."""
    filter_duplicates: bool = False
    """Whether each address is reported once per scan."""
    reported: set[bytes] = field(default_factory=set)
    """Addresses reported in this scan, if it filters duplicates."""
    share: float = 1.0
    """Part of the time that the receiver is on in a scan, 0 to 1."""
    is_congested: bool = False
    """Whether the host reads too slowly, so that reports are dropped."""
    outgoing: bytearray = field(default_factory=bytearray)
    """Reports gathered for the host."""


class AirControl(Protocol):
    """The part of the air that a controller needs."""

    def advance(self) -> None:
        """Send everything up to now, before a command changes it."""

    def begin(self, advertiser: Advertiser) -> None:
        """Send from now on; the first packet goes out at once."""

    def end(self, advertiser: Advertiser) -> None:
        """Stop sending."""

    def begin_scan(self, controller: VirtualController) -> None:
        """Start delivering packets to a controller."""

    def end_scan(self, controller: VirtualController) -> None:
        """Stop delivering."""


class VirtualController(Controller):
    """A controller that one TCP client uses; it lives as long as the connection.

    Parameters
    ----------
    name
        Name of the controller in the scenario.
    mode
        Which families of commands it understands.
    public_address
        Its own address.
    send
        Sends bytes to the host.
    air
        The air, to which every change is passed on.
    """

    def __init__(
        self,
        name: str,
        mode: AirMode,
        public_address: hci.Address,
        send: Callable[[bytes], None],
        air: AirControl,
    ) -> None:
        super().__init__(name, public_address=public_address)
        self._mode = mode
        self._send = send
        self._air = air
        if mode is AirMode.LEGACY:
            self.le_features &= ~(
                hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
                | hci.LeFeatureMask.LE_PERIODIC_ADVERTISING
            )
        else:
            self.supported_commands = self.supported_commands | _EXTENDED_FAMILY
            if mode is AirMode.EXTENDED:
                self.supported_commands = self.supported_commands - _LEGACY_FAMILY
        self._family: frozenset[int] | None = None
        self._legacy = Advertiser(self)
        self._sets: dict[int, Advertiser] = {}
        self.le_scan_enable = False
        self.scan = Scanning()
        """How it scans; another after each reset."""

    def _power_up(self) -> None:
        self._family = None
        self._legacy = Advertiser(self)
        self._sets = {}
        self.le_scan_enable = False
        self.scan = Scanning()

    @property
    def is_advertising(self) -> bool:
        """Whether anything is on the air."""
        return any(each.enabled for each in (self._legacy, *self._sets.values()))

    def power_off(self) -> None:
        """Stop sending and listening, as when the host goes away."""
        self._air.advance()
        for advertiser in (self._legacy, *self._sets.values()):
            self._disable(advertiser)
        self._set_scanning(False)

    def flush(self) -> None:
        """Send the gathered reports to the host."""
        if self.scan.outgoing:
            self._send(bytes(self.scan.outgoing))
            self.scan.outgoing.clear()

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        """Answer at once, after earlier reports."""
        self.flush()
        self._send(bytes(packet))

    def on_packet(self, packet: bytes) -> None:
        """Handle a packet from the host; refuse a malformed command like one with wrong values."""
        try:
            super().on_packet(packet)
        except Exception:
            # Bumble's parser may raise anything on malformed bytes.
            _logger.warning("controller %s: its host sent a malformed packet", self.name)
            if packet[0] == hci.HCI_COMMAND_PACKET:
                self._refuse(int.from_bytes(packet[1:3], "little"), _INVALID)

    def on_hci_command_packet(self, command: hci.HCI_Command) -> None:
        """Refuse unknown and disallowed commands; carry out the others."""
        self._air.advance()
        status = self._refusal(command)
        if status is None:
            super().on_hci_command_packet(command)
        else:
            self._refuse(command.op_code, status)

    def _refuse(self, op_code: int, status: hci.HCI_ErrorCode) -> None:
        self.send_hci_packet(
            hci.HCI_Command_Complete_Event(
                num_hci_command_packets=1,
                command_opcode=op_code,
                return_parameters=_Status(status),
            )
        )

    def _refusal(self, command: hci.HCI_Command) -> hci.HCI_ErrorCode | None:
        code = command.op_code
        unknown = {AirMode.LEGACY: _EXTENDED_FAMILY, AirMode.EXTENDED: _LEGACY_FAMILY}
        if code in unknown.get(self._mode, ()) or not hasattr(self, f"on_{command.name.lower()}"):
            return _UNKNOWN_COMMAND
        for family in (_LEGACY_FAMILY, _EXTENDED_FAMILY):
            if code in family and code not in _QUESTIONS:
                if self._family is None:
                    self._family = family
                if self._family is not family:
                    return _DISALLOWED
        return None

    def on_hci_reset_command(self, command: hci.HCI_Reset_Command) -> _Status:
        """Reset everything (Core 5.4, volume 4, part E, 7.3.2)."""
        self.power_off()
        self._power_up()
        return _Status(_SUCCESS)

    # Section 7.8.4: addresses.

    def on_hci_le_set_random_address_command(
        self, command: hci.HCI_LE_Set_Random_Address_Command
    ) -> _Status:
        """Refuse while scanning or, by legacy commands, advertising."""
        if self.le_scan_enable or self._legacy.enabled:
            return _Status(_DISALLOWED)
        self._legacy.random_address = command.random_address
        return _Status(_SUCCESS)

    # Sections 7.8.5 to 7.8.11: legacy commands.

    def on_hci_le_set_advertising_parameters_command(
        self, command: hci.HCI_LE_Set_Advertising_Parameters_Command
    ) -> _Status:
        """Refuse while advertising."""
        slots = (command.advertising_interval_min, command.advertising_interval_max)
        if self._legacy.enabled:
            return _Status(_DISALLOWED)
        if not 0x20 <= slots[0] <= slots[1] <= 0x4000:
            return _Status(_INVALID)
        self._legacy.interval_slots = slots
        self._legacy.event_type = _EXTENDED_EVENT_TYPES[command.advertising_type]
        self._legacy.own_address_type = command.own_address_type
        return _Status(_SUCCESS)

    def on_hci_le_set_advertising_data_command(
        self, command: hci.HCI_LE_Set_Advertising_Data_Command
    ) -> _Status:
        """Take effect at once, advertising or not."""
        if len(command.advertising_data) > _LONGEST_LEGACY_DATA:
            return _Status(_INVALID)
        self._change(self._legacy, data=bytes(command.advertising_data))
        return _Status(_SUCCESS)

    def on_hci_le_set_advertising_enable_command(
        self, command: hci.HCI_LE_Set_Advertising_Enable_Command
    ) -> _Status:
        """Refuse to send under a random address that was never set."""
        if not command.advertising_enable:
            self._disable(self._legacy)
            return _Status(_SUCCESS)
        return _Status(self._enable(self._legacy))

    def on_hci_le_set_scan_parameters_command(
        self, command: hci.HCI_LE_Set_Scan_Parameters_Command
    ) -> _Status:
        """Refuse while scanning."""
        return self._set_scan_parameters(command.le_scan_interval, command.le_scan_window)

    def on_hci_le_set_scan_enable_command(
        self, command: hci.HCI_LE_Set_Scan_Enable_Command
    ) -> _Status:
        """Start, stop or restart."""
        self._set_scanning(False)
        self.scan.filter_duplicates = bool(command.filter_duplicates)
        self.scan.is_extended = False
        self._set_scanning(bool(command.le_scan_enable))
        return _Status(_SUCCESS)

    # Sections 7.8.52 to 7.8.65: extended commands.

    def on_hci_le_set_extended_advertising_parameters_command(
        self, command: hci.HCI_LE_Set_Extended_Advertising_Parameters_Command
    ) -> Any:
        """Create the set, or change it while it is disabled."""
        slots = (command.primary_advertising_interval_min, command.primary_advertising_interval_max)
        event_type = int(command.advertising_event_properties) & 0x17
        advertiser = self._sets.get(command.advertising_handle)
        if advertiser is None:
            if len(self._sets) >= _MOST_SETS:
                return _Status(hci.HCI_ErrorCode.MEMORY_CAPACITY_EXCEEDED_ERROR)
            advertiser = Advertiser(self)
        if advertiser.enabled:
            return _Status(_DISALLOWED)
        is_legacy = bool(event_type & _LEGACY_PDU)
        if not 0x20 <= slots[0] <= slots[1] or (
            is_legacy and event_type not in _LEGACY_EVENT_TYPES
        ):
            return _Status(_INVALID)
        self._sets[command.advertising_handle] = advertiser
        advertiser.interval_slots = slots
        advertiser.event_type = event_type
        advertiser.own_address_type = command.own_address_type
        advertiser.sid = command.advertising_sid
        return hci.HCI_LE_Set_Extended_Advertising_Parameters_ReturnParameters(
            status=_SUCCESS, selected_tx_power=0
        )

    def on_hci_le_set_advertising_set_random_address_command(
        self, command: hci.HCI_LE_Set_Advertising_Set_Random_Address_Command
    ) -> _Status:
        """Take effect at once; a set that takes connections is refused while it is enabled."""
        advertiser = self._sets.get(command.advertising_handle)
        if advertiser is None:
            return _Status(_UNKNOWN_SET)
        if advertiser.enabled and advertiser.event_type & 1:
            return _Status(_DISALLOWED)
        self._change(advertiser, random_address=command.random_address)
        return _Status(_SUCCESS)

    def on_hci_le_set_extended_advertising_data_command(
        self, command: hci.HCI_LE_Set_Extended_Advertising_Data_Command
    ) -> _Status:
        """Take the data whole or in fragments; fragments only while the set is disabled."""
        advertiser = self._sets.get(command.advertising_handle)
        if advertiser is None:
            return _Status(_UNKNOWN_SET)
        data = bytes(command.advertising_data)
        operations = hci.HCI_LE_Set_Extended_Advertising_Data_Command.Operation
        if command.operation != operations.COMPLETE_DATA and advertiser.enabled:
            return _Status(_DISALLOWED)
        if command.operation not in (operations.COMPLETE_DATA, operations.FIRST_FRAGMENT):
            data = advertiser.data + data
        is_legacy = advertiser.event_type & _LEGACY_PDU
        if len(data) > (_LONGEST_LEGACY_DATA if is_legacy else _LONGEST_DATA):
            return _Status(_INVALID)
        self._change(advertiser, data=data)
        return _Status(_SUCCESS)

    def on_hci_le_set_extended_advertising_enable_command(
        self, command: hci.HCI_LE_Set_Extended_Advertising_Enable_Command
    ) -> _Status:
        """Enable or disable the named sets; disabling none means all."""
        handles = list(command.advertising_handles)
        if any(handle not in self._sets for handle in handles):
            return _Status(_UNKNOWN_SET)
        if not command.enable:
            for handle in handles or self._sets:
                self._disable(self._sets[handle])
            return _Status(_SUCCESS)
        if not handles:
            return _Status(_INVALID)
        for handle, duration in zip(handles, command.durations, strict=True):
            self._sets[handle].duration = duration * _DURATION_UNIT_SECONDS
            status = self._enable(self._sets[handle])
            if status != _SUCCESS:
                return _Status(status)
        return _Status(_SUCCESS)

    def expire(self, advertiser: Advertiser) -> None:
        """End a set whose duration is over, and report it to the host (7.7.65.18)."""
        self._disable(advertiser)
        handle = next(handle for handle, each in self._sets.items() if each is advertiser)
        self.flush()
        self._send(bytes([4, 0x3E, 6, 0x12, _ADVERTISING_TIMEOUT, handle, 0, 0, 0]))

    def on_hci_le_remove_advertising_set_command(
        self, command: hci.HCI_LE_Remove_Advertising_Set_Command
    ) -> _Status:
        """Refuse while the set is enabled."""
        advertiser = self._sets.get(command.advertising_handle)
        if advertiser is None:
            return _Status(_UNKNOWN_SET)
        if advertiser.enabled:
            return _Status(_DISALLOWED)
        del self._sets[command.advertising_handle]
        return _Status(_SUCCESS)

    def on_hci_le_clear_advertising_sets_command(
        self, command: hci.HCI_LE_Clear_Advertising_Sets_Command
    ) -> _Status:
        """Refuse while a set is enabled."""
        if any(advertiser.enabled for advertiser in self._sets.values()):
            return _Status(_DISALLOWED)
        self._sets.clear()
        return _Status(_SUCCESS)

    def on_hci_le_read_number_of_supported_advertising_sets_command(
        self, command: hci.HCI_LE_Read_Number_Of_Supported_Advertising_Sets_Command
    ) -> Any:
        """Return how many sets there can be."""
        return hci.HCI_LE_Read_Number_Of_Supported_Advertising_Sets_ReturnParameters(
            status=_SUCCESS, num_supported_advertising_sets=_MOST_SETS
        )

    def on_hci_le_set_extended_scan_parameters_command(
        self, command: hci.HCI_LE_Set_Extended_Scan_Parameters_Command
    ) -> _Status:
        """Refuse while scanning; the first PHY's numbers count."""
        if not command.scan_intervals:
            return _Status(_INVALID)
        return self._set_scan_parameters(command.scan_intervals[0], command.scan_windows[0])

    def on_hci_le_set_extended_scan_enable_command(
        self, command: hci.HCI_LE_Set_Extended_Scan_Enable_Command
    ) -> _Status:
        """Start, stop or restart; duration and period are ignored."""
        self._set_scanning(False)
        self.scan.filter_duplicates = bool(command.filter_duplicates)
        self.scan.is_extended = True
        self._set_scanning(bool(command.enable))
        return _Status(_SUCCESS)

    def _set_scan_parameters(self, interval: int, window: int) -> _Status:
        if self.le_scan_enable:
            return _Status(_DISALLOWED)
        if not 4 <= window <= interval:
            return _Status(_INVALID)
        self.scan.share = window / interval
        return _Status(_SUCCESS)

    def _set_scanning(self, enabled: bool) -> None:
        if enabled and not self.le_scan_enable:
            self.le_scan_enable = True
            self.scan.reported.clear()
            self._air.begin_scan(self)
        elif not enabled and self.le_scan_enable:
            self._air.end_scan(self)
            self.le_scan_enable = False
            self.flush()

    def _change(self, advertiser: Advertiser, **values: Any) -> None:
        """Change what is sent; packets that are already planned carry the new data."""
        enabled = advertiser.enabled
        if enabled:
            self._air.end(advertiser)
        for name, value in values.items():
            setattr(advertiser, name, value)
        if enabled:
            advertiser.prepare()
            self._air.begin(advertiser)

    def _enable(self, advertiser: Advertiser) -> hci.HCI_ErrorCode:
        if advertiser.is_random and advertiser.random_address == _NO_ADDRESS:
            return _INVALID
        if not advertiser.enabled:
            advertiser.enabled = True
            advertiser.ends_at = math.inf
            advertiser.prepare()
            self._air.begin(advertiser)
        return _SUCCESS

    def _disable(self, advertiser: Advertiser) -> None:
        if advertiser.enabled:
            self._air.end(advertiser)
            advertiser.enabled = False
