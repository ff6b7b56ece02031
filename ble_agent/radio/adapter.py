"""Base of all radios with an adapter: opening, rotation, scans and the loss of the adapter."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from ble_agent.messages.explanation import explain
from ble_agent.messages.language import Text
from ble_agent.messages.radio import radio_error, radio_text
from ble_agent.radio.protocol import Capabilities, Finding, Heard
from ble_agent.radio.real_time import Timeouts, slept_seconds
from ble_agent.radio.reception import Reception
from ble_agent.radio.self_test import try_radio
from tracing_core.clock import Clock
from tracing_core.errors import RadioError, RadioFault
from tracing_core.protocol.advertisement import Advertisement

__all__ = ["SLEPT", "AdapterRadio", "Opening", "retrieve"]

SLEPT = radio_text("slept")
"""Why an adapter is opened again after suspend: the system would continue with the old identifier
under a new address."""

_logger = logging.getLogger(__name__)
# Two clocks are not read at the same instant.
_SHORTEST_SLEEP_SECONDS = 1.0
_TIMEOUTS = Timeouts()


def retrieve(task: asyncio.Future[Any]) -> None:
    """Retrieve the exception of a finished task, or asyncio logs it as never retrieved."""
    if not task.cancelled():
        task.exception()


@dataclass(frozen=True, slots=True)
class Opening:
    """One opening of an adapter, until it is closed."""

    lost: asyncio.Future[Text]
    """Done, with the reason, as soon as the adapter must be opened again."""
    undo: contextlib.AsyncExitStack
    """Closes everything that was opened."""
    slept_before: float
    """Seconds for which the device had been suspended before this opening."""


def _ignore(_: Heard) -> None:
    """Drop packets that arrive before the first scan."""


class AdapterRadio(abc.ABC):
    """A radio that drives an adapter; a subclass sends the commands of its kind.

    Parameters
    ----------
    name
        The text that the radio was opened with.
    clock
        The agent's clock, which times the scans.
    timeouts
        How long the adapter may take, in real time.
    slept
        Returns how long the device has been suspended since it started, in seconds.
    language
        Language of the log's lines.
    """

    exhausted = False
    _outlives_sleep = False

    def __init__(
        self,
        name: str,
        clock: Clock,
        timeouts: Timeouts = _TIMEOUTS,
        slept: Callable[[], float] = slept_seconds,
        language: str = "en",
    ) -> None:
        self.name = name
        self.clock = clock
        self._timeouts = timeouts
        self._slept = slept
        self._language = language
        self._opening: Opening | None = None
        self._heard: Callable[[Heard], None] = _ignore
        self._reception = Reception()
        self.rejected = self._reception.rejected
        self._lock = asyncio.Lock()
        self._listening = False
        self._switched_off = False
        self._deciding: asyncio.TimerHandle | None = None

    @property
    @abc.abstractmethod
    def capabilities(self) -> Capabilities:
        """What the radio can do."""

    @abc.abstractmethod
    async def _open(self) -> None:
        """Make the adapter ready, and push onto `_undo` how each thing is closed."""

    @abc.abstractmethod
    async def _start_advertising(self, advertisement: Advertisement) -> None:
        """Send under a new address; beforehand nothing is on the air and scanning is stopped."""

    @abc.abstractmethod
    async def _stop_advertising(self) -> None:
        """Stop sending; does nothing if nothing is on the air."""

    @abc.abstractmethod
    async def _start_listening(self) -> None:
        """Pass every packet to `_hear` from now on."""

    @abc.abstractmethod
    async def _stop_listening(self) -> None:
        """Stop listening, even after a start that failed halfway."""

    @property
    def _lost(self) -> asyncio.Future[Text]:
        assert self._opening is not None
        return self._opening.lost

    @property
    def _undo(self) -> contextlib.AsyncExitStack:
        assert self._opening is not None
        return self._opening.undo

    @property
    def may_be_unplugged(self) -> bool:
        """Whether the adapter has just gone off, and may turn out to have been unplugged."""
        return self._deciding is not None

    @property
    def without_rssi(self) -> int:
        """Number of identifiers received without a signal strength."""
        return self._reception.without_rssi

    async def __aenter__(self) -> Self:
        self._opening = Opening(
            asyncio.get_running_loop().create_future(), contextlib.AsyncExitStack(), self._slept()
        )
        self._undo.callback(self._decide)
        self._listening = False
        try:
            await self._open()
        except BaseException:
            await self._undo.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        async with self._undo:
            if self._deciding is not None:
                # A command may fail before it is known why the adapter is off.
                await asyncio.wait({self._lost}, timeout=self._timeouts.unplugging_seconds)
            try:
                if not self._lost.done():
                    async with self._lock:
                        await self._deafen()
                        await self._stop_advertising()
            except RadioError as failure:
                fault = explain(failure, self._language)
                self._log(logging.WARNING, "log_closing", fault=fault)

    async def rotate(self, advertisement: Advertisement | None) -> None:
        """Replace identifier, metadata and address in one step, with listening stopped."""
        async with self._lock:
            self._check()
            listening = self._listening
            try:
                # A legacy controller refuses a new address while it listens.
                await self._deafen()
                await self._stop_advertising()
                if advertisement is not None:
                    await self._start_advertising(advertisement)
                if listening:
                    await self._listen()
            except BaseException:
                with contextlib.suppress(RadioError):
                    await self._stop_advertising()
                    if listening and not (self._listening or self._lost.done()):
                        await self._listen()
                raise

    async def scan(self, seconds: float, heard: Callable[[Heard], None]) -> None:
        """Listen for `seconds`, counted from the moment the adapter has started."""
        self._heard = heard
        try:
            async with self._lock:
                self._check()
                await self._listen()
            await self.rest(seconds)
        finally:
            async with self._lock:
                await self._deafen()

    async def rest(self, seconds: float) -> None:
        """Wait for `seconds` of the agent's clock, or until the adapter is lost."""
        waiting = asyncio.ensure_future(self.clock.sleep(seconds))
        ends: set[asyncio.Future[Any]] = {waiting, self._lost}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        self._check()

    async def self_test(self) -> list[Finding]:
        """Send a random identifier, listen meanwhile, and return what works."""
        return await try_radio(self)

    async def _listen(self) -> None:
        # Packets may arrive before the answer to the command.
        self._listening = True
        starting = asyncio.ensure_future(self._start_listening())
        try:
            # Unlike a shield, waiting logs nothing if the start fails after this is cancelled.
            await asyncio.wait({starting})
        except asyncio.CancelledError:
            # Only a start that has finished can be undone.
            await asyncio.wait({starting})
            retrieve(starting)
            raise
        starting.result()

    async def _deafen(self) -> None:
        try:
            if self._listening:
                await self._stop_listening()
        except RadioError:
            if not self._lost.done():
                raise
        finally:
            self._listening = False

    def _hear(self, what: Heard | None) -> None:
        if what is not None and self._listening:
            self._heard(what)

    def _note_switched_off(self) -> None:
        """Note that the adapter is off; someone switched it off, unless it is being unplugged.

        For an adapter that is being unplugged the system reports the same, and then its removal.
        """
        if self._deciding is None:
            loop = asyncio.get_running_loop()
            self._deciding = loop.call_later(self._timeouts.unplugging_seconds, self._decide)

    def _decide(self) -> None:
        deciding, self._deciding = self._deciding, None
        if deciding is not None:
            deciding.cancel()
            if not self._lost.done():
                self._switched_off = True
                self._lose(radio_text("switched_off"))

    def _log(self, level: int, name: str, /, **values: object) -> None:
        """Write a line of the catalogue to the log, in the owner's language."""
        _logger.log(level, "%s", radio_text(name, **values).in_(self._language))

    def _lose(self, why: Text) -> None:
        """Note that the adapter must be opened again; only the first reason counts."""
        if not self._lost.done():
            self._lost.set_result(why)

    def _check(self) -> None:
        assert self._opening is not None
        slept = self._slept() - self._opening.slept_before
        if slept > _SHORTEST_SLEEP_SECONDS and not self._outlives_sleep:
            self._lose(SLEPT)
        if self._lost.done():
            raise self._gone()

    def _gone(self) -> RadioError:
        return radio_error(
            RadioFault.CONNECTION_LOST, "went_away", name=self.name, why=self._lost.result()
        )
