"""Encounter log: sightings of the last 14 days.

One commit per scan, one row per identifier and scan.
"""

from __future__ import annotations

import array
import contextlib
import math
from collections import Counter
from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random, SystemRandom

from ble_agent.air.clock_watch import ClockWatch
from ble_agent.air.day_sample import DaySample, RecentlyHeard
from ble_agent.messages.catalogue import say
from ble_agent.store.damage import damage_noted
from ble_agent.store.database import (
    compact,
    delete_old,
    forget,
    forget_key_files,
    note_deletion,
    truncate_log,
)
from ble_agent.store.kept_aside import drop_kept
from ble_agent.store.state import SCAN, ScanState, SignalsState
from tracing_core.clock import Clock
from tracing_core.errors import StoreError, StoreFull
from tracing_core.protocol.advertisement import Advertisement
from tracing_core.protocol.interval import utc_day
from tracing_core.protocol.signal_strength import STRONGEST_DBM, WEAKEST_DBM
from tracing_core.store.database import Database
from tracing_core.store.field_values import LATEST_MOMENT
from tracing_core.store.sighting import Sighting
from tracing_core.store.sqlite import database_errors, path_of, transaction

__all__ = [
    "MAX_IDENTIFIERS_PER_SCAN",
    "MAX_SAMPLES_PER_IDENTIFIER",
    "EncounterLog",
    "Scan",
    "Upkeep",
]

MAX_IDENTIFIERS_PER_SCAN = 2_000
"""More identifiers than this in one scan are a flood: a receiver in a full stadium hears some
hundreds. A random sample of them is kept, so that memory stays bounded."""

MAX_SAMPLES_PER_IDENTIFIER = 4_096
"""Further samples of one identifier in one scan are counted and dropped; 4 s bring about 20."""

