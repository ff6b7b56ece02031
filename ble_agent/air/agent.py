"""The agent's loop: one task owns the radio, scans, changes identifiers and survives faults."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from ble_agent.air.encounter_log import EncounterLog
from ble_agent.air.schedule import Action, Schedule
from ble_agent.messages.catalogue import say
from ble_agent.messages.explanation import explain
from ble_agent.messages.radio import radio_text
from ble_agent.radio.protocol import Radio
from ble_agent.service import notify
from tracing_core.errors import RadioError, RadioFault, StoreBusy, StoreError, TracingError
from tracing_core.protocol.advertisement import Advertisement
from tracing_core.protocol.associated_encrypted_metadata import Metadata

__all__ = ["Agent", "Keys"]

_logger = logging.getLogger(__name__)
_T = TypeVar("_T")

# When to send, and when to be silent.
#
# An identifier on the air under two addresses links them, and with them the person who carries the
# device. So an identifier that may have been sent before must never be sent again, whatever
# interrupts the loop: a crash, an adapter pulled out, suspend, a full disk, a clock set back.
#
# A plain loop ("derive, send, sleep, repeat") gets each of these wrong. After a restart it derives
# the identifier of the running interval again, under a new address. On a full disk it cannot
# record what it sent, and the next start repeats it. Its sleep does not count the time of a
# suspended machine, so the identifier for noon is still sent in the evening. And an exception from
# the radio ends the loop.
#
# The rules here:
# - An interval is written down before its identifier is sent, and never given out twice. After any
#   interruption the agent is silent until the next interval (`_wait_until_unsent`).
# - What cannot be written down is not sent. The agent is silent and tries the disk again: soon if
#   another process holds the database, in minutes if the disk is full or broken. Scanning goes on,
#   with the sightings in memory, because what is on the air now cannot be heard later.
# - Until the clock has been set, nothing is sent: a key for 1970 is useless.
# - Where scanning would move the current advertisement to another address, there is one scan per
#   change: stop sending, scan, send the next identifier.
# - No sleep is longer than half a minute, so that overdue work is noticed soon after resume.
# - A radio that fails is entered again after 2 s, then twice that, up to 5 minutes; ten good
#   minutes reset the wait. Only the first opening may fail for good, so that a wrong --radio is
#   noticed.

# The operating system's sleep does not count the time of a suspended machine.
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
    """Source of identifiers: `ble_agent.air.key_ring.KeyRing`, or a stand-in for it."""

    def next_advertisement(self, now: float, metadata: Metadata) -> Advertisement | None:
        """Return what to send from now on, or None to stay silent."""

    def silent_seconds(self, now: float) -> float:
        """Return how long nothing may be sent."""


class Agent:
    """One device that sends and records identifiers until it is stopped.

    Parameters
    ----------
    radio
        The radio, not yet entered; it is entered again after each failure.
    key_ring, log
        Source of own identifiers, and destination of sightings.
    schedule
        When to scan and when to change the identifier.
    metadata
        What the device sends about itself with every identifier.
    language
        Language of the log's lines.
    on_radio_change
        Called with the fault when the radio fails, and with None when it recovers.
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
        on_radio_change: Callable[[RadioFault | None], None] = lambda _: None,
    ) -> None:
        self._radio = radio
        self._clock = radio.clock
        self._key_ring = key_ring
        self._log = log
        self._schedule = schedule
        self._metadata = metadata
        self._language = language
        self._on_radio_change = on_radio_change
        self._stopped = asyncio.Event()
        self._is_disk_failing = False
        self._is_sending = False

    def stop(self) -> None:
        """Make `run` stop sending, write what was heard, and return."""
        self._stopped.set()

    async def run(self) -> None:
        """Use the radio until `stop`, or until a recording ends.

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
                        _logger.info("%s", line.in_(self._language))
                        notify("READY=1")
                    opened = True
                    self._on_radio_change(None)
                    await self._use_radio()
                    return
            except RadioError as error:
                self._on_radio_change(RadioFault(error.reason))
                if not opened or error.reason is RadioFault.UNREADABLE_CAPTURE:
                    raise
                if self._clock.monotonic() - started > _STEADY_SECONDS:
                    retry_seconds = _FIRST_RETRY_SECONDS
                self._warn("log_retrying", error)
            # Waiting for a lost adapter is not a hang.
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
            # A recording has its own time, which only scanning moves.
            await self._scan()
            self._log.tidy()
            return
        action, at = self._schedule.next_step(self._clock.monotonic())
        wait = at - self._clock.monotonic()
        if wait > _NOW_SECONDS:
            await self._unless_stopped(self._radio.rest(min(wait, _LONGEST_SLEEP_SECONDS)))
        elif action is Action.ROTATE:
            await self._rotate()
            # This may take long on a slow disk, and the next change is ten minutes away.
            self._log.tidy()
        elif self._scan_would_change_address:
            # The next change scans before it sends.
            self._schedule.scanned(at)
        else:
            await self._scan()

    async def _rotate(self) -> None:
        if self._scan_would_change_address:
            await self._send(None)
            await self._scan()
        began = self._clock.monotonic()
        if not self._log.watch.was_set:
            # A key for 1970 would be useless.
            await self._send(None)
            self._be_silent(_UNSET_CLOCK_SECONDS)
            return
        try:
            advertisement = self._key_ring.next_advertisement(self._clock.now(), self._metadata)
        except StoreError as error:
            await self._send(None)
            # A check or an import holds the database only for a moment.
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
    def _scan_would_change_address(self) -> bool:
        """True while scanning would move the current advertisement to a new address."""
        return self._is_sending and not self._radio.capabilities.listens_while_sending

    async def _send(self, advertisement: Advertisement | None) -> None:
        self._is_sending = False
        await self._radio.rotate(advertisement)
        self._is_sending = advertisement is not None

    def _wait_until_unsent(self) -> None:
        seconds = 0.0
        if self._log.watch.was_set:
            # If the database cannot be read now, the next change finds out.
            with contextlib.suppress(StoreError):
                seconds = self._key_ring.silent_seconds(self._clock.now())
        self._be_silent(seconds)

    def _be_silent(self, seconds: float) -> None:
        # A clock that is hours behind may be corrected at any minute, so no wait is long.
        self._schedule.silenced(self._clock.monotonic(), min(seconds, _LONGEST_SILENCE_SECONDS))

    async def _scan(self) -> None:
        began = self._clock.monotonic()
        scan = self._log.begin()
        unmeasured = self._radio.without_rssi
        try:
            await self._unless_stopped(
                self._radio.scan(
                    self._schedule.scan_seconds,
                    lambda heard: scan.hear(heard.advertisement, heard.rssi_dbm, heard.heard_at),
                )
            )
        finally:
            # Keep what was heard, whether the scan ended, failed or was stopped.
            self._schedule.scanned(began)
            scan.note_unmeasured(max(0, self._radio.without_rssi - unmeasured))
            try:
                self._log.commit(scan)
            except StoreError as error:
                self._warn("log_unwritten", error)

    def _warn(self, name: str, error: TracingError) -> None:
        fault = explain(error, self._language)
        _logger.warning("%s", say(name, self._language, fault=fault))

    async def _unless_stopped(self, work: Awaitable[_T]) -> _T:
        """Wait for work, or until `stop`.

        Raises
        ------
        _StoppedError
            When stopped; by then the work has been cancelled and has ended.
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
