"""Limits on a client's requests and wrong codes, counted in memory only."""

from __future__ import annotations

import hashlib
import logging
import math
import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request

from server.config import Settings
from server.counters import Counters
from server.errors import Refused
from server.verification.network_counts import NetworkCounts, networks_of
from tracing_core.clock import Clock

__all__ = ["Address", "ClientLimits", "Limits"]

_MINUTE = 60.0
_HOUR = 3_600.0
_LEAST_ALLOWANCE = 3
"""Wrong codes that a network may always send in an hour: owners mistype."""
_RETRY_SECONDS = 600

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Client:
    minute_started_at: float
    requests: int = 0
    wrong: set[bytes] = field(default_factory=set)
    """Keyed hashes of the wrong codes in a row."""


class ClientLimits:
    """Counts the requests and wrong codes of each client, and the wrong codes of networks.

    A client is known by a keyed hash of its address, and the key ends with the process, so no
    address is stored. Codes that are too long to be guessed are never refused, so an authority can
    help an owner whose neighbour guesses.
    """

    def __init__(self, settings: Settings, clock: Clock, counters: Counters | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._counters = counters or Counters()
        self._key = secrets.token_bytes(32)
        self._clients: OrderedDict[bytes, _Client] = OrderedDict()
        # Separate, so that a flood of requests does not push out banned clients.
        self._banned_until: OrderedDict[bytes, float] = OrderedDict()
        self._networks = NetworkCounts()
        self._alarmed_at = -math.inf
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

    def _hash(self, text: str) -> bytes:
        return hashlib.blake2b(text.encode(), key=self._key, digest_size=16).digest()

    def _client(self, name: bytes) -> _Client:
        client = self._clients.setdefault(name, _Client(self._clock.monotonic()))
        self._clients.move_to_end(name)
        self._shorten(self._clients)
        return client

    def _shorten(self, counted: OrderedDict[bytes, Any]) -> None:
        while len(counted) > self._settings.max_counted_clients:
            counted.popitem(last=False)

    def check_code(self, address: str, code: str) -> None:
        """Check that a code may be tried.

        Raises
        ------
        Refused
            When the client, or a network it belongs to, sent too many wrong codes.
        """
        if self._is_long(code):
            return
        with self._lock:
            now = self._clock.monotonic()
            client, *wider = networks_of(address)
            if (banned_until := self._banned_until.get(self._hash(client), now)) > now:
                self._refuse_codes(int(banned_until - now) + 1)
            share = self._share(now)
            limits = dict(zip(reversed(wider), self._wide_limits(), strict=False))
            if share < 1:
                limits[client] = self._settings.max_consecutive_code_failures
            for network, limit in limits.items():
                if self._networks.of(network, now) >= max(limit * share, _LEAST_ALLOWANCE):
                    self._refuse_codes(_RETRY_SECONDS)

    def _wide_limits(self) -> tuple[int, int]:
        settings = self._settings
        return settings.max_wrong_codes_per_network, settings.max_wrong_codes_per_site

    def _share(self, now: float) -> float:
        """Return the part of each limit that the global brake leaves."""
        total = self._networks.total(now)
        return min(1.0, self._settings.wrong_codes_per_hour_alarm / max(total, 1.0))

    def _refuse_codes(self, seconds: int) -> None:
        self._counters.requests_refused.labels("codes").inc()
        raise Refused(
            "quota_exceeded", "too many wrong codes: try again later", retry_after=seconds
        )

    def _is_long(self, code: str) -> bool:
        return len(code) >= self._settings.long_code_length

    def count_request(self, address: str, *, is_cover: bool = False) -> None:
        """Count a request, whether or not wrong codes were sent before.

        An upload's certificate expires before a ban ends, and a token cannot be guessed.

        Raises
        ------
        Refused
            When the client sent too many requests.
        """
        self._counters.cover_requests.inc(int(is_cover))
        with self._lock:
            client = self._client(self._hash(networks_of(address)[0]))
            now = self._clock.monotonic()
            if now - client.minute_started_at >= _MINUTE:
                client.minute_started_at, client.requests = now, 0
            client.requests += 1
            if client.requests > self._settings.verify_requests_per_minute:
                self._counters.requests_refused.labels("requests").inc()
                raise Refused(
                    "quota_exceeded",
                    "too many requests: try again in a minute",
                    retry_after=int(client.minute_started_at + _MINUTE - now) + 1,
                )

    def count_code(self, address: str, is_right: bool | None, code: str = "") -> None:
        """Count a wrong code, or forget wrong ones after a right code.

        A right code shows that the wrong ones before it were typing errors. After too many wrong
        codes in a row the client is banned for a while. The same wrong code counts once.

        Parameters
        ----------
        address
            The client's address.
        is_right
            True if the code was right; None, for cover traffic, changes nothing.
        code
            The code; "" counts as one never seen before.
        """
        with self._lock:
            networks = networks_of(address)
            name = self._hash(networks[0])
            client = self._client(name)
            if is_right:
                client.wrong.clear()
            elif is_right is not None and not self._is_long(code):
                tried = self._hash(code) if code else secrets.token_bytes(16)
                if tried not in client.wrong:
                    client.wrong.add(tried)
                    self._count_wrong(networks)
            if len(client.wrong) >= self._settings.max_consecutive_code_failures:
                client.wrong.clear()
                self._counters.code_bans.inc()
                self._banned_until[name] = self._clock.monotonic() + self._settings.ban_seconds
                self._banned_until.move_to_end(name)
                self._shorten(self._banned_until)

    def _count_wrong(self, networks: Sequence[str]) -> None:
        now = self._clock.monotonic()
        for network in networks:
            self._networks.add(network, now)
        self._networks.add_to_total(now)
        total = self._networks.total(now)
        self._counters.wrong_codes.inc()
        self._counters.wrong_codes_last_hour.set(total)
        alarm = self._settings.wrong_codes_per_hour_alarm
        if total > alarm and now - self._alarmed_at >= _HOUR:
            self._alarmed_at = now
            _log.warning(
                "more than %d wrong codes in an hour: somebody may be guessing codes; issue long"
                " codes, and see 'Guessed codes' in packaging/server/README.md",
                alarm,
            )


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