# Identifiers heard before come first, but a flood that repeats itself must not shut others out.
_SHARE_OF_NEWCOMERS = 8
_MAX_SAMPLES_PER_SCAN = 500_000
_MAX_UNWRITTEN = 20_000
_NEVER = -math.inf


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Upkeep of the database: what the log does in addition to writing, and how often."""

    compact: Callable[[Database], bool] = compact
    """Rewrites the database, and returns whether its files are now free of deleted data."""
    compact_every_seconds: float = 86_400.0
    truncate_every_seconds: float = 3_600.0
    late_seconds: float = 900.0
    """A sighting written later than this may match a key file that was already used. A scan
    is written when it ends, and no key file contains its identifiers for hours."""


_UPKEEP = Upkeep()


class Scan:
    """Sightings of one scan, aggregated per identifier, in bounded memory.

    Parameters
    ----------
    started_at
        Start of the scan (UTC Unix seconds).
    recent
        Identifiers of earlier scans, which are kept first when there are too many.
    random
        Chooses which identifiers are kept when there are too many.
    clock_suspect
        Whether the clock was suspect when the scan began.
    clock_jumps
        How often the clock had jumped by then.
    """

    def __init__(
        self,
        started_at: float,
        recent: Container[Advertisement] = (),
        random: Random | None = None,
        *,
        clock_suspect: bool = False,
        clock_jumps: int = 0,
    ) -> None:
        self._started_at = _moment(started_at)
        self._recent = recent
        self._random = random or SystemRandom()
        self.clock_suspect = clock_suspect
        """Whether the clock was suspect when the scan began."""
        self.clock_jumps = clock_jumps
        """How often the clock had jumped by then."""
        self.dropped_samples = 0
        """Number of samples beyond the bounds."""
        self.signals = 0
        """Number of packets with an identifier."""
        self.unmeasured = 0
        """Number of those without a measured strength."""
        self._heard: dict[Advertisement, tuple[int, array.array[int]]] = {}
        self._samples = 0
        # By whether an earlier scan heard them: identifiers that are kept, and how many there were.
        self._kept: dict[bool, list[Advertisement]] = {False: [], True: []}
        self._offered = Counter[bool]()

    @property
    def at(self) -> int:
        """Time of the scan: its first packet, or its start if nothing was heard.

        The clock of a recording jumps to the first packet.
        """
        return min((seen_at for seen_at, _ in self._heard.values()), default=self._started_at)

    def hear(self, advertisement: Advertisement, rssi_dbm: int, heard_at: float) -> None:
        """Add one packet, with its signal strength and time (UTC Unix seconds)."""
        self.signals += 1
        if not WEAKEST_DBM <= rssi_dbm <= STRONGEST_DBM:
            self.unmeasured += 1
        entry = self._heard.get(advertisement)
        if entry is None:
            if not self._make_room(advertisement):
                self.dropped_samples += 1
                return
            entry = self._heard[advertisement] = (_moment(heard_at), array.array("b"))
        is_full = len(entry[1]) >= MAX_SAMPLES_PER_IDENTIFIER
        if is_full or (self._samples >= _MAX_SAMPLES_PER_SCAN and entry[1]):
            self.dropped_samples += 1
            return
        entry[1].append(rssi_dbm)
        self._samples += 1

    def note_unmeasured(self, count: int) -> None:
        """Count packets that the radio did not deliver, as they came without a strength."""
        self.signals += count
        self.unmeasured += count

    def _make_room(self, advertisement: Advertisement) -> bool:
        is_known = advertisement in self._recent
        kept, others = self._kept[is_known], self._kept[not is_known]
        self._offered[is_known] += 1
        if len(self._heard) < MAX_IDENTIFIERS_PER_SCAN:
            kept.append(advertisement)
            return True
        share = MAX_IDENTIFIERS_PER_SCAN // _SHARE_OF_NEWCOMERS
        if len(others) > (share if is_known else MAX_IDENTIFIERS_PER_SCAN - share):
            chosen = self._random.randrange(len(others))
            others[chosen], others[-1] = others[-1], others[chosen]
            victim = others.pop()
            kept.append(advertisement)
        else:
            # Vitter's algorithm R: each stays with the same chance.
            chosen = self._random.randrange(self._offered[is_known])
            if chosen >= len(kept):
                return False
            victim, kept[chosen] = kept[chosen], advertisement
        _, samples = self._heard.pop(victim)
        self._samples -= len(samples)
        self.dropped_samples += len(samples)
        return True

    def sightings(self, previous_scan_at: int | None, *, clock_suspect: bool) -> list[Sighting]:
        """Return the sightings, ordered by first packet."""
        return [
            Sighting(heard.rpi, heard.aem, tuple(samples), seen_at, previous_scan_at, clock_suspect)
            for heard, (seen_at, samples) in self._heard.items()
        ]


class EncounterLog:
    """Encounter log of a running agent.

    Parameters
    ----------
    db
        The agent's database; None until it can be opened.
    clock
        The radio's clock.
    is_recording
        Whether that clock is a recording's. If so, the clock is not compared with earlier times,
        and this device's own last scan is not overwritten.
    random
        Chooses which identifiers stay in a flood.
    watch
        Judges the clock; a new one unless given.
    upkeep
        What is done to the database in addition to writing.
    """

    def __init__(
        self,
        db: Database | None,
        clock: Clock,
        *,
        is_recording: bool = False,
        random: Random | None = None,
        watch: ClockWatch | None = None,
        upkeep: Upkeep = _UPKEEP,
    ) -> None:
        self._upkeep = upkeep
        self._db: Database | None = None
        self._clock = clock
        self._is_recording = is_recording
        self._random = random or SystemRandom()
        self._state: ScanState = {}
        self._previous_scan_at: int | None = None
        self.watch = watch or ClockWatch(clock)
        """Judges whether the clock can be believed."""
        self._dropped_samples = 0
        self._day: DaySample | None = None
        self._recent = RecentlyHeard()
        self._unwritten: list[Sighting] = []
        self._heard_again: set[Advertisement] = set()
        self._truncated_at = _NEVER
        self._compacted_at = _NEVER
        self._to_truncate = True
        if db is not None:
            self.open(db)

    def open(self, db: Database) -> None:
        """Write to a database from now on, starting with what was heard before.

        Sightings older than 14 days are deleted at once.

        Raises
        ------
        StoreError
            When the database cannot be read or written; a later call tries again.
        """
        with database_errors(path_of(db)):
            state: ScanState = SCAN.get(db) or {}
        if not self._is_recording:
            latest = self.watch.remember(state.get("clock"))
            self._previous_scan_at = self._previous_scan_at or state.get("at")
            # Until now it was unknown that the clock had once shown a later time.
            self._unwritten = [
                replace(each, clock_suspect=each.clock_suspect or each.seen_at < latest)
                for each in self._unwritten
            ]
        # Only now, after the clock was compared with the last time it showed.
        forget(db, self.watch.steady_now())
        self._dropped_samples += state.get("dropped_samples", 0)
        self._state = state | self._state
        self._day = DaySample(db, self._random)
        self._db = db

    def close(self) -> None:
        """Keep what is heard in memory until `open` is called again."""
        self._dropped_samples -= self._state.get("dropped_samples", 0)
        self._db = self._day = None

    def begin(self) -> Scan:
        """Start a scan."""
        suspect = self.watch.is_suspect()
        return Scan(
            self._clock.now(),
            self._recent,
            self._random,
            clock_suspect=suspect,
            clock_jumps=self.watch.jumps,
        )

    def commit(self, scan: Scan) -> int:
        """Write a scan and delete what is older than 14 days, in one transaction.

        Returns
        -------
        int
            Number of identifiers that the scan heard.

        Raises
        ------
        StoreError
            When the scan cannot be written. Its sightings are kept in memory, up to a bound, and
            written with the next scan.
        """
        # If the clock was set during the scan, the times of its packets are unknown.
        suspect = self.watch.is_suspect()
        suspect = suspect or scan.clock_suspect or self.watch.jumps != scan.clock_jumps
        self.watch.count_scan(suspect)
        previous = self._previous_scan_at
        if self.watch.jumped_since_scan() or (previous is not None and previous > scan.at):
            previous = None
        heard = scan.sightings(previous, clock_suspect=suspect)
        room = max(0, _MAX_UNWRITTEN - len(self._unwritten))
        self._unwritten += heard[:room]
        self._heard_again |= self._recent.add(heard[:room], self._clock.monotonic())
        self._dropped_samples += scan.dropped_samples
        self._dropped_samples += sum(len(sighting.rssi_dbm) for sighting in heard[room:])
        self._previous_scan_at = scan.at
        if scan.signals:
            self._state["signals"] = self._signals(scan)
        if not self._is_recording:
            self._state |= {"at": scan.at, "clock": self.watch.state}
        if self._db is None or self._day is None:
            raise StoreFull(say("error_store_full", "en"))
        self._write(self._db, self._day)
        return len(heard)

    def _signals(self, scan: Scan) -> SignalsState:
        day, before = utc_day(scan.at), self._state.get("signals")
        if before is None or before["day"] != day:
            return {"day": day, "heard": scan.signals, "unmeasured": scan.unmeasured}
        heard, unmeasured = before["heard"] + scan.signals, before["unmeasured"] + scan.unmeasured
        return {"day": day, "heard": heard, "unmeasured": unmeasured}

    def tidy(self) -> None:
        """Remove deleted rows from the files too, if that is due.

        Once per day this rewrites the whole database, which blocks the process: for half a minute
        on a slow card. What fails is tried again later.
        """
        # Once per hour is enough for retention, and spares an SD card the writes.
        now = self._clock.monotonic()
        if self._db is None:
            return
        home = Path(path_of(self._db)).parent
        with contextlib.suppress(StoreError):
            drop_kept(home, self.watch.steady_now())
        if not self._to_truncate:
            return
        with contextlib.suppress(StoreError), damage_noted(home):
            if now - self._compacted_at >= self._upkeep.compact_every_seconds:
                self._compacted_at = self._truncated_at = now
                self._to_truncate = not self._upkeep.compact(self._db)
            elif now - self._truncated_at >= self._upkeep.truncate_every_seconds:
                self._truncated_at = now
                self._to_truncate = not truncate_log(self._db)

    def _write(self, db: Database, day: DaySample) -> None:
        try:
            with damage_noted(Path(path_of(db)).parent), transaction(db):
                lost = day.write(self._unwritten, self._heard_again, self._clock.now())
                if lost:
                    note_deletion(db)
                self._state["dropped_samples"] = self._dropped_samples + lost
                SCAN.set(db, self._state)
                self._compare_again(db)
                deleted = delete_old(db, self.watch.steady_now()) > 0
        except BaseException:
            day.reset()
            raise
        self._dropped_samples += lost
        self._to_truncate |= deleted or lost > 0
        self._unwritten.clear()
        self._heard_again.clear()

    def _compare_again(self, db: Database) -> None:
        """Make the next check use every key file again if the sightings written are old."""
        latest = math.inf if self._is_recording else self._clock.now() - self._upkeep.late_seconds
        if any(sighting.seen_at < latest for sighting in self._unwritten):
            forget_key_files(db)


def _moment(now: float) -> int:
    # A clock that was never set may even be before 1970, and a damaged one beyond what a log holds.
    return min(max(0, int(now)), LATEST_MOMENT - 1)
