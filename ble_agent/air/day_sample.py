"""Bounded sample of a day's sightings: which of them stay when the air is flooded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from random import Random

from tracing_core.protocol.advertisement import Advertisement
from tracing_core.store.database import Database
from tracing_core.store.sighting import Sighting, insert_sightings

__all__ = ["MAX_SIGHTINGS_PER_DAY", "DaySample", "RecentlyHeard"]

MAX_SIGHTINGS_PER_DAY = 60_000
"""200 identifiers around the clock, each in a scan every 5 minutes; 14 such days are 70 MB."""

# Which sightings stay.
#
# Anyone nearby can invent identifiers and send thousands a second, while a card and a battery are
# small. So a day has a limit, and beyond it something must give way. The simple choices hand the
# attacker the log:
# - Keep the first ones: a flood in the morning shuts out everyone met later.
# - Keep the last ones: a flood in the evening drives out everyone met before.
# - Keep a random sample of all: a million invented identifiers leave each real sighting a chance
#   of a few per cent.
#
# Here half of the limit is kept as it comes, so that whatever was heard before a flood stays. The
# other half is sampled, in two reservoirs (Vitter's algorithm R, "Random sampling with a
# reservoir", 1985: each newcomer takes a random place, so that all have had the same chance).
# One reservoir is for identifiers heard in one scan only, the other for those heard again: people
# stay near for more than one scan, while a flood has to invent identifiers or to repeat them. An
# identifier heard again drives out one that was heard once, as long as there is one. After that,
# those heard again are sampled among themselves.
#
# The reservoirs are in memory and their rows in the database. A new process rebuilds them from the
# rows of the day beyond its first half; only how many were left out is forgotten.

_MAX_RECENT = 6_000
_RECENT_SECONDS = 1_800
_DAY = 86_400


class RecentlyHeard:
    """Identifiers heard in the last half hour, in bounded memory."""

    def __init__(self) -> None:
        self._heard: OrderedDict[Advertisement, tuple[float, bool]] = OrderedDict()

    def __contains__(self, advertisement: object) -> bool:
        """Return whether an earlier scan heard an identifier."""
        return advertisement in self._heard

    def add(self, heard: Sequence[Sighting], monotonic: float) -> set[Advertisement]:
        """Add a scan, and return those of its identifiers that an earlier scan heard too."""
        again = set()
        for sighting in heard:
            advertisement = Advertisement(sighting.rpi, sighting.aem)
            was_heard = advertisement in self._heard
            if was_heard:
                again.add(advertisement)
            self._heard[advertisement] = (monotonic, was_heard)
            self._heard.move_to_end(advertisement)
        self._forget(monotonic)
        return again

    def _forget(self, monotonic: float) -> None:
        while self._heard:
            advertisement, (heard_at, _) = next(iter(self._heard.items()))
            if heard_at > monotonic - _RECENT_SECONDS:
                break
            del self._heard[advertisement]
        if len(self._heard) > _MAX_RECENT:
            once = [each for each, (_, again) in self._heard.items() if not again]
            for advertisement in once[: len(self._heard) - _MAX_RECENT]:
                del self._heard[advertisement]
        while len(self._heard) > _MAX_RECENT:
            self._heard.popitem(last=False)


class DaySample:
    """The sightings of one UTC day that are in the log.

    Parameters
    ----------
    db
        The agent's database.
    random
        Chooses the sightings that give way.
    """

    def __init__(self, db: Database, random: Random) -> None:
        self._db = db
        self._random = random
        self._day = -1
        self._count = 0
        self._once = _Reservoir(random)
        self._again = _Reservoir(random)

    def write(self, heard: Sequence[Sighting], again: set[Advertisement], now: float) -> int:
        """Write sightings inside the caller's transaction.

        Parameters
        ----------
        heard
            In the order they were heard.
        again
            Those identifiers that an earlier scan heard too.
        now
            The time in UTC Unix seconds; its day is the one that the sightings count for.

        Returns
        -------
        int
            How many samples were left out or driven out.
        """
        if int(now) // _DAY != self._day:
            self._begin(int(now) // _DAY)
        if self._count + len(heard) <= MAX_SIGHTINGS_PER_DAY // 2:
            insert_sightings(self._db, heard)
            self._count += len(heard)
            return 0
        return sum(
            self._write_one(each, Advertisement(each.rpi, each.aem) in again) for each in heard
        )

    def reset(self) -> None:
        """Forget what was counted, after the caller's transaction failed."""
        self._day = -1

    def _begin(self, day: int) -> None:
        self._day = day
        self._once, self._again = _Reservoir(self._random), _Reservoir(self._random)
        span = [day * _DAY, (day + 1) * _DAY]
        of_day = "FROM sighting WHERE seen_at >= ? AND seen_at < ?"
        self._count = self._db.conn.execute(f"SELECT count(*) {of_day}", span).fetchone()[0]
        half = MAX_SIGHTINGS_PER_DAY // 2
        if self._count <= half:
            return
        later = self._db.conn.execute(
            "SELECT id, rpi, aem, count(*) OVER (PARTITION BY rpi, aem)"  # noqa: S608
            f" FROM (SELECT id, rpi, aem {of_day} ORDER BY id LIMIT -1 OFFSET ?)",
            [*span, half],
        )
        for row, rpi, aem, times in later:
            (self._once if times == 1 else self._again).add(row, rpi + aem)

    def _write_one(self, sighting: Sighting, is_again: bool) -> int:
        heard = sighting.rpi + sighting.aem
        if (row := self._once.take(heard)) is not None:
            self._again.add(row, heard)
            is_again = True
        if self._count < MAX_SIGHTINGS_PER_DAY:
            insert_sightings(self._db, [sighting])
            if self._count >= MAX_SIGHTINGS_PER_DAY // 2:
                self._add(heard, is_again=is_again)
            self._count += 1
            return 0
        victim = self._once.take_any() if is_again else None
        if victim is None:
            victim = (self._again if is_again else self._once).offer()
        if victim is None:
            return len(sighting.rssi_dbm)
        (lost,) = self._db.conn.execute(
            "DELETE FROM sighting WHERE id = ? RETURNING length(rssi_dbm)", [victim]
        ).fetchone() or (0,)
        insert_sightings(self._db, [sighting])
        self._add(heard, is_again=is_again)
        return int(lost)

    def _add(self, heard: bytes, *, is_again: bool) -> None:
        (row,) = self._db.conn.execute("SELECT last_insert_rowid()").fetchone()
        (self._again if is_again else self._once).add(row, heard)


