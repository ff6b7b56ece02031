"""Counts of wrong codes by network, in a fixed amount of memory that no flood can push out."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from array import array
from collections.abc import Sequence

__all__ = ["NetworkCounts", "networks_of"]

_HOUR = 3_600.0
_ROWS = 4
_COLUMNS = 1 << 18
_MOST = 2**16 - 1  # so both sketches take 4 MiB

_PREFIXES = {4: (32, 24), 6: (64, 56, 48)}
"""Lengths of the networks that are counted: a client, a site, and what a provider gives to one
customer at most."""


def networks_of(address: str) -> Sequence[str]:
    """Return the networks of an address, the smallest first, which is that of the client itself.

    An IPv6 client is its network of 64 bits, one household's. Text without an address is one
    network.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return [address]
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    return [
        f"{int(parsed) >> (parsed.max_prefixlen - bits)}/{bits}"
        for bits in _PREFIXES[parsed.version]
    ]


class NetworkCounts:
    """Counts of the last hour, one per network, with the sum of all.

    It is a count-min sketch (Cormode and Muthukrishnan, 2005): a network is counted in one cell of
    each of four rows, and its count is the least of the four. Networks that share cells can only
    raise it. So the memory is fixed, nothing is ever evicted, and no flood of networks frees one.
    Two sketches, of this hour and the one before, make the hour slide.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._began_at: float | None = None
        self._now = _empty()
        self._before = _empty()
        self._total = self._total_before = 0

    def add(self, network: str, moment: float) -> None:
        """Count a wrong code from a network at a moment of the monotonic clock."""
        self._turn(moment)
        for row, column in enumerate(self._columns(network)):
            cells = self._now[row]
            cells[column] = min(cells[column] + 1, _MOST)

    def add_to_total(self, moment: float) -> None:
        """Count a wrong code, wherever it came from."""
        self._turn(moment)
        self._total += 1

    def of(self, network: str, moment: float) -> float:
        """Return the count of a network."""
        weight = self._turn(moment)
        return min(
            self._now[row][column] + weight * self._before[row][column]
            for row, column in enumerate(self._columns(network))
        )

    def total(self, moment: float) -> float:
        """Return the count of all networks together."""
        return self._turn(moment) * self._total_before + self._total

    def _turn(self, moment: float) -> float:
        """Begin a new hour if it is time; return the weight of the hour before."""
        if self._began_at is None:
            self._began_at = moment
        passed = moment - self._began_at
        if passed >= _HOUR:
            if passed < 2 * _HOUR:
                self._before, self._total_before = self._now, self._total
            else:
                self._before, self._total_before = _empty(), 0
            self._now, self._total = _empty(), 0
            self._began_at += passed // _HOUR * _HOUR
            passed = moment - self._began_at
        return 1 - passed / _HOUR

    def _columns(self, network: str) -> list[int]:
        digest = hashlib.blake2b(network.encode(), key=self._key, digest_size=4 * _ROWS).digest()
        return [
            int.from_bytes(digest[4 * row : 4 * row + 4], "little") % _COLUMNS
            for row in range(_ROWS)
        ]


def _empty() -> list[array[int]]:
    return [array("H", bytes(2 * _COLUMNS)) for _ in range(_ROWS)]
