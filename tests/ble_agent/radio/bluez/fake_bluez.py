"""A bluetoothd of our own on a D-Bus of our own: what BluezRadio and bleak ask of the real one."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dbus_fast import Message, MessageType, Variant, unpack_variants
from dbus_fast.aio import MessageBus

ADAPTER = "org.bluez.Adapter1"
ADVERTISER = "org.bluez.LEAdvertisingManager1"
MONITORS = "org.bluez.AdvertisementMonitorManager1"
DEVICE = "org.bluez.Device1"
OBJECTS = "org.freedesktop.DBus.ObjectManager"
PROPERTIES = "org.freedesktop.DBus.Properties"
SERVICE_UUID = "0000fd6f-0000-1000-8000-00805f9b34fb"
_CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/><allow user="*"/>
  </policy>
</busconfig>
"""


@contextlib.contextmanager
def private_bus(folder: Path) -> Iterator[str]:
    """Run a dbus-daemon for one test; yield its address."""
    configuration, socket = folder / "bus.conf", folder / "bus"
    configuration.write_text(_CONFIGURATION.format(socket=socket))
    daemon = subprocess.Popen(
        ["dbus-daemon", "--nofork", f"--config-file={configuration}", "--print-address"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert daemon.stdout is not None
        # The first line is printed when the bus listens.
        yield daemon.stdout.readline().split(",")[0].strip()
    finally:
        daemon.terminate()
        daemon.wait(10)
        assert daemon.stdout is not None
        daemon.stdout.close()


class FakeBluez:
    """bluetoothd with any number of adapters."""

    def __init__(self, address: str, *, experimental: bool = True, powered: bool = False) -> None:
        self._address = address
        self.powered = powered
        interfaces = {ADVERTISER, MONITORS} if experimental else {ADVERTISER}
        self.adapters: dict[str, set[str]] = {"/org/bluez/hci0": interfaces}
        self.roles = ["central", "peripheral"]
        self.secondary_channels: list[str] = []
        self.calls: list[str] = []
        """The members called, in order."""
        self.filters: list[dict[str, Any]] = []
        self.advertisements: dict[str, dict[str, Any]] = {}
        """The properties of what is on the air, by object path."""
        self.errors: dict[str, tuple[str, str]] = {}
        self.deaf: set[str] = set()
        """Members that are never answered."""
        self.slow: dict[str, asyncio.Event] = {}
        """Members that are done and answered once their event is set."""
        self.discovering = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._senders: dict[str, str] = {}

    async def start(self) -> None:
        self._bus = await MessageBus(bus_address=self._address).connect()
        self._bus.add_message_handler(self._on_message)
        await self._bus.call(
            Message(
                destination="org.freedesktop.DBus",
                path="/org/freedesktop/DBus",
                interface="org.freedesktop.DBus",
                member="AddMatch",
                signature="s",
                body=["type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged'"],
            )
        )
        await self._bus.request_name("org.bluez")

    def stop(self) -> None:
        """Be gone at once, as after SIGKILL."""
        self._bus.disconnect()
        self.advertisements.clear()
        self.discovering = False

    def report(self, number: int, service_data: bytes | None, rssi: int | None) -> None:
        """Tell of a device that was heard."""
        address = f"00:11:22:33:44:{number:02X}"
        properties: dict[str, Variant] = {
            "Adapter": Variant("o", "/org/bluez/hci0"),
            "Address": Variant("s", address),
            "Alias": Variant("s", address.replace(":", "-")),
            "UUIDs": Variant("as", [SERVICE_UUID]),
        }
        if service_data is not None:
            value = Variant("ay", service_data)
            properties["ServiceData"] = Variant("a{sv}", {SERVICE_UUID: value})
        if rssi is not None:
            properties["RSSI"] = Variant("n", rssi)
        path = self._device(number)
        self._signal("/", OBJECTS, "InterfacesAdded", "oa{sa{sv}}", [path, {DEVICE: properties}])

    def report_again(self, number: int, rssi: int) -> None:
        """Tell of another packet of a device."""
        changed = {"RSSI": Variant("n", rssi)}
        body = [DEVICE, changed, []]
        self._signal(self._device(number), PROPERTIES, "PropertiesChanged", "sa{sv}as", body)

    def unplug(self, path: str = "/org/bluez/hci0") -> None:
        interfaces = self.adapters.pop(path)
        body = [path, [ADAPTER, *interfaces]]
        self._signal("/", OBJECTS, "InterfacesRemoved", "oas", body)

    def switch_off(self) -> None:
        self.powered = False
        body = [ADAPTER, {"Powered": Variant("b", False)}, []]
        self._signal("/org/bluez/hci0", PROPERTIES, "PropertiesChanged", "sa{sv}as", body)

    async def wake(self) -> None:
        """Tell, as systemd's or another login manager does, that the machine was suspended."""
        manager = await MessageBus(bus_address=self._address).connect()
        await manager.request_name("org.freedesktop.login1")
        for falls_asleep in (True, False):
            manager.send(
                Message.new_signal(
                    "/org/freedesktop/login1",
                    "org.freedesktop.login1.Manager",
                    "PrepareForSleep",
                    "b",
                    [falls_asleep],
                )
            )
        # An answer means that the bus has had the signals.
        await manager.release_name("org.freedesktop.login1")
        manager.disconnect()

    async def release(self, path: str) -> None:
        """Tell a program that its advertisement is removed."""
        sender = self._senders[path]
        del self.advertisements[path]
        await self._bus.call(
            Message(
                destination=sender,
                path=path,
                interface="org.bluez.LEAdvertisement1",
                member="Release",
            )
        )

    def _device(self, number: int) -> str:
        return f"/org/bluez/hci0/dev_00_11_22_33_44_{number:02X}"

    def _signal(self, path: str, interface: str, member: str, signature: str, body: Any) -> None:
        self._bus.send(Message.new_signal(path, interface, member, signature, body))

    def _on_message(self, message: Message) -> bool:
        if message.member == "NameOwnerChanged":
            # What a program had registered goes with its connection.
            for path in [path for path, its in self._senders.items() if its == message.body[0]]:
                self.advertisements.pop(path, None)
        if message.message_type is not MessageType.METHOD_CALL:
            return False
        task = asyncio.create_task(self._answer(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _answer(self, message: Message) -> None:
        member = str(message.member)
        self.calls.append(member)
        if member in self.deaf:
            return
        if member in self.slow:
            await self.slow[member].wait()
        if member in self.errors:
            name, text = self.errors[member]
            self._bus.send(Message.new_error(message, name, text))
            return
        signature, body = "", []
        if member == "GetManagedObjects":
            signature, body = "a{oa{sa{sv}}}", [self._objects()]
        elif message.path not in self.adapters:
            error = "org.freedesktop.DBus.Error.UnknownObject"
            self._bus.send(Message.new_error(message, error, "no such adapter"))
            return
        elif message.interface == MONITORS and MONITORS not in self.adapters[message.path]:
            error = "org.freedesktop.DBus.Error.UnknownMethod"
            self._bus.send(Message.new_error(message, error, "no such method"))
            return
        elif member == "StartDiscovery" and self.discovering:
            # A program may have one at a time.
            self._bus.send(Message.new_error(message, "org.bluez.Error.InProgress", "In progress"))
            return
        else:
            await self._do(member, message)
        self._bus.send(Message.new_method_return(message, signature, body))

    async def _do(self, member: str, message: Message) -> None:
        if member == "Set":
            self.powered = message.body[2].value
        elif member == "RegisterAdvertisement":
            path = message.body[0]
            reply = await self._bus.call(
                Message(
                    destination=message.sender,
                    path=path,
                    interface=PROPERTIES,
                    member="GetAll",
                    signature="s",
                    body=["org.bluez.LEAdvertisement1"],
                )
            )
            assert reply is not None
            self.advertisements[path] = unpack_variants(reply.body[0])
            self._senders[path] = str(message.sender)
        elif member == "UnregisterAdvertisement":
            del self.advertisements[message.body[0]]
        elif member == "SetDiscoveryFilter":
            self.filters.append(unpack_variants(message.body[0]))
        elif member in ("StartDiscovery", "StopDiscovery"):
            self.discovering = member == "StartDiscovery"
        else:
            assert member in ("RegisterMonitor", "UnregisterMonitor"), member

    def _objects(self) -> dict[str, Any]:
        adapter = {
            "Powered": Variant("b", self.powered),
            "Roles": Variant("as", self.roles),
            "Address": Variant("s", "00:00:00:00:00:01"),
        }
        channels = Variant("as", self.secondary_channels)
        properties = {ADVERTISER: {"SupportedSecondaryChannels": channels}, MONITORS: {}}
        return {
            path: {
                ADAPTER: adapter,
                **{interface: properties[interface] for interface in interfaces},
            }
            for path, interfaces in self.adapters.items()
        }
