"""The D-Bus object that describes an advertisement to bluetoothd."""

# D-Bus reads the annotations while the class is made, so they are not postponed here.

from collections.abc import Callable
from typing import Annotated

from dbus_fast import PropertyAccess, Variant
from dbus_fast.annotations import DBusSignature, DBusStr, DBusUInt16, DBusUInt32
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property

from tracing_core.protocol.advertisement import SERVICE_UUID

__all__ = ["BluezAdvertisement"]

_UUID = f"{SERVICE_UUID:04x}"
# The controller adds a random delay of up to 10 ms, so on the air these are 200 to 270 ms. Only
# controllers with extended advertising obey them.
_INTERVAL_MIN_MS, _INTERVAL_MAX_MS = 200, 260


class BluezAdvertisement(ServiceInterface):  # type: ignore[misc, unused-ignore]
    """One advertisement (``org.bluez.LEAdvertisement1``), which never changes.

    It has no Flags: bluetoothd refuses them where no connections are taken.

    Parameters
    ----------
    service_data
        20 bytes of identifier and metadata.
    timeout_seconds
        Time until bluetoothd removes the advertisement; 0 for never.
    on_release
        Called when bluetoothd has removed the advertisement.
    """

    def __init__(
        self, service_data: bytes, timeout_seconds: int, on_release: Callable[[], None]
    ) -> None:
        super().__init__("org.bluez.LEAdvertisement1")
        self._service_data = service_data
        self._timeout_seconds = timeout_seconds
        self._on_release = on_release

    @dbus_method()
    def Release(self) -> None:  # noqa: N802
        """Pass on that bluetoothd removed the advertisement."""
        self._on_release()

    @dbus_property(PropertyAccess.READ)
    def Type(self) -> DBusStr:  # noqa: N802
        """Take no connections and no scan requests; then each advertisement gets a new address."""
        return "broadcast"

    @dbus_property(PropertyAccess.READ)
    def ServiceUUIDs(self) -> Annotated[list[str], DBusSignature("as")]:  # noqa: N802
        """Return the Exposure Notification service."""
        return [_UUID]

    @dbus_property(PropertyAccess.READ)
    def ServiceData(self) -> Annotated[dict[str, Variant], DBusSignature("a{sv}")]:  # noqa: N802
        """Return the identifier and its metadata."""
        return {_UUID: Variant("ay", self._service_data)}

    @dbus_property(PropertyAccess.READ)
    def Timeout(self) -> DBusUInt16:  # noqa: N802
        """Return how long the advertisement may last, in seconds."""
        return self._timeout_seconds

    @dbus_property(PropertyAccess.READ)
    def MinInterval(self) -> DBusUInt32:  # noqa: N802
        """Return the shortest interval, in milliseconds."""
        return _INTERVAL_MIN_MS

    @dbus_property(PropertyAccess.READ)
    def MaxInterval(self) -> DBusUInt32:  # noqa: N802
        """Return the longest interval, in milliseconds."""
        return _INTERVAL_MAX_MS
