"""HCI commands for advertising and scanning, in two families that must not be mixed."""

from __future__ import annotations

import secrets
from typing import Any, Protocol

from bumble import hci

__all__ = ["CommandSet", "ExtendedCommands", "LegacyCommands", "draw_address"]

_SLOT_MS = 0.625
# These values give the protocol's 200 to 270 ms on the air: the controller adds a random delay of
# up to 10 ms to every interval (Core, volume 6, part B, 4.4.2.2.1).
_INTERVAL_MIN = int(200 / _SLOT_MS)
_INTERVAL_MAX = int(260 / _SLOT_MS)
# The window is as long as the interval: the receiver is always on during a scan.
_SCAN_WINDOW = int(100 / _SLOT_MS)
_ALL_CHANNELS = 7
_PHY_1M = 1
_ANYBODY = 0
_PASSIVE = 0
_HANDLE = 0

Command = hci.HCI_SyncCommand[Any]


def draw_address() -> hci.Address:
    """Draw a non-resolvable private address (Core 5.4, volume 6, part B, 1.3.2.2)."""
    while True:
        octets = bytearray(secrets.token_bytes(6))
        octets[5] &= 0x3F
        # Neither all zeros nor all ones is allowed in the 46 random bits.
        if any(octets) and bytes(octets) != b"\xff\xff\xff\xff\xff\x3f":
            return hci.Address(bytes(octets), hci.Address.RANDOM_DEVICE_ADDRESS)


class CommandSet(Protocol):
    """The commands of one family; scanning is passive."""

    @property
    def required(self) -> frozenset[int]:
        """Operation codes that a controller must support."""

    def start_advertising(self, address: hci.Address, data: bytes) -> list[Command]:
        """Return the commands that start advertising on a controller that is idle."""

    def stop_advertising(self) -> Command:
        """Return the command that stops advertising."""

    def start_scanning(self) -> list[Command]:
        """Return the commands that start scanning, with duplicate filtering off."""

    def stop_scanning(self) -> Command:
        """Return the command that stops scanning."""


class LegacyCommands:
    """The commands of Bluetooth 4, which nearly every controller has."""

    required = frozenset(
        {
            hci.HCI_LE_SET_RANDOM_ADDRESS_COMMAND,
            hci.HCI_LE_SET_ADVERTISING_PARAMETERS_COMMAND,
            hci.HCI_LE_SET_ADVERTISING_DATA_COMMAND,
            hci.HCI_LE_SET_ADVERTISING_ENABLE_COMMAND,
            hci.HCI_LE_SET_SCAN_PARAMETERS_COMMAND,
            hci.HCI_LE_SET_SCAN_ENABLE_COMMAND,
        }
    )

    def start_advertising(self, address: hci.Address, data: bytes) -> list[Command]:
        """Set the address first: a legacy controller refuses it while it advertises or scans."""
        return [
            hci.HCI_LE_Set_Random_Address_Command(random_address=address),
            hci.HCI_LE_Set_Advertising_Parameters_Command(
                advertising_interval_min=_INTERVAL_MIN,
                advertising_interval_max=_INTERVAL_MAX,
                advertising_type=hci.HCI_LE_Set_Advertising_Parameters_Command.AdvertisingType.ADV_NONCONN_IND,
                own_address_type=hci.OwnAddressType.RANDOM,
                peer_address_type=0,
                peer_address=hci.Address.ANY,
                advertising_channel_map=_ALL_CHANNELS,
                advertising_filter_policy=_ANYBODY,
            ),
            hci.HCI_LE_Set_Advertising_Data_Command(advertising_data=data),
            hci.HCI_LE_Set_Advertising_Enable_Command(advertising_enable=1),
        ]

    def stop_advertising(self) -> Command:
        """Disable advertising."""
        return hci.HCI_LE_Set_Advertising_Enable_Command(advertising_enable=0)

    def start_scanning(self) -> list[Command]:
        """Set parameters, then enable; a passive scan sends nothing and needs no address."""
        return [
            hci.HCI_LE_Set_Scan_Parameters_Command(
                le_scan_type=_PASSIVE,
                le_scan_interval=_SCAN_WINDOW,
                le_scan_window=_SCAN_WINDOW,
                own_address_type=hci.OwnAddressType.PUBLIC,
                scanning_filter_policy=_ANYBODY,
            ),
            hci.HCI_LE_Set_Scan_Enable_Command(le_scan_enable=1, filter_duplicates=0),
        ]

    def stop_scanning(self) -> Command:
        """Disable scanning."""
        return hci.HCI_LE_Set_Scan_Enable_Command(le_scan_enable=0, filter_duplicates=0)


