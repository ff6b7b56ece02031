"""The virtual air: software Bluetooth controllers that hear each other, one TCP port each.

A controller speaks HCI over TCP (H4), as Bumble's ``tcp-client`` transport does, with one client at
a time. When the client goes away the controller is silent at once, as with an adapter's user
channel.

Packets are planned on the time line of the air's clock, each with its exact time, and delivered a
few milliseconds of real time later. So an air on a fast clock keeps the intervals of a slow one,
and its trace shows them.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import heapq
import itertools
import logging
import math
import random
import time
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from bumble import hci
from bumble.core import InvalidPacketError
from bumble.transport.common import PacketParser

from ble_agent.messages.radio import radio_error
from ble_agent.virtual_air.controller import Advertiser, VirtualController
from ble_agent.virtual_air.scenario import Place, Scenario
from ble_agent.virtual_air.trace import Run, TraceWriter
from tracing_core.clock import Clock, ManualClock
from tracing_core.errors import RadioFault

__all__ = ["Air"]

_logger = logging.getLogger(__name__)
_TICK_REAL_SECONDS = 0.01
_SLOT_SECONDS = 0.000625
# Core 5.4, volume 6, part B, 4.4.2.2.1: advDelay.
_LONGEST_DELAY_SECONDS = 0.010
_LOWEST_RSSI_DBM, _HIGHEST_RSSI_DBM = -127, 20
# A host that stops reading loses reports, as with a real controller.
_LONGEST_BACKLOG = 1 << 18
# On too fast a clock the hosts could not keep up, so their scans would last longer, and so on.
_REPORTS_PER_REAL_SECOND = 30_000.0
_REPORTS_AT_ONCE = 3_000.0
_PATIENCE_SECONDS = 0.5


class Air:
    """Virtual controllers that hear each other, as an asynchronous context manager.

    Parameters
    ----------
    scenario
        The controllers, where they are, and how the air carries signals.
    clock
        The air's clock; every agent in it needs the same.
    trace
        The file for what was sent and heard (JSON Lines); None for no trace.
    host
        The address to serve on.

    Raises
    ------
    StoreError
        When the trace cannot be written; on leaving, when it is incomplete.
    RadioError
        On entering, when a port cannot be opened.
    """

    def __init__(
        self,
        scenario: Scenario,
        clock: Clock,
        *,
        trace: Path | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.scenario = scenario
        self.clock = clock
        self.transports: dict[str, str] = {}
        """Bumble's transport name for every controller, by the controller's name."""
        self.packets_sent = 0
        self.packets_heard = 0
        self.packets_dropped = 0
        """Packets not delivered because the hosts cannot keep up with the clock: normally none."""
        self._host = host
        self._trace = TraceWriter(trace)
        self._random = random.Random(scenario.seed)  # noqa: S311 (a simulation, to be repeated)
        self._planned: list[tuple[float, int, Advertiser, int]] = []
        self._order = itertools.count()
        self._scanning: list[VirtualController] = []
        self._places = {place.name: place for place in scenario.places}
        self._fixed_dbm = {
            names: pair.rssi_dbm
            for pair in scenario.pairs
            for names in (pair.between, pair.between[::-1])
        }
        self._clients: dict[str, _Host] = {}
        self._waiting: dict[str, list[_Host]] = {}
        self._servers: list[asyncio.Server] = []
        self._wake = asyncio.Event()
        self._ticking: asyncio.Task[None] | None = None
        # With a manual clock no host can fall behind.
        self._most_at_once = math.inf if isinstance(clock, ManualClock) else _REPORTS_AT_ONCE
        self._allowance = self._most_at_once
        self._allowed_at = time.monotonic()
        self._origin = clock.now() - clock.monotonic()
        self.start = clock.now() if scenario.start is None else scenario.start
        """The clock's time at the scenario's second 0 (UTC Unix seconds)."""

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        try:
            for place in self.scenario.places:
                server = await loop.create_server(
                    lambda place=place: _Host(self, place),  # type: ignore[misc]
                    self._host,
                    place.port,
                )
                self._servers.append(server)
                port = server.sockets[0].getsockname()[1]
                self.transports[place.name] = f"tcp-client:{self._host}:{port}"
        except OSError as error:
            self._close()
            raise radio_error(
                RadioFault.NO_ADAPTER,
                "air_port",
                host=self._host,
                port=place.port,
                reason=error.strerror,
            ) from error
        self._ticking = asyncio.create_task(self._tick())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticking
        self._close()
        await asyncio.sleep(0)

    @property
    def connected(self) -> frozenset[str]:
        """Names of the controllers that a client uses."""
        return frozenset(self._clients)

    @property
    def scanning(self) -> frozenset[str]:
        """Names of the controllers that listen."""
        return frozenset(controller.name for controller in self._scanning)

    def disconnect(self, name: str) -> None:
        """Take a controller away from its client, as pulling the plug does."""
        client = self._clients.get(name)
        if client is not None:
            client.abort()

    def send_from(self, name: str, packet: bytes) -> None:
        """Send a packet to a controller's client, as a faulty controller does."""
        self._clients[name].write(packet)

    def _close(self) -> None:
        for server in self._servers:
            server.close()
        waiting = itertools.chain.from_iterable(self._waiting.values())
        for client in [*waiting, *self._clients.values()]:
            client.abort()
        self._trace.close()

    def _now(self) -> float:
        # By the monotonic clock, so that setting the clock does not disturb the intervals.
        return self._origin + self.clock.monotonic()

    async def _tick(self) -> None:
        while True:
            self._wake.clear()
            if self._planned:
                await self.clock.sleep(_TICK_REAL_SECONDS * getattr(self.clock, "rate", 1.0))
                self.advance()
            else:
                await self._wake.wait()

    def advance(self) -> None:
        """Send every packet planned up to now."""
        planned = self._planned
        now = self._now()
        self._refill_allowance()
        for receiver in self._scanning:
            receiver.scan.is_congested = self._clients[receiver.name].backlog > _LONGEST_BACKLOG
        while planned and planned[0][0] <= now:
            moment, order, advertiser, generation = planned[0]
            if advertiser.generation != generation:
                heapq.heappop(planned)
                continue
            if moment >= advertiser.ends_at:
                advertiser.controller.expire(advertiser)
                continue
            following = (
                moment + advertiser.interval + self._random.random() * _LONGEST_DELAY_SECONDS
            )
            heapq.heapreplace(planned, (following, order, advertiser, generation))
            self._send(advertiser, moment)
        for receiver in self._scanning:
            receiver.flush()

    def _refill_allowance(self) -> None:
        now = time.monotonic()
        added = (now - self._allowed_at) * _REPORTS_PER_REAL_SECOND
        self._allowance = min(self._allowance + added, self._most_at_once)
        self._allowed_at = now

    def begin(self, advertiser: Advertiser) -> None:
        """Plan packets from now on."""
        low, high = advertiser.interval_slots
        advertiser.interval = self._random.uniform(low, high) * _SLOT_SECONDS
        now = self._now()
        if advertiser.duration:
            advertiser.ends_at = now + advertiser.duration
            advertiser.duration = 0.0
        heapq.heappush(self._planned, (now, next(self._order), advertiser, advertiser.generation))
        self._wake.set()
        self.advance()

    def end(self, advertiser: Advertiser) -> None:
        """Cancel what is planned, and write what was sent and heard to the trace."""
        advertiser.generation += 1
        sender, address = advertiser.controller.name, advertiser.address.to_string(False)
        if advertiser.sent is not None:
            self._trace.write_sent(sender, address, advertiser.data, advertiser.sent)
            advertiser.sent = None
        for receiver, run in advertiser.heard.items():
            self._trace.write_heard(sender, receiver.name, address, advertiser.data, run)
        advertiser.heard.clear()

    def begin_scan(self, controller: VirtualController) -> None:
        """Deliver packets to a controller from now on."""
        self._scanning.append(controller)

    def end_scan(self, controller: VirtualController) -> None:
        """Stop delivering, and write what was heard to the trace."""
        self._scanning.remove(controller)
        for _, _, advertiser, generation in self._planned:
            if advertiser.generation == generation and controller in advertiser.heard:
                run = advertiser.heard.pop(controller)
                self._trace.write_heard(
                    advertiser.controller.name,
                    controller.name,
                    advertiser.address.to_string(False),
                    advertiser.data,
                    run,
                )

    def take(self, name: str, client: _Host) -> bool:
        """Give a controller to a client, or let the client wait until the last one is gone."""
        if name not in self._clients:
            self._clients[name] = client
            return True
        self._waiting.setdefault(name, []).append(client)
        return False

    def give_back(self, name: str, client: _Host) -> None:
        """Take a controller, or a place in its queue, from a client, and serve the next client."""
        waiting = self._waiting.get(name, [])
        if client in waiting:
            waiting.remove(client)
        if self._clients.get(name) is client:
            del self._clients[name]
            if waiting:
                waiting.pop(0).connect()

    def _send(self, advertiser: Advertiser, moment: float) -> None:
        self.packets_sent += 1
        if advertiser.sent is None:
            advertiser.sent = Run(moment)
        advertiser.sent.sent(moment)
        sender = advertiser.controller
        for receiver in self._scanning:
            if receiver is not sender:
                self._deliver(advertiser, receiver, moment)

    def _deliver(self, advertiser: Advertiser, receiver: VirtualController, moment: float) -> None:
        if not receiver.scan.is_extended and advertiser.legacy_report is None:
            return
        if receiver.scan.is_congested or self._allowance < 1:
            self._drop()
            return
        scenario = self.scenario
        missed = scenario.loss
        if receiver.scan.share < 1.0:
            missed = 1.0 - (1.0 - missed) * receiver.scan.share
        if missed and self._random.random() < missed:
            return
        signal_dbm = self._signal_dbm(advertiser.controller.name, receiver.name, moment)
        if scenario.noise_db:
            signal_dbm += self._random.gauss(0.0, scenario.noise_db)
        if signal_dbm < scenario.sensitivity_dbm:
            return
        if receiver.scan.filter_duplicates:
            address = bytes(advertiser.address)
            if address in receiver.scan.reported:
                return
            receiver.scan.reported.add(address)
        self._allowance -= 1
        rssi_dbm = min(max(round(signal_dbm), _LOWEST_RSSI_DBM), _HIGHEST_RSSI_DBM)
        strength = rssi_dbm.to_bytes(1, signed=True)
        if not receiver.scan.is_extended and advertiser.legacy_report is not None:
            receiver.scan.outgoing += advertiser.legacy_report + strength
        else:
            for before, after in advertiser.extended_reports:
                receiver.scan.outgoing += before + strength + after
        self.packets_heard += 1
        run = advertiser.heard.get(receiver)
        if run is None:
            run = advertiser.heard[receiver] = Run(moment)
        run.heard(moment, rssi_dbm)

    def _drop(self) -> None:
        if not self.packets_dropped:
            _logger.warning("the clock is too fast for so many controllers: reports are lost")
        self.packets_dropped += 1

    def _signal_dbm(self, sender: str, receiver: str, moment: float) -> float:
        pair = (sender, receiver)
        fixed = self._fixed_dbm.get(pair)
        if fixed is not None:
            return fixed
        seconds = moment - self.start
        one, other = self._places[sender], self._places[receiver]
        distance = math.dist(one.at(seconds), other.at(seconds))
        signal = self.scenario.signal_dbm(distance)
        if one.path[-1].seconds <= seconds and other.path[-1].seconds <= seconds:
            self._fixed_dbm[pair] = signal
        return signal