class _Reservoir:
    """Rows of the log, each of which gives way to a later one with equal chance."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._rows: list[tuple[int, bytes]] = []
        self._place: dict[bytes, int] = {}
        self._left_out = 0

    def add(self, row: int, heard: bytes) -> None:
        """Add the row of an identifier."""
        self._place[heard] = len(self._rows)
        self._rows.append((row, heard))

    def take(self, heard: bytes) -> int | None:
        """Remove and return the latest row of an identifier, if there is one."""
        place = self._place.get(heard)
        return None if place is None else self._take_at(place)

    def take_any(self) -> int | None:
        """Remove and return a random row, which is left out, if there is one."""
        if not self._rows:
            return None
        self._left_out += 1
        return self._take_at(self._random.randrange(len(self._rows)))

    def offer(self) -> int | None:
        """Offer one more row; return the one that gives way, or None if there is no room."""
        chosen = self._random.randrange(len(self._rows) + self._left_out + 1)
        self._left_out += 1
        return self._take_at(chosen) if chosen < len(self._rows) else None

    def _take_at(self, place: int) -> int:
        row, heard = self._rows[place]
        if self._place.get(heard) == place:
            del self._place[heard]
        last = self._rows.pop()
        if place < len(self._rows):
            self._rows[place] = last
            self._place[last[1]] = place
        return row
