"""End of use: after the last day the agent is silent, and removes all it holds."""

# Being silent can be undone, so it goes by the clock alone: as soon as the clock is past the day
# that the owner agreed to, nothing is sent, heard, asked or reported. If the clock was wrong and is
# set back, the agent goes on.
#
# Removing cannot be undone, and a clock can leap: a Raspberry Pi has no battery, and anyone can
# forge NTP. So a clock that ran to the end of the day is believed, as it has counted the time. One
# that leapt there must first run for a day (`ClockWatch.steady_now`). Then the authority's server
# must show the same time. A server that is gone cannot, so 14 days of running are enough too: by
# then no other row would be left either. A server that lies can hold the removal up for those 14
# days and no longer, and it cannot bring it about, because this device's own clock decides.
#
# A device that was off when the day ended looks the same as one whose clock leapt.

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
from pathlib import Path
from urllib.parse import urlsplit

from ble_agent.air.clock_watch import ClockWatch
from ble_agent.authority.client import ServerClient
from ble_agent.authority.ledger_notes import CHECK, RequestNotes, note
from ble_agent.authority.link import ServerLink
from ble_agent.authority.membership import agreed_last_day, find_membership
from ble_agent.messages.catalogue import say
from ble_agent.messages.explanation import explain
from ble_agent.service import notify
from ble_agent.store.damage import DATABASE_NAME
from ble_agent.store.database import RETENTION_SECONDS, open_store
from ble_agent.store.home import end_home, exclusive_use, is_over
from ble_agent.store.recovery import start_over
from ble_agent.store.state import OVER, SCAN, OverState
from ble_agent.store.tables import AGENT_TABLES
from tracing_core.errors import ServerError, StoreDamaged, StoreError, TracingError
from tracing_core.paths import is_there
from tracing_core.store.database import Database
from tracing_core.store.sighting import SIGHTING_TABLE
from tracing_core.store.sqlite import open_readonly, transaction
from tracing_core.trust.last_day import end_of_day

__all__ = ["End"]

_LOOK_SECONDS = 900.0
_STEP_SECONDS = 300.0
_ASK_SECONDS = 3_600.0

_logger = logging.getLogger(__name__)


