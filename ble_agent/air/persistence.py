"""Persistence of a running agent: lock, database, keys and log."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

from ble_agent.air.encounter_log import EncounterLog
from ble_agent.air.key_ring import KeyRing
from ble_agent.store.damage import damage_noted, is_damaged
from ble_agent.store.database import make_home, open_store
from ble_agent.store.home import exclusive_use
from ble_agent.store.recovery import find_lost_commits, start_over
from ble_agent.store.state import DAMAGE, RADIO, DamageState, RadioState
from tracing_core.clock import Clock
from tracing_core.errors import RadioFault, StoreDamaged, StoreError
from tracing_core.protocol.advertisement import Advertisement
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.store.database import Database
from tracing_core.store.sqlite import database_errors, path_of, transaction

__all__ = ["Persistence", "note_radio"]


class Persistence:
    """Lock, database, keys and log of a running agent, opened as soon as the disk is writable.

    It is a context manager. A card that is full or read-only does not stop the agent from
    listening: until the database can be opened for writing, no identifier is given out, and what
    is heard stays in memory. Every request for an identifier tries to open it again.

    Parameters
    ----------
    home
        The agent's folder; it need not exist.
    clock
        The radio's clock.
    is_recording
        Whether that clock is a recording's.
    open_database
        Opens the database in a folder.
    on_recovery
        Called after the recovery from a damaged database.
    """

    def __init__(
        self,
        home: Path,
        clock: Clock,
        *,
        is_recording: bool = False,
        open_database: Callable[[Path], AbstractContextManager[Database]] = open_store,
        on_recovery: Callable[[DamageState | None], None] = lambda _: None,
    ) -> None:
        self._open_database = open_database
        self._home = home
        self._clock = clock
        self._stack = contextlib.ExitStack()
        self._is_locked = False
        self._db: Database | None = None
        self._key_ring: KeyRing | None = None
        self._radio: tuple[str, RadioFault | None] | None = None
        self._database = contextlib.ExitStack()
        self._on_recovery = on_recovery
        self.log = EncounterLog(None, clock, is_recording=is_recording)
        """The encounter log, in memory until the database is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def open(self) -> KeyRing:
        """Open what is not open yet, and delete sightings and keys older than 14 days.

        Raises
        ------
        NotPossible
            When another agent is running in the folder (``running``).
        StoreError
            When something cannot be opened or written; a later call tries it again.
        """
        if self._key_ring is not None:
            return self._key_ring
        make_home(self._home)
        if not self._is_locked:
            self._stack.enter_context(exclusive_use(self._home, until_stopped=True))
            self._is_locked = True
            # A disk that refuses this refuses what follows too, with a better error.
            with contextlib.suppress(StoreError):
                find_lost_commits(self._home)
        try:
            db, key_ring = self._opened()
        except StoreDamaged:
            start_over(self._home, self._clock.now())
            db, key_ring = self._opened()
            self._on_recovery(DAMAGE.get(db))
        self._db, self._key_ring = db, key_ring
        if self._radio is not None:
            note_radio(db, *self._radio)
        return key_ring

    def _opened(self) -> tuple[Database, KeyRing]:
        with contextlib.ExitStack() as opening:
            db = opening.enter_context(self._open_database(self._home))
            key_ring = KeyRing(db)
            self.log.open(db)
            self._database = self._stack.enter_context(opening.pop_all())
        return db, key_ring

    def _close(self) -> None:
        """Close the database, so that the next use opens it again."""
        self._db = self._key_ring = None
        self.log.close()
        self._database.close()

    def next_advertisement(self, now: float, metadata: Metadata) -> Advertisement | None:
        """Call `KeyRing.next_advertisement`; raise `StoreError` if the disk refuses writes.

        A database that was found damaged meanwhile is recovered first.
        """
        if self._key_ring is not None and is_damaged(self._home):
            self._close()
        try:
            with damage_noted(self._home):
                return self.open().next_advertisement(now, metadata)
        except StoreDamaged:
            self._close()
            return self.open().next_advertisement(now, metadata)

    def silent_seconds(self, now: float) -> float:
        """Call `KeyRing.silent_seconds`; raise `StoreError` if the disk refuses writes."""
        return self.open().silent_seconds(now)

    def note_radio(self, name: str, fault: RadioFault | None) -> None:
        """Record for `status` whether the radio works, as soon as the database is open."""
        self._radio = name, fault
        if self._db is not None:
            note_radio(self._db, name, fault)


def note_radio(db: Database, name: str, fault: RadioFault | None) -> None:
    """Record for `status` whether the radio works; disk faults are reported elsewhere."""
    noted: RadioState = {"name": name, "fault": None if fault is None else fault.name.lower()}
    with contextlib.suppress(StoreError), database_errors(path_of(db)):
        if RADIO.get(db) != noted:
            with transaction(db):
                RADIO.set(db, noted)
