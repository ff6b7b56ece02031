"""A recording in place of an adapter, on the recording's own clock."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Generator
from pathlib import Path
from types import TracebackType
from typing import Self

from ble_agent.messages.radio import radio_error, radio_text
from ble_agent.radio.protocol import Capabilities, Finding, Heard
from ble_agent.radio.reception import Reception
from ble_agent.radio.replay.capture import CapturedPacket, PacketKind, read_capture
from tracing_core.clock import Clock, ManualClock
from tracing_core.errors import RadioError, RadioFault
from tracing_core.protocol.advertisement import Advertisement

__all__ = ["ReplayRadio"]

_logger = logging.getLogger(__name__)

_QUIET_SECONDS = 10.0
_LONGEST_BURST_SECONDS = 25.0
_CLOCK_WAS_SET_BACK_SECONDS = 60.0


class ReplayRadio:
    """A recording of what another device's controller received.

    Its `clock` stands still except in `scan`, which moves it to the next burst of identifiers,
    however far away, and through that burst. So the agent scans without waiting in between.

    Parameters
    ----------
    path
        A btsnoop or Apple PacketLogger file.
    clock
        Used only if the file holds no packet at all.
    language
        Language of the log's lines.

    Raises
    ------
    RadioError
        When the file is not a recording. `scan` raises it where the file is damaged, once
        everything before that was delivered. A recording that ends inside a record only ends there,
        and the log says so.
    """

    capabilities = Capabilities(
        can_advertise=False,
        can_scan=True,
        exact_bytes=False,
        agent_chosen_address=False,
        note="plays a recording back; nothing is sent",
    )

    def __init__(self, path: Path, clock: Clock, *, language: str = "en") -> None:
        self.name = f"replay:{path}"
        self._path = path
        self._language = language
        with contextlib.closing(read_capture(path)) as packets:
            # A file without one whole record may be anything, so nothing was read of a recording.
            first = next(packets, None)
        self.clock = ManualClock(clock.now() if first is None else first.time)
        self._last_time = self.clock.now()
        self._reception = Reception()
        self.rejected = self._reception.rejected
        self._identifiers: Generator[Heard] | None = None
        self._next: Heard | None = None
        self._failure: RadioError | None = None
        self._ended = False

    @property
    def exhausted(self) -> bool:
        """Whether the recording's last identifier has been heard."""
        return self._ended

    @property
    def without_rssi(self) -> int:
        """Number of identifiers received without a signal strength."""
        return self._reception.without_rssi

    async def __aenter__(self) -> Self:
        self._identifiers = self._read()
        self._look_ahead()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._identifiers is not None:
            self._identifiers.close()

    async def rotate(self, advertisement: Advertisement | None) -> None:
        """Refuse to send anything; None does nothing."""
        if advertisement is not None:
            raise radio_error(RadioFault.NO_ADVERTISER, "replay_sends_nothing", name=self.name)

    async def scan(self, seconds: float, heard: Callable[[Heard], None]) -> None:
        """Play the next burst: until 10 quiet seconds, or 25 seconds at most.

        After the recording's end only the clock moves, by `seconds`.
        """
        if self._failure is not None:
            raise self._failure
        if self._next is None:
            self.clock.advance(seconds)
        else:
            self._move_clock(self._next.heard_at)
            begin = self.clock.now()
            while (
                self._next is not None
                and self._next.heard_at <= self.clock.now() + _QUIET_SECONDS
                and self._next.heard_at <= begin + _LONGEST_BURST_SECONDS
            ):
                self._move_clock(self._next.heard_at)
                heard(self._next._replace(heard_at=self.clock.now()))
                self._look_ahead()
            if self._ended:
                self._move_clock(self._last_time)
        await asyncio.sleep(0)

    async def rest(self, seconds: float) -> None:
        """Move the clock; a recording is never lost."""
        self.clock.advance(seconds)

    async def self_test(self) -> list[Finding]:
        """Return how much the recording holds; it is read from the start, apart from `scan`."""
        reception = Reception()
        count = 0
        for packet in _packets_before_cut(self._path):
            if packet.kind is PacketKind.EVENT:
                count += sum(1 for _ in reception.read_event(packet.data, packet.time))
        return [Finding(count > 0, radio_text("test_recording", count=count))]

    def _read(self) -> Generator[Heard]:
        for packet in read_capture(self._path):
            self._last_time = packet.time
            if packet.kind is PacketKind.EVENT:
                yield from self._reception.read_event(packet.data, packet.time)

    def _look_ahead(self) -> None:
        assert self._identifiers is not None
        try:
            self._next = next(self._identifiers, None)
            self._ended = self._next is None
        except RadioError as error:
            self._next = None
            if error.reason is RadioFault.CUT_CAPTURE:
                self._ended = True
                text = radio_text("capture_record", path=self._path)
                _logger.warning("%s", text.in_(self._language))
            else:
                self._failure = error

    def _move_clock(self, to: float) -> None:
        """Follow the recording's clock; ignore small steps back, which the recorder causes."""
        now = self.clock.now()
        if to >= now:
            self.clock.advance(to - now)
        elif to < now - _CLOCK_WAS_SET_BACK_SECONDS:
            self.clock.jump(to)


def _packets_before_cut(path: Path) -> Generator[CapturedPacket]:
    try:
        yield from read_capture(path)
    except RadioError as error:
        if error.reason is not RadioFault.CUT_CAPTURE:
            raise