class ExtendedCommands:
    """The commands of Bluetooth 5, for controllers that offer only these."""

    required = frozenset(
        {
            hci.HCI_LE_SET_ADVERTISING_SET_RANDOM_ADDRESS_COMMAND,
            hci.HCI_LE_SET_EXTENDED_ADVERTISING_PARAMETERS_COMMAND,
            hci.HCI_LE_SET_EXTENDED_ADVERTISING_DATA_COMMAND,
            hci.HCI_LE_SET_EXTENDED_ADVERTISING_ENABLE_COMMAND,
            hci.HCI_LE_SET_EXTENDED_SCAN_PARAMETERS_COMMAND,
            hci.HCI_LE_SET_EXTENDED_SCAN_ENABLE_COMMAND,
        }
    )

    def start_advertising(self, address: hci.Address, data: bytes) -> list[Command]:
        """Set the parameters first: they create the set that the address belongs to."""
        parameters = hci.HCI_LE_Set_Extended_Advertising_Parameters_Command
        return [
            parameters(
                advertising_handle=_HANDLE,
                advertising_event_properties=parameters.AdvertisingProperties.USE_LEGACY_ADVERTISING_PDUS,
                primary_advertising_interval_min=_INTERVAL_MIN,
                primary_advertising_interval_max=_INTERVAL_MAX,
                primary_advertising_channel_map=_ALL_CHANNELS,
                own_address_type=hci.OwnAddressType.RANDOM,
                peer_address_type=0,
                peer_address=hci.Address.ANY,
                advertising_filter_policy=_ANYBODY,
                advertising_tx_power=parameters.TX_POWER_NO_PREFERENCE,
                primary_advertising_phy=_PHY_1M,
                secondary_advertising_max_skip=0,
                secondary_advertising_phy=_PHY_1M,
                advertising_sid=0,
                scan_request_notification_enable=0,
            ),
            hci.HCI_LE_Set_Advertising_Set_Random_Address_Command(
                advertising_handle=_HANDLE, random_address=address
            ),
            hci.HCI_LE_Set_Extended_Advertising_Data_Command(
                advertising_handle=_HANDLE,
                operation=hci.HCI_LE_Set_Extended_Advertising_Data_Command.Operation.COMPLETE_DATA,
                fragment_preference=parameters.SHOULD_NOT_FRAGMENT,
                advertising_data=data,
            ),
            hci.HCI_LE_Set_Extended_Advertising_Enable_Command(
                enable=1,
                advertising_handles=[_HANDLE],
                durations=[0],
                max_extended_advertising_events=[0],
            ),
        ]

    def stop_advertising(self) -> Command:
        """Disable every set."""
        return hci.HCI_LE_Set_Extended_Advertising_Enable_Command(
            enable=0, advertising_handles=[], durations=[], max_extended_advertising_events=[]
        )

    def start_scanning(self) -> list[Command]:
        """Set parameters for the only PHY of legacy packets, then enable."""
        return [
            hci.HCI_LE_Set_Extended_Scan_Parameters_Command(
                own_address_type=hci.OwnAddressType.PUBLIC,
                scanning_filter_policy=_ANYBODY,
                scanning_phys=_PHY_1M,
                scan_types=[_PASSIVE],
                scan_intervals=[_SCAN_WINDOW],
                scan_windows=[_SCAN_WINDOW],
            ),
            hci.HCI_LE_Set_Extended_Scan_Enable_Command(
                enable=1, filter_duplicates=0, duration=0, period=0
            ),
        ]

    def stop_scanning(self) -> Command:
        """Disable scanning."""
        return hci.HCI_LE_Set_Extended_Scan_Enable_Command(
            enable=0, filter_duplicates=0, duration=0, period=0
        )
