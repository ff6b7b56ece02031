"""Android's classes, reached through Chaquopy's `java` module or through pyjnius."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from ble_agent.messages.radio import radio_error
from tracing_core.errors import RadioFault

__all__ = ["AndroidPlatform", "load_platform"]


class AndroidPlatform(Protocol):
    """The part of a bridge between Python and Java that the radio needs."""

    def find(self, name: str) -> Any:
        """Return a Java class by its full name."""

    def inner(self, outer: str, name: str) -> Any:
        """Return a nested class."""

    def to_java_bytes(self, data: bytes) -> Any:
        """Return bytes as Java's ``byte[]``."""

    def make_callback(self, on_answer: Callable[[int], None]) -> Any:
        """Return an AdvertiseCallback that passes on 0 for success, else Android's error code.

        It is called in a thread of Android's.
        """

    def translated(self) -> contextlib.AbstractContextManager[None]:
        """Turn Java's exceptions into `RadioError`."""


class _Bridge:
    """Base of both bridges."""

    def __init__(self, find: Callable[[str], Any], java_error: type[Exception]) -> None:
        self.find = find
        self._java_error = java_error

    def inner(self, outer: str, name: str) -> Any:
        return self.find(f"{outer}${name}")

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        try:
            yield
        except self._java_error as error:
            if "SecurityException" in f"{type(error).__name__} {error}":
                raise radio_error(RadioFault.PERMISSION, "android_permission") from error
            # An exception's text may hold the device's name or address.
            raise radio_error(RadioFault.REFUSED, "android_refused") from error


class _Chaquopy(_Bridge):
    """Chaquopy, as BeeWare and Android Studio use it."""

    def __init__(self) -> None:
        java = importlib.import_module("java")
        super().__init__(java.jclass, java.jclass("java.lang.Exception"))
        self._to_bytes = java.jarray(java.jbyte)

    def to_java_bytes(self, data: bytes) -> Any:
        return self._to_bytes(data)

    def make_callback(self, on_answer: Callable[[int], None]) -> Any:
        # Chaquopy generates the Java side of this class when the app is built. It has its own
        # module for the build's list of static proxies.
        module = importlib.import_module("ble_agent.radio.android.callback")
        return module.AdvertisingAnswer(on_answer)


class _Pyjnius(_Bridge):
    """pyjnius, as python-for-android uses it."""

    def __init__(self) -> None:
        jnius = importlib.import_module("jnius")
        super().__init__(jnius.autoclass, jnius.JavaException)
        self._jnius = jnius
        self._listener: Any = None

    def to_java_bytes(self, data: bytes) -> Any:
        return data

    def make_callback(self, on_answer: Callable[[int], None]) -> Any:
        jnius = self._jnius

        # pyjnius implements interfaces only, and AdvertiseCallback is a class. The app contains one
        # that passes on to an interface (packaging/android/java).
        def answer(_: Any, code: int) -> None:
            on_answer(code)

        listener = type(
            "AdvertisingListener",
            (jnius.PythonJavaClass,),
            {
                "__javainterfaces__": ["org/truyvet/AdvertisingListener"],
                "__javacontext__": "app",
                "onAnswer": jnius.java_method("(I)V")(answer),
            },
        )()
        callback = self.find("org.truyvet.AdvertisingCallback")(listener)
        # The reference in Java does not keep the Python object alive.
        self._listener = listener
        return callback


def load_platform() -> AndroidPlatform:
    """Return the app's bridge to Java.

    Raises
    ------
    RadioError
        Outside an Android app.
    """
    for module, bridge in (("java", _Chaquopy), ("jnius", _Pyjnius)):
        try:
            importlib.import_module(module)
        except ModuleNotFoundError:
            continue
        return bridge()
    raise radio_error(RadioFault.NO_ADAPTER, "android_only")
