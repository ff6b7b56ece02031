"""The Java side of an Android phone, as Chaquopy and python-for-android would show it.

It proves nothing of Android itself, only what our code and bleak's ask of it.
"""

from __future__ import annotations

import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import pytest

SERVICE_UUID = "0000fd6f-0000-1000-8000-00805f9b34fb"
STATE_ON = 12


class JavaError(Exception):
    """What a bridge raises for an exception of Java's."""


class Recorder:
    """A builder or any other object that only takes calls; they are kept by name."""

    def __init__(self, name: str) -> None:
        self.java_name = name
        self.values: dict[str, Any] = {}

    def __getattr__(self, member: str) -> Any:
        if member.startswith("__"):
            raise AttributeError(member)
        if member.isupper():
            return member

        def call(*arguments: Any) -> Any:
            self.values[member] = arguments[0] if len(arguments) == 1 else arguments
            return self

        return call

    def build(self) -> dict[str, Any]:
        return self.values


class Phone:
    """Adapter, advertiser and scanner."""

    def __init__(self) -> None:
        self.state = STATE_ON
        self.has_adapter = True
        self.has_advertiser = True
        self.answer: int | None = 0
        """What Android answers to a start: 0, an error code, or nothing at all."""
        self.error = ""
        self.on_air: list[tuple[dict[str, Any], dict[str, Any], Any]] = []
        self.started = 0
        self.scans: list[Any] = []

    # BluetoothAdapter
    STATE_ON = STATE_ON

    def getDefaultAdapter(self) -> Phone | None:  # noqa: N802
        return self if self.has_adapter else None

    def getState(self) -> int:  # noqa: N802
        return self.state

    def getBluetoothLeAdvertiser(self) -> Phone | None:  # noqa: N802
        return self if self.has_advertiser else None

    def getBluetoothLeScanner(self) -> Phone:  # noqa: N802
        return self

    # BluetoothLeAdvertiser
    def startAdvertising(self, settings: Any, data: Any, callback: Any) -> None:  # noqa: N802
        if self.error:
            raise JavaError(self.error)
        self.started += 1
        if self.answer is None:
            return
        if self.answer == 0:
            self.on_air.append((settings, data, callback))
        arguments = (settings,) if self.answer == 0 else (self.answer,)
        method = callback.onStartSuccess if self.answer == 0 else callback.onStartFailure
        thread = threading.Thread(target=method, args=arguments)
        thread.start()
        thread.join()

    def stopAdvertising(self, callback: Any) -> None:  # noqa: N802
        self.on_air = [entry for entry in self.on_air if entry[2] is not callback]

    # BluetoothLeScanner
    def startScan(self, filters: Any, settings: Any, callback: Any) -> None:  # noqa: N802
        self.scans.append((filters, settings, callback))

    def flushPendingScanResults(self, callback: Any) -> None:  # noqa: N802
        pass

    def stopScan(self, callback: Any) -> None:  # noqa: N802
        self.scans = [scan for scan in self.scans if scan[2] is not callback]

    def report(self, service_data: bytes | None, rssi_dbm: int) -> None:
        """Tell the scans that run of a packet, from a thread of Android's."""
        entries = [] if service_data is None else [_Entry(_Text(SERVICE_UUID), service_data)]
        record = types.SimpleNamespace(
            getServiceUuids=lambda: [_Text(SERVICE_UUID)],
            getManufacturerSpecificData=lambda: types.SimpleNamespace(size=lambda: 0),
            getServiceData=lambda: types.SimpleNamespace(entrySet=lambda: entries),
            getTxPowerLevel=lambda: -2147483648,
            getDeviceName=lambda: None,
        )
        device = types.SimpleNamespace(getAddress=lambda: "11:22:33:44:55:66", getName=lambda: None)
        result = types.SimpleNamespace(
            getDevice=lambda: device, getScanRecord=lambda: record, getRssi=lambda: rssi_dbm
        )
        for _, _, callback in self.scans:
            thread = threading.Thread(target=callback.onScanResult, args=(result,))
            thread.start()
            thread.join()

    def find(self, name: str) -> Any:
        """A Java class by its name."""
        if name == "android.bluetooth.BluetoothAdapter":
            return self
        if name == "android.os.ParcelUuid":
            return types.SimpleNamespace(fromString=_Text)
        if name == "org.truyvet.AdvertisingCallback":
            return _AdvertisingCallback
        if name == "java.lang.Exception":
            return JavaError
        if name == "com.github.hbldh.bleak.PythonScanCallback":
            return lambda listener: listener
        if name == "org.kivy.android.PythonActivity":
            return types.SimpleNamespace(mActivity=Recorder("activity"))
        if name == "java.util.ArrayList":
            return lambda: types.SimpleNamespace(add=lambda _: True)
        if name.endswith("$Builder"):
            return lambda: Recorder(name)
        if name.startswith(("android.bluetooth.le.AdvertiseCallback",)):
            return object
        return _constants(name)


class _Text(str):
    __slots__ = ()

    def toString(self) -> str:  # noqa: N802
        return str(self)


class _Entry:
    def __init__(self, key: Any, value: Any) -> None:
        self.getKey: Callable[[], Any] = lambda: key
        self.getValue: Callable[[], Any] = lambda: value


class _AdvertisingCallback:
    """What packaging/android/java/org/truyvet/AdvertisingCallback.java does."""

    def __init__(self, listener: Any) -> None:
        self._listener = listener

    def onStartSuccess(self, settings: Any) -> None:  # noqa: N802
        self._listener.onAnswer(0)

    def onStartFailure(self, code: int) -> None:  # noqa: N802
        self._listener.onAnswer(code)


class _Constants(Recorder):
    """A class of which only constants are asked; each is a number of its own."""

    def __getattr__(self, member: str) -> Any:
        if member.upper() == member and not member.startswith("__"):
            return sum(ord(letter) << position for position, letter in enumerate(member))
        return super().__getattr__(member)


def _constants(name: str) -> Any:
    return _Constants(name)


def install_pyjnius(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process look like an app of python-for-android's."""
    jnius: Any = types.ModuleType("jnius")
    jnius.autoclass = phone.find
    jnius.cast = lambda _, value: value
    jnius.PythonJavaClass = type("PythonJavaClass", (), {})
    jnius.java_method = lambda *_, **__: lambda method: method
    jnius.JavaException = JavaError
    broadcast: Any = types.ModuleType("android.broadcast")
    broadcast.BroadcastReceiver = object
    permissions: Any = types.ModuleType("android.permissions")
    permissions.Permission = _constants("Permission")
    permissions.request_permissions = lambda names, answer: answer(names, [True])
    for name, module in (
        ("jnius", jnius),
        ("android", types.ModuleType("android")),
        ("android.broadcast", broadcast),
        ("android.permissions", permissions),
    ):
        monkeypatch.setitem(sys.modules, name, module)
    for name in [name for name in sys.modules if name.startswith("bleak.backends.p4android")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setenv("P4A_BOOTSTRAP", "fake")


def install_chaquopy(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process look like an app of Chaquopy's; it cannot scan."""
    java: Any = types.ModuleType("java")
    java.jclass = phone.find
    java.jbyte, java.jint, java.jvoid = "byte", "int", "void"
    java.jarray = lambda _: bytearray
    java.static_proxy = lambda *_: object
    java.Override = lambda *_: lambda method: method
    monkeypatch.setitem(sys.modules, "java", java)
    monkeypatch.delitem(sys.modules, "ble_agent.radio.android.callback", raising=False)
