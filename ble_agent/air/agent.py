"""The supervised loop: one task owns the radio, listens, changes identifiers, never gives up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from ble_agent.air.encounter_log import EncounterLog
from ble_agent.air.schedule import Action, Schedule
from ble_agent.messages.adapters import radio_text
from ble_agent.messages.catalogue import say
from ble_agent.messages.explanation import explain
from ble_agent.messages.filled import in_language
from ble_agent.radio.protocol import Radio
from ble_agent.service import notify
from tracing_core.errors import RadioError, RadioFault, StoreBusy, StoreError, TracingError
from tracing_core.protocol.advertisement import Advertisement
from tracing_core.protocol.associated_encrypted_metadata import Metadata

__all__ = ["Agent", "Keys"]

_logger = logging.getLogger(__name__)
_T = TypeVar("_T")

# The operating system's sleep does not count a suspended machine's time; looking at the clock this
# often finds out soon after resume that something is overdue.
_LONGEST_SLEEP_SECONDS = 30.0
_NOW_SECONDS = 0.001
_FIRST_RETRY_SECONDS = 2.0
_LAST_RETRY_SECONDS = 300.0
_STEADY_SECONDS = 600.0
_LONGEST_SILENCE_SECONDS = 600.0
_BUSY_SECONDS = 15.0
_UNSET_CLOCK_SECONDS = 60.0


class _StoppedError(Exception):
    pass


class Keys(Protocol):
    """Where identifiers come from: `ble_agent.air.key_ring.KeyRing`, or what stands for one."""

    def next_advertisement(self, now: float, metadata: Metadata) -> Advertisement | None:
        """Return what to send from now on; None to stay silent."""

    def silent_seconds(self, now: float) -> float:
        """Tell how long nothing may be sent."""


class Agent:
    """One device that sends and records identifiers until it is stopped.

    Parameters
    ----------
    radio
        Not yet entered; it is entered anew after each failure.
    key_ring, log
        Where own keys come from and sightings go.
    schedule
        When to do what.
    metadata
        What the device says of itself.
    language
        Of the lines in the log that name a fault.
    told
        Called with the radio's fault, or None when it works again.
    """

    def __init__(
        self,
        radio: Radio,
        key_ring: Keys,
        log: EncounterLog,
        schedule: Schedule,
        metadata: Metadata,
        *,
        language: str = "en",
        told: Callable[[RadioFault | None], None] = lambda _: None,
    ) -> None:
        self._radio = radio
        self._clock = radio.clock
        self._key_ring = key_ring
        self._log = log
        self._schedule = schedule
        self._metadata = metadata
        self._language = language
        self._told = told
        self._stopped = asyncio.Event()
        self._is_disk_failing = False
        self._is_sending = False

    def stop(self) -> None:
        """Let `run` fall silent, write what was heard, and return."""
        self._stopped.set()

    async def run(self) -> None:
        """Use the radio until `stop`, or until a recording has been played back.

        Raises
        ------
        RadioError
            When the radio cannot be opened the first time, or a recording is damaged; later
            failures are waited out.
        """
        retry_seconds = _FIRST_RETRY_SECONDS
        opened = False
        while not self._stopped.is_set():
            started = self._clock.monotonic()
            try:
                async with self._radio:
                    if not opened:
                        line = radio_text("log_using_radio", radio=self._radio.name)
                        _logger.info("%s", in_language(line, self._language))
                        notify("READY=1")
                    opened = True
                    self._told(None)
                    await self._use_radio()
                    return
            except RadioError as error:
                self._told(RadioFault(error.reason))
                if not opened or error.reason is RadioFault.UNREADABLE_CAPTURE:
                    raise
                if self._clock.monotonic() - started > _STEADY_SECONDS:
                    retry_seconds = _FIRST_RETRY_SECONDS
                self._warn("log_retrying", error)
            # Waiting for a lost adapter is no hang.
            notify("WATCHDOG=1")
            with contextlib.suppress(_StoppedError):
                await self._unless_stopped(self._clock.sleep(retry_seconds))
            retry_seconds = min(2 * retry_seconds, _LAST_RETRY_SECONDS)

    async def _use_radio(self) -> None:
        self._is_sending = False
        if self._radio.capabilities.can_advertise:
            # What was on the air before an interruption is never sent again.
            self._wait_until_unsent()
        with contextlib.suppress(_StoppedError):
            while not (self._radio.exhausted or self._stopped.is_set()):
                await self._step()
                notify("WATCHDOG=1")
        await self._radio.rotate(None)

    async def _step(self) -> None:
        if not self._radio.capabilities.can_advertise:
            # A recording has its own time, which only listening moves.
            await self._scan()
            self._log.tidy()
            return
        action, at = self._schedule.next_step(self._clock.monotonic())
        wait = at - self._clock.monotonic()
        if wait > _NOW_SECONDS:
            await self._unless_stopped(self._radio.rest(min(wait, _LONGEST_SLEEP_SECONDS)))
        elif action is Action.ROTATE:
            await self._rotate()
            # A slow disk may take long over it, and the next change is ten minutes away.
            self._log.tidy()
        elif self._is_deaf:
            # The next change listens before it sends.
            self._schedule.scanned(at)
        else:
            await self._scan()

    async def _rotate(self) -> None:
        if self._is_deaf:
            await self._send(None)
            await self._scan()
        began = self._clock.monotonic()
        if not self._log.watch.was_set:
            # A key of 1970 would be of no use to anybody.
            await self._send(None)
            self._be_silent(_UNSET_CLOCK_SECONDS)
            return
        try:
            advertisement = self._key_ring.next_advertisement(self._clock.now(), self._metadata)
        except StoreError as error:
            await self._send(None)
            # A check or an import that holds the database is soon done with it.
            is_busy = isinstance(error, StoreBusy)
            self._be_silent(_BUSY_SECONDS if is_busy else _LAST_RETRY_SECONDS)
            self._warn("log_silent", error)
            self._is_disk_failing = True
            return
        if self._is_disk_failing:
            self._is_disk_failing = False
            _logger.info("%s", say("log_writing_again", self._language))
        await self._send(advertisement)
        if advertisement is None:
            self._wait_until_unsent()
        else:
            self._schedule.rotated(began, self._clock.monotonic())

    @property
    def _is_deaf(self) -> bool:
        """Whether listening now would put what is on the air under another address."""
        return self._is_sending and not self._radio.capabilities.listens_while_sending

    async def _send(self, advertisement: Advertisement | None) -> None:
        self._is_sending = False
        await self._radio.rotate(advertisement)
        self._is_sending = advertisement is not None

    def _wait_until_unsent(self) -> None:
        seconds = 0.0
        if self._log.watch.was_set:
            # Where the database cannot be read now, the next change finds out.
            with contextlib.suppress(StoreError):
                seconds = self._key_ring.silent_seconds(self._clock.now())
        self._be_silent(seconds)

    def _be_silent(self, seconds: float) -> None:
        # A clock that is hours behind may be set right any minute, so no wait is long.
        self._schedule.silenced(self._clock.monotonic(), min(seconds, _LONGEST_SILENCE_SECONDS))

    async def _scan(self) -> None:
        began = self._clock.monotonic()
        scan = self._log.begin()
        try:
            await self._unless_stopped(
                self._radio.scan(
                    self._schedule.scan_seconds,
                    lambda heard: scan.hear(heard.advertisement, heard.rssi_dbm, heard.heard_at),
                )
            )
        finally:
            # What was heard until then is kept, whether the scan ended, failed or was stopped.
            self._schedule.scanned(began)
            try:
                self._log.commit(scan)
            except StoreError as error:
                self._warn("log_unwritten", error)

    def _warn(self, name: str, error: TracingError) -> None:
        fault = explain(error, self._language)
        _logger.warning("%s", say(name, self._language, fault=fault))

    async def _unless_stopped(self, work: Awaitable[_T]) -> _T:
        """Wait for work, but not beyond `stop`.

        Raises
        ------
        _StoppedError
            When stopped; the work has been cancelled and is over.
        """
        task = asyncio.ensure_future(work)
        stopped = asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise _StoppedError
        finally:
            stopped.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait({task})
                if not task.cancelled():
                    task.exception()
