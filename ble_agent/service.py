"""systemd's notification protocol: messages to the service manager."""

from __future__ import annotations

import contextlib
import os
import socket

__all__ = ["notify"]


def notify(text: str) -> None:
    """Send a line such as ``READY=1`` to the service manager; without one, do nothing."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    # A leading @ stands for the zero byte of Linux's abstract names (sd_notify(3)).
    name = "\0" + address[1:] if address[0] == "@" else address
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel,
    ):
        channel.sendto(text.encode(), name)
