"""How often one client may ask, and how often it may be wrong; kept in memory only."""

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
    minute_began: float
    requests: int = 0
    failures: int = 0


class ClientLimits:
    """Counts the requests and wrong codes of each client.

    A client is known by a hash of its address under a key that ends with the process, so no address
    is stored; an IPv6 client is its network of 64 bits, which one household has.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._clients: OrderedDict[bytes, _Client] = OrderedDict()
        # Apart, so that many who merely ask do not push out who is banned.
        self._banned_until: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """How many clients are remembered for their requests."""
        return len(self._clients)

    @property
    def banned(self) -> int:
        """How many clients are remembered because they were banned."""
        return len(self._banned_until)

    @property
    def names(self) -> frozenset[bytes]:
        """What clients are remembered by: a hash of each."""
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
            When the client asks too often, or was wrong too often (429).
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
        """Count a request that tries no code: a ban would outlast the certificate of an upload.

        Raises
        ------
        Refused
            When the client asks too often (429).
        """
        with self._lock:
            client = self._client(self._name(address))
            now = self._clock.monotonic()
            if now - client.minute_began >= _MINUTE:
                client.minute_began, client.requests = now, 0
            client.requests += 1
            if client.requests > self._settings.verify_requests_per_minute:
                raise Refused(
                    "quota_exceeded",
                    "too many requests: try again in a minute",
                    retry_after=int(client.minute_began + _MINUTE - now) + 1,
                )

    def count_code(self, address: str, is_right: bool | None) -> None:
        """Note whether a code was right; None, of a code that only pretends, changes nothing.

        A right one shows that the wrong ones before it were slips of the finger; after too many in
        a row the client is banned for a while.
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
"""The type of a route's parameter that wants the counters."""

Address = Annotated[str, Depends(_address)]
"""The type of a route's parameter that wants the client's address, for counting alone."""
