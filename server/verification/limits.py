"""Limits on a client's requests and wrong codes, counted in memory only."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from server.config import Settings
from server.errors import Refused
from tracing_core.clock import Clock

__all__ = ["Address", "ClientLimits", "Limits"]

_MINUTE = 60.0
_IPV6_NETWORK_BITS = 64


@dataclass(slots=True)
class _Client:
    minute_started_at: float
    requests: int = 0
    failures: int = 0


class ClientLimits:
    """Counts the requests and wrong codes of each client.

    A client is known by a keyed hash of its address, and the key ends with the process, so no
    address is stored. IPv6 clients are counted per network of 64 bits, which is one household's.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._clients: OrderedDict[bytes, _Client] = OrderedDict()
        # Separate, so that a flood of requests does not push out banned clients.
        self._banned_until: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Number of clients remembered for their requests."""
        return len(self._clients)

    @property
    def banned(self) -> int:
        """Number of clients remembered for a ban."""
        return len(self._banned_until)

    @property
    def names(self) -> frozenset[bytes]:
        """Hashes under which the clients are remembered."""
        return frozenset(self._clients) | frozenset(self._banned_until)

    def _name(self, address: str) -> bytes:
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            network = address
        else:
            parsed = getattr(parsed, "ipv4_mapped", None) or parsed
            bits = parsed.max_prefixlen if parsed.version == 4 else _IPV6_NETWORK_BITS
            network = str(ipaddress.ip_network((int(parsed), bits), strict=False))
        return hashlib.blake2b(network.encode(), key=self._key, digest_size=16).digest()

    def _client(self, name: bytes) -> _Client:
        client = self._clients.setdefault(name, _Client(self._clock.monotonic()))
        self._clients.move_to_end(name)
        self._shorten(self._clients)
        return client

    def _shorten(self, counted: OrderedDict[bytes, Any]) -> None:
        while len(counted) > self._settings.max_counted_clients:
            counted.popitem(last=False)

    def check(self, address: str) -> None:
        """Count a request for a token or a certificate.

        Raises
        ------
        Refused
            When the client sent too many requests, or too many wrong codes.
        """
        with self._lock:
            now = self._clock.monotonic()
            if (banned_until := self._banned_until.get(self._name(address), now)) > now:
                raise Refused(
                    "quota_exceeded",
                    "too many wrong codes: try again later",
                    retry_after=int(banned_until - now) + 1,
                )
        self.count_request(address)

    def count_request(self, address: str) -> None:
        """Count a request without a code, which a ban does not stop.

        An upload's certificate expires before a ban ends.

        Raises
        ------
        Refused
            When the client sent too many requests.
        """
        with self._lock:
            client = self._client(self._name(address))
            now = self._clock.monotonic()
            if now - client.minute_started_at >= _MINUTE:
                client.minute_started_at, client.requests = now, 0
            client.requests += 1
            if client.requests > self._settings.verify_requests_per_minute:
                raise Refused(
                    "quota_exceeded",
                    "too many requests: try again in a minute",
                    retry_after=int(client.minute_started_at + _MINUTE - now) + 1,
                )

    def count_code(self, address: str, is_right: bool | None) -> None:
        """Count a wrong code, or forget wrong ones after a right code.

        A right code shows that the wrong ones before it were typing errors. After too many wrong
        codes in a row the client is banned for a while.

        Parameters
        ----------
        address
            The client's address.
        is_right
            True if the code was right; None, for cover traffic, changes nothing.
        """
        with self._lock:
            name = self._name(address)
            client = self._client(name)
            if is_right:
                client.failures = 0
            elif is_right is not None:
                client.failures += 1
            if client.failures >= self._settings.max_consecutive_code_failures:
                client.failures = 0
                self._banned_until[name] = self._clock.monotonic() + self._settings.ban_seconds
                self._banned_until.move_to_end(name)
                self._shorten(self._banned_until)


def _limits(request: Request) -> ClientLimits:
    limits = request.app.state.limits
    assert isinstance(limits, ClientLimits)
    return limits


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


Limits = Annotated[ClientLimits, Depends(_limits)]
"""Type of a route's parameter that receives the counts."""

Address = Annotated[str, Depends(_address)]
"""Type of a route's parameter that receives the client's address, only to count by it."""
