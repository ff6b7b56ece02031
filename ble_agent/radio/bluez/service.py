"""bluetoothd over D-Bus: its adapters and advertisements, and the loss of any of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

from dbus_fast import AuthError, BusType, Message, MessageType, Variant, unpack_variants
from dbus_fast.aio import MessageBus
from dbus_fast.service import ServiceInterface

from ble_agent.messages.language import Text
from ble_agent.messages.radio import radio_error, radio_text
from ble_agent.radio.adapter import SLEPT
from ble_agent.radio.quotation import quote
from tracing_core.errors import RadioError, RadioFault

__all__ = ["Adapter", "BluezService", "refusal"]

_SERVICE = "org.bluez"
_ADAPTER = "org.bluez.Adapter1"
_ADVERTISER = "org.bluez.LEAdvertisingManager1"
_MONITORS = "org.bluez.AdvertisementMonitorManager1"
_OBJECTS = "org.freedesktop.DBus.ObjectManager"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_BUS = "org.freedesktop.DBus"
_LOGIN = "org.freedesktop.login1"
_RULES = (
    f"type='signal',sender='{_BUS}',member='NameOwnerChanged',arg0='{_SERVICE}'",
    f"type='signal',sender='{_SERVICE}',interface='{_OBJECTS}',member='InterfacesRemoved'",
    f"type='signal',sender='{_SERVICE}',interface='{_PROPERTIES}',member='PropertiesChanged',"
    f"arg0='{_ADAPTER}'",
    f"type='signal',sender='{_LOGIN}',interface='{_LOGIN}.Manager',member='PrepareForSleep'",
)


class Adapter(NamedTuple):
    """An adapter as bluetoothd describes it."""

    path: str
    powered: bool
    has_low_energy: bool
    can_advertise: bool
    is_extended: bool
    """Whether the controller keeps advertising sets and their timeouts itself."""
    can_monitor: bool
    """Whether programs may register monitors: bluetoothd runs with --experimental."""

    @property
    def name(self) -> str:
        """The kernel's name for the adapter: ``hci0``."""
        return self.path.rpartition("/")[2]