class _Host(asyncio.Protocol):
    """The host at one controller's port."""

    def __init__(self, air: Air, place: Place) -> None:
        self._air = air
        self._name = place.name
        self._transport: asyncio.Transport | None = None
        self._controller: VirtualController | None = None
        self._parser = PacketParser()
        self._patience: asyncio.TimerHandle | None = None

    @property
    def backlog(self) -> int:
        """Bytes that the host has not read yet."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # A client may reconnect before the end of its last connection is noticed.
        self._transport.pause_reading()
        self._patience = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, self._turn_away)
        self.connect()

    def connect(self) -> None:
        """Take the controller, if it is free."""
        if self._transport is None or not self._air.take(self._name, self):
            return
        self._keep_connection()
        self._controller = VirtualController(
            self._name,
            self._air.scenario.mode,
            _public_address(self._name),
            self.write,
            self._air,
        )
        self._parser.set_packet_sink(self._controller)
        self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except InvalidPacketError:
            _logger.warning("controller %s: its client does not speak HCI", self._name)
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._power_off()

    def abort(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()
        self._power_off()

    def _keep_connection(self) -> None:
        if self._patience is not None:
            self._patience.cancel()

    def _turn_away(self) -> None:
        _logger.warning("controller %s is in use: a second client is turned away", self._name)
        self.abort()

    def _power_off(self) -> None:
        self._keep_connection()
        if self._controller is not None:
            controller, self._controller = self._controller, None
            controller.power_off()
        self._air.give_back(self._name, self)

    def write(self, data: bytes) -> None:
        """Send bytes to the client, as long as it is there."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)


def _public_address(name: str) -> hci.Address:
    """Return an address that is the same in every run."""
    octets = hashlib.sha256(name.encode()).digest()[:6]
    return hci.Address(octets, hci.Address.PUBLIC_DEVICE_ADDRESS)
