"""The machine's addresses in home networks; at no other is the page ever served."""

from __future__ import annotations

import array
import contextlib
import fcntl
import ipaddress
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from ble_agent.messages.refusals import not_possible

__all__ = ["Address", "choose_address", "home_addresses", "is_home_address"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_HOME_NETWORKS = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8"))
)
# The only list of addresses that a service gets without access to netlink (ip-netdevice(7)).
_SIOCGIFCONF = 0x8912
_NAME_BYTES = 16
_ENTRY_BYTES = _NAME_BYTES + 8 + 2 * struct.calcsize("P")
_ADDRESS_AT = _NAME_BYTES + 4
_MOST_ENTRIES = 256
_IPV6_FILE = Path("/proc/net/if_inet6")


def is_home_address(address: Address) -> bool:
    """Return whether an address is private (RFC 1918 or fd00::/8), so no router passes it on."""
    return any(address in network for network in _HOME_NETWORKS)


def home_addresses() -> list[Address]:
    """Return this machine's addresses in home networks; those of IPv6 if there are no others."""
    found = sorted(address for address in set(_ipv4_addresses()) if is_home_address(address))
    return [*found] or sorted(filter(is_home_address, set(_ipv6_addresses())))


def choose_address(wanted: str) -> Address:
    """Return the address at which to serve; "" chooses the only one that there is.

    Raises
    ------
    NotPossible
        When it is not a private address (``lan_public``), or there is none (``lan_none``) or more
        than one (``lan_several``).
    """
    if not wanted:
        found = home_addresses()
        if not found:
            raise not_possible("lan_none")
        if len(found) > 1:
            raise not_possible("lan_several", addresses=", ".join(map(str, found)))
        return found[0]
    try:
        address = ipaddress.ip_address(wanted)
    except ValueError:
        address = None
    if address is None or not is_home_address(address):
        raise not_possible("lan_public", address=repr(wanted))
    return address


def _ipv4_addresses() -> Iterator[ipaddress.IPv4Address]:
    if sys.platform != "linux":
        with contextlib.suppress(OSError):
            for *_, place in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET):
                yield ipaddress.IPv4Address(place[0])
        return
    entries = array.array("B", bytes(_MOST_ENTRIES * _ENTRY_BYTES))
    request = struct.pack("iP", len(entries), entries.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        filled, _ = struct.unpack("iP", fcntl.ioctl(asked, _SIOCGIFCONF, request))
    for start in range(_ADDRESS_AT, filled, _ENTRY_BYTES):
        yield ipaddress.IPv4Address(bytes(entries[start : start + 4]))


def _ipv6_addresses() -> Iterator[ipaddress.IPv6Address]:
    # Absent without IPv6; a service may not see it.
    with contextlib.suppress(OSError):
        for line in _IPV6_FILE.read_text().splitlines():
            yield ipaddress.IPv6Address(int(line.split()[0], 16))
