"""Transports of Bumble: opening, closing, and faults as one line each."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from typing import cast

from bumble.transport import open_transport
from bumble.transport.common import (
    ParserSource,
    Transport,
    TransportInitError,
    TransportSpecError,
)

from ble_agent.messages.radio import radio_error
from ble_agent.radio.quotation import quote
from tracing_core.errors import RadioError, RadioFault

__all__ = ["close_hci", "open_hci", "transport_fault", "watch_socket"]

_NO_ADAPTER = (errno.ENODEV, errno.ENXIO, errno.ENOENT, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)
_USB_FAULTS = {
    "USBErrorAccess": errno.EACCES,
    "USBErrorBusy": errno.EBUSY,
    "USBErrorNoDevice": errno.ENODEV,
    "USBErrorNotFound": errno.ENODEV,
}
_ERFKILL = getattr(errno, "ERFKILL", 132)
_READ_SIZE = 4096


async def open_hci(spec: str, timeout_seconds: float) -> Transport:
    """Open a transport by Bumble's name.

    Raises
    ------
    RadioError
        When it cannot be opened; the text names the next step.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            transport = await open_transport(spec)
    except (TransportSpecError, ValueError, OverflowError, AssertionError) as error:
        raise radio_error(
            RadioFault.UNKNOWN_RADIO, "transport_unknown", spec=f"{spec!r:.60}"
        ) from error
    except TransportInitError as error:
        raise radio_error(
            RadioFault.NO_ADAPTER, "transport_no_adapter", spec=spec, reason=quote(error)
        ) from error
    except Exception as error:
        # Bumble and its libraries raise anything here, even a bare Exception.
        raise transport_fault(spec, error) from error
    watch_socket(transport)
    return transport


async def close_hci(transport: Transport, timeout_seconds: float) -> None:
    """Close a transport, as far as an adapter that was pulled out allows."""
    # libusb raises then, and some of its transfers may never end.
    with contextlib.suppress(Exception):
        async with asyncio.timeout(timeout_seconds):
            await transport.close()


def transport_fault(spec: str, error: Exception) -> RadioError:
    """Return the error for the owner that corresponds to a library's error."""
    number = _USB_FAULTS.get(type(error).__name__, getattr(error, "errno", None))
    if number in (errno.EPERM, errno.EACCES):
        return radio_error(RadioFault.PERMISSION, "transport_permission", spec=spec)
    if number == errno.EBUSY:
        return radio_error(RadioFault.REFUSED, "transport_busy", spec=spec)
    if number == _ERFKILL:
        return radio_error(RadioFault.POWERED_OFF, "transport_blocked", spec=spec)
    if number in _NO_ADAPTER:
        return radio_error(RadioFault.NO_ADAPTER, "transport_missing", spec=spec)
    if isinstance(error, TimeoutError):
        return radio_error(RadioFault.NO_ADAPTER, "transport_silent", spec=spec)
    return radio_error(RadioFault.NO_ADAPTER, "transport_closed", spec=spec, reason=quote(error))


def watch_socket(transport: Transport) -> None:
    """Read an HCI socket here: Bumble's reader does not notice that the adapter went away."""
    descriptor = getattr(transport, "socket", None)
    if not isinstance(descriptor, socket.socket):
        return
    loop = asyncio.get_running_loop()
    source = cast(ParserSource, transport.source)

    def readable() -> None:
        try:
            data = descriptor.recv(_READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            source.parser.feed_data(data)
        else:
            loop.remove_reader(descriptor)
            source.on_transport_lost()

    loop.add_reader(descriptor, readable)
