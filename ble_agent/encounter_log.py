"""What was heard, kept for 14 days: one commit a scan, one row an identifier and scan."""

from __future__ import annotations

import array
from typing import Any

from ble_agent.clock_watch import ClockWatch
from ble_agent.store import delete_old, get_state, set_state, truncate_log
from tracing_core.advertisement import Advertisement
from tracing_core.clock import Clock
from tracing_core.sighting import Sighting, insert_sightings
from tracing_core.sqlite import Database, transaction

__all__ = ["MAX_IDENTIFIERS_PER_SCAN", "MAX_SAMPLES_PER_IDENTIFIER", "EncounterLog", "Scan"]

MAX_IDENTIFIERS_PER_SCAN = 10_000
"""More identifiers in one scan are counted and dropped: a flood must not fill the memory."""

MAX_SAMPLES_PER_IDENTIFIER = 4_096
"""More samples of one identifier in one scan are counted and dropped; 4 s bring about 20."""

_MAX_UNWRITTEN = 20_000
_TRUNCATE_EVERY_SECONDS = 3_600.0
_NEVER_TRUNCATED = float("-inf")


class Scan:
    """What one scan hears, aggregated per identifier, in bounded memory.

    Parameters
    ----------
    started_at
        When it began (UTC Unix seconds).
    """

    def __init__(self, started_at: float) -> None:
        self._started_at = int(started_at)
        self.dropped_samples = 0
        """Samples beyond the bounds."""
        self._heard: dict[Advertisement, tuple[int, array.array[int]]] = {}

    @property
    def at(self) -> int:
        """When it was: at its first packet, for a recording jumps there; else when it began."""
        return min((seen_at for seen_at, _ in self._heard.values()), default=self._started_at)

    def hear(self, advertisement: Advertisement, rssi_dbm: int, heard_at: float) -> None:
        """Add one packet: its signal strength and when it came (UTC Unix seconds)."""
        entry = self._heard.get(advertisement)
        if entry is None:
            if len(self._heard) >= MAX_IDENTIFIERS_PER_SCAN:
                self.dropped_samples += 1
                return
            entry = self._heard[advertisement] = (int(heard_at), array.array("b"))
        if len(entry[1]) >= MAX_SAMPLES_PER_IDENTIFIER:
            self.dropped_samples += 1
            return
        entry[1].append(rssi_dbm)

    def sightings(self, previous_scan_at: int | None, *, clock_suspect: bool) -> list[Sighting]:
        """Return what was heard, in the order it was first heard."""
        return [
            Sighting(heard.rpi, heard.aem, tuple(samples), seen_at, previous_scan_at, clock_suspect)
            for heard, (seen_at, samples) in self._heard.items()
        ]


class EncounterLog:
    """The log of a running agent.

    Parameters
    ----------
    db
        The agent's database.
    clock
        The radio's clock.
    is_recording
        Whether that clock is a recording's: then it is compared with nothing known before, and
        this device's own last scan stays what it was.
    """

    def __init__(self, db: Database, clock: Clock, *, is_recording: bool = False) -> None:
        self._db = db
        self._clock = clock
        self._is_recording = is_recording
        self._state: dict[str, Any] = get_state(db, "scan") or {}
        known = {} if is_recording else self._state
        self._previous_scan_at: int | None = known.get("at")
        self._watch = ClockWatch(clock, known.get("clock"))
        self._dropped_samples: int = self._state.get("dropped_samples", 0)
        self._suspect = False
        self._unwritten: list[Sighting] = []
        self._truncated_at = _NEVER_TRUNCATED
        self._to_truncate = True

    def begin(self) -> Scan:
        """Begin a scan."""
        self._suspect = self._watch.is_suspect()
        return Scan(self._clock.now())

    def commit(self, scan: Scan) -> int:
        """Write a scan and delete what is older than 14 days, in one transaction.

        Returns
        -------
        int
            How many identifiers the scan heard.

        Raises
        ------
        StoreError
            When it cannot be written. The sightings are kept, up to a bound, and written with the
            next scan that can be.
        """
        suspect = self._watch.is_suspect() or self._suspect
        self._watch.count_scan(suspect)
        previous = self._previous_scan_at
        if previous is not None and previous > scan.at:
            previous = None
        heard = scan.sightings(previous, clock_suspect=suspect)
        room = max(0, _MAX_UNWRITTEN - len(self._unwritten))
        self._unwritten += heard[:room]
        self._dropped_samples += scan.dropped_samples
        self._dropped_samples += sum(len(sighting.rssi_dbm) for sighting in heard[room:])
        self._previous_scan_at = scan.at
        self._state["dropped_samples"] = self._dropped_samples
        if not self._is_recording:
            self._state |= {"at": scan.at, "clock": self._watch.state}
        with transaction(self._db):
            insert_sightings(self._db, self._unwritten)
            set_state(self._db, "scan", self._state)
            self._to_truncate |= delete_old(self._db, self._clock.now()) > 0
        self._unwritten.clear()
        self._truncate()
        return len(heard)

    def _truncate(self) -> None:
        # Once an hour is enough for retention, and spares an SD card the writes.
        now = self._clock.monotonic()
        if self._to_truncate and now - self._truncated_at >= _TRUNCATE_EVERY_SECONDS:
            self._truncated_at = now
            self._to_truncate = not truncate_log(self._db)