class BluezService:
    """A connection to the system bus; closing it removes everything registered through it.

    Parameters
    ----------
    on_lost
        Called with the reason when bluetoothd stops, or the adapter or the bus goes away.
    on_switched_off
        Called when someone switches the adapter off.
    call_seconds
        How long bluetoothd may take to answer, in real time.
    """

    def __init__(
        self,
        on_lost: Callable[[Text], None],
        on_switched_off: Callable[[], None],
        call_seconds: float,
    ) -> None:
        self._on_lost = on_lost
        self._on_switched_off = on_switched_off
        self._call_seconds = call_seconds
        self._path = ""
        self._bus: MessageBus | None = None
        self._watching: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Connect to the bus and watch bluetoothd.

        Raises
        ------
        RadioError
            When there is no bus, or it refuses this user.
        """
        bus = MessageBus(bus_type=BusType.SYSTEM)
        self._bus = bus
        try:
            async with asyncio.timeout(self._call_seconds):
                await bus.connect()
        except AuthError as error:
            raise radio_error(RadioFault.PERMISSION, "dbus_denied") from error
        except (OSError, EOFError, TimeoutError) as error:
            raise radio_error(RadioFault.NO_SERVICE, "dbus_missing") from error
        bus.add_message_handler(self._on_message)
        self._watching = asyncio.create_task(self._watch(bus))
        for rule in _RULES:
            await self._call(_BUS, "/" + _BUS.replace(".", "/"), _BUS, "AddMatch", "s", rule)

    async def adapters(self) -> list[Adapter]:
        """Return all adapters of bluetoothd, ordered by number."""
        (objects,) = await self._call(_SERVICE, "/", _OBJECTS, "GetManagedObjects")
        found = []
        for path, interfaces in objects.items():
            if _ADAPTER not in interfaces:
                continue
            properties = unpack_variants(interfaces[_ADAPTER])
            advertiser = unpack_variants(interfaces.get(_ADVERTISER, {}))
            found.append(
                Adapter(
                    path,
                    bool(properties.get("Powered")),
                    # Versions before 5.54 do not report the roles.
                    "central" in properties.get("Roles", ["central"]),
                    _ADVERTISER in interfaces,
                    bool(advertiser.get("SupportedSecondaryChannels")),
                    _MONITORS in interfaces,
                )
            )
        return sorted(found, key=lambda adapter: (len(adapter.path), adapter.path))

    def use(self, adapter: Adapter) -> None:
        """Watch this adapter."""
        self._path = adapter.path

    async def power_on(self) -> None:
        """Switch the adapter on."""
        await self._call(
            _SERVICE, self._path, _PROPERTIES, "Set", "ssv", _ADAPTER, "Powered", Variant("b", True)
        )

    async def register(self, path: str, advertisement: ServiceInterface) -> None:
        """Start sending an advertisement."""
        assert self._bus is not None
        self._bus.export(path, advertisement)
        try:
            await self._call(
                _SERVICE, self._path, _ADVERTISER, "RegisterAdvertisement", "oa{sv}", path, {}
            )
        except BaseException:
            self._bus.unexport(path, advertisement)
            raise

    async def unregister(self, path: str, advertisement: ServiceInterface) -> None:
        """Stop sending it."""
        assert self._bus is not None
        try:
            await self._call(
                _SERVICE, self._path, _ADVERTISER, "UnregisterAdvertisement", "o", path
            )
        finally:
            self._bus.unexport(path, advertisement)

    async def close(self) -> None:
        """Leave the bus; bluetoothd then removes what was registered."""
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        if self._bus is not None:
            self._bus.disconnect()
            self._bus = None

    async def _call(
        self, service: str, path: str, interface: str, member: str, signature: str = "", *body: Any
    ) -> list[Any]:
        assert self._bus is not None
        message = Message(
            destination=service,
            path=path,
            interface=interface,
            member=member,
            signature=signature,
            body=list(body),
        )
        try:
            async with asyncio.timeout(self._call_seconds):
                reply = await self._bus.call(message)
        except TimeoutError:
            self._on_lost(radio_text("bluetoothd_silent"))
            raise refusal("org.freedesktop.DBus.Error.NoReply", "") from None
        except (OSError, EOFError):
            reply = None
        if reply is None:
            self._on_lost(radio_text("dbus_lost"))
            raise refusal("org.freedesktop.DBus.Error.NoReply", "")
        if reply.message_type is MessageType.ERROR:
            text = str(reply.body[0]) if reply.body else ""
            raise refusal(reply.error_name or "", text)
        return list(reply.body)

    async def _watch(self, bus: MessageBus) -> None:
        with contextlib.suppress(Exception):  # Any exception means that the bus has ended.
            await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        self._on_lost(radio_text("dbus_lost"))

    def _on_message(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        if message.member == "NameOwnerChanged" and message.body[0] == _SERVICE:
            if message.body[1]:
                self._on_lost(radio_text("bluetoothd_stopped"))
        elif message.member == "InterfacesRemoved" and message.body[0] == self._path:
            if _ADAPTER in message.body[1]:
                self._on_lost(radio_text("unplugged"))
        elif message.member == "PropertiesChanged" and message.path == self._path:
            powered = message.body[1].get("Powered")
            if powered is not None and not powered.value:
                self._on_switched_off()
        elif message.member == "PrepareForSleep" and message.body == [False]:
            # The login manager reports that the device woke; bluetoothd does not.
            self._on_lost(SLEPT)


_CAUSES = {
    "org.freedesktop.DBus.Error.ServiceUnknown": (
        RadioFault.NO_SERVICE,
        "bluetoothd_missing",
    ),
    "org.freedesktop.DBus.Error.AccessDenied": (
        RadioFault.PERMISSION,
        "bluetoothd_permission",
    ),
    "org.freedesktop.DBus.Error.UnknownObject": (
        RadioFault.CONNECTION_LOST,
        "bluetoothd_adapter_gone",
    ),
    "org.freedesktop.DBus.Error.NoReply": (
        RadioFault.CONNECTION_LOST,
        "bluetoothd_silent",
    ),
    "org.bluez.Error.NotReady": (
        RadioFault.POWERED_OFF,
        "bluetoothd_adapter_off",
    ),
    "org.bluez.Error.NotPermitted": (
        RadioFault.REFUSED,
        "bluetoothd_full",
    ),
}
_CAUSES["org.freedesktop.DBus.Error.NameHasNoOwner"] = _CAUSES[
    "org.freedesktop.DBus.Error.ServiceUnknown"
]
_CAUSES["org.freedesktop.DBus.Error.UnknownMethod"] = _CAUSES[
    "org.freedesktop.DBus.Error.UnknownObject"
]
_CAUSES["org.freedesktop.DBus.Error.Timeout"] = _CAUSES["org.freedesktop.DBus.Error.NoReply"]


# D-Bus could not start bluetoothd, directly or through systemd.
_NOT_STARTED = (
    "org.freedesktop.DBus.Error.Spawn.",
    "org.freedesktop.DBus.Error.TimedOut",
    "org.freedesktop.systemd1.",
)


def refusal(name: str, text: str) -> RadioError:
    """Return the error for the owner that corresponds to an error from bluetoothd."""
    if "rfkill" in text.lower() or "blocked" in text.lower():
        return radio_error(RadioFault.POWERED_OFF, "bluetoothd_adapter_blocked")
    if name.startswith(_NOT_STARTED):
        name = "org.freedesktop.DBus.Error.ServiceUnknown"
    if name in _CAUSES:
        return radio_error(*_CAUSES[name])
    said = quote(f"{name.rpartition('.')[2]}: {text}")
    return radio_error(RadioFault.REFUSED, "bluetoothd_refused", reason=said)