class End:
    """The end of use of one device.

    Parameters
    ----------
    link
        The way to the server.
    language
        Language of the lines in the log.
    """

    def __init__(self, link: ServerLink, *, language: str = "en") -> None:
        self._link = link
        self._clock = link.clock
        self._language = language
        self._last_day: datetime.date | None = None
        self._asked_at: float | None = None
        self._stepped_at = 0.0
        self._warned = ""

    @property
    def _home(self) -> Path:
        return self._link.home

    def is_reached(self) -> bool:
        """Read the last day, and return whether it is over by the clock."""
        with contextlib.suppress(TracingError):
            self._last_day = _read_last_day(self._home)
        return self._last_day is not None and self._clock.now() >= end_of_day(self._last_day)

    async def watch(self) -> None:
        """Return once the last day is over by the clock."""
        while not await asyncio.to_thread(self.is_reached):
            pause = _LOOK_SECONDS
            if self._last_day is not None:
                pause = min(pause, max(1.0, end_of_day(self._last_day) - self._clock.now()))
            await self._clock.sleep(pause)

    async def wait(self, stopping: asyncio.Event) -> None:
        """Be silent until all is removed, the clock is set back, or the agent is stopped.

        Raises
        ------
        NotPossible
            When another agent is running in the home (``running``).
        StoreError
            When the home cannot be locked.
        """
        with exclusive_use(self._home, until_stopped=True):
            notify("READY=1")
            _logger.warning("%s", say("log_last_day_over", self._language))
            watch = await asyncio.to_thread(self.begin)
            while not stopping.is_set():
                if await asyncio.to_thread(self.step, watch):
                    return
                notify("WATCHDOG=1")
                stop = asyncio.ensure_future(stopping.wait())
                pause = asyncio.ensure_future(self._clock.sleep(_STEP_SECONDS))
                await asyncio.wait({stop, pause}, return_when=asyncio.FIRST_COMPLETED)
                stop.cancel()
                pause.cancel()

    def begin(self) -> ClockWatch:
        """Return the watch over the clock with what is known of it, and note how it came here."""
        watch = ClockWatch(self._clock)
        self._stepped_at = self._clock.monotonic()
        with contextlib.suppress(TracingError), open_store(self._home) as db:
            remembered = (SCAN.get(db) or {}).get("clock")
            watch.remember(remembered)
            if OVER.get(db) is None and self._last_day is not None:
                # A clock that nothing is known of may have leapt.
                leapt = not remembered or watch.steady_now() < end_of_day(self._last_day)
                with transaction(db):
                    OVER.set(db, {"seconds": 0.0, "leapt": leapt})
        return watch

    def step(self, watch: ClockWatch) -> bool:
        """Remove all if that is certain; return whether the wait is over."""
        suspect = watch.is_suspect()
        if not self.is_reached():
            with contextlib.suppress(TracingError), open_store(self._home) as db, transaction(db):
                OVER.clear(db)
            _logger.warning("%s", say("log_clock_is_back", self._language))
            return True
        try:
            if is_over(self._home) or (self._counted(watch) and not suspect):
                end_home(self._home)
                _logger.warning("%s", say("over_note", self._language))
                return True
        except StoreDamaged:
            # This process holds the lock that a recovery takes.
            start_over(self._home, self._clock.now())
        except TracingError as error:
            # A card that is full or read-only; the next step tries again.
            fault = explain(error, self._language)
            if fault != self._warned:
                _logger.warning("%s", say("log_not_removed", self._language, fault=fault))
            self._warned = fault
        return False

    def _counted(self, watch: ClockWatch) -> bool:
        """Count the time since the last day, and return whether it is certain that it is over."""
        assert self._last_day is not None
        with open_store(self._home) as db:
            known = OVER.get(db)
            over: OverState = known or {"seconds": 0.0, "leapt": True}
            now = self._clock.monotonic()
            over = {**over, "seconds": over["seconds"] + now - self._stepped_at}
            self._stepped_at = now
            with transaction(db):
                OVER.set(db, over)
                SCAN.set(db, {**(SCAN.get(db) or {}), "clock": watch.state})
            if watch.steady_now() < end_of_day(self._last_day):
                return False
            if not over["leapt"] or over["seconds"] >= RETENTION_SECONDS:
                return True
            return self._is_confirmed(db)

    def _is_confirmed(self, db: Database) -> bool:
        """Ask the server, at most once an hour, whether its clock shows the same."""
        now = self._clock.monotonic()
        if self._asked_at is not None and now - self._asked_at < _ASK_SECONDS:
            return False
        self._asked_at = now
        membership = find_membership(db)
        if membership is None:
            return False
        notes = RequestNotes(db, self._clock)
        addresses = self._link.addresses(membership)
        with ServerClient(addresses, self._clock, notes=notes) as client:
            with transaction(db):
                note(db, self._clock.now(), CHECK, urlsplit(self._link.url(membership)).netloc)
            with contextlib.suppress(ServerError):
                if membership.join_file is None:
                    client.trust_documents()
                else:
                    client.index(membership.region, membership.mirrors)
            return client.confirms_clock


def _read_last_day(home: Path) -> datetime.date | None:
    path = home / DATABASE_NAME
    if not is_there(path):
        return None
    try:
        with open_store(home) as db:
            return agreed_last_day(db)
    except StoreError:
        # On a read-only disk, SQLite only reports that it cannot open the file.
        db = open_readonly(path, [SIGHTING_TABLE, AGENT_TABLES])
        try:
            return agreed_last_day(db)
        finally:
            db.conn.close()
