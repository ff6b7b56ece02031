"""How many sightings a day may bring, and which of them stay when somebody floods the air.

Half of what a day may bring is kept as it comes, so whatever was heard before a flood stays. From
then on identifiers heard once are a random sample of all of them (Vitter's algorithm R), and one
that is heard again drives out one that was not: people stay near for more than one scan, while a
flood has to invent identifiers.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from random import Random

from tracing_core.advertisement import Advertisement
from tracing_core.sighting import Sighting, insert_sightings
from tracing_core.sqlite import Database

__all__ = ["MAX_SIGHTINGS_PER_DAY", "DaySample", "RecentlyHeard"]

MAX_SIGHTINGS_PER_DAY = 60_000
"""200 identifiers around the clock, each in a scan every 5 minutes; 14 such days are 70 MB."""

_MAX_RECENT = 6_000
_RECENT_SECONDS = 1_800
_DAY = 86_400


class RecentlyHeard:
    """The identifiers of the scans of the last half hour, in bounded memory."""

    def __init__(self) -> None:
        self._heard: OrderedDict[Advertisement, tuple[float, bool]] = OrderedDict()

    def __contains__(self, advertisement: object) -> bool:
        """Tell whether an earlier scan heard it."""
        return advertisement in self._heard

    def add(self, heard: Sequence[Sighting], monotonic: float) -> set[Advertisement]:
        """Note a scan of a moment; return those identifiers that an earlier one heard too."""
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
    """What of one UTC day's sightings is in the log.

    Parameters
    ----------
    db
        The agent's database.
    random
        Which sightings give way.
    """

    def __init__(self, db: Database, random: Random) -> None:
        self._db = db
        self._random = random
        self._day = -1
        self._count = 0
        self._offered = 0
        self._replaceable: list[tuple[int, bytes]] = []
        self._place: dict[bytes, int] = {}

    def write(self, heard: Sequence[Sighting], again: set[Advertisement], now: float) -> int:
        """Write sightings inside the caller's transaction.

        Parameters
        ----------
        heard
            In the order they were heard.
        again
            Those identifiers that an earlier scan heard too.
        now
            The time in UTC Unix seconds; its day is the one they count for.

        Returns
        -------
        int
            How many samples were left out, or driven out.
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
        self._day, self._offered = day, 0
        self._replaceable, self._place = [], {}
        span = [day * _DAY, (day + 1) * _DAY]
        of_day = "FROM sighting WHERE seen_at >= ? AND seen_at < ?"
        self._count = self._db.conn.execute(f"SELECT count(*) {of_day}", span).fetchone()[0]
        half = MAX_SIGHTINGS_PER_DAY // 2
        if self._count <= half:
            return
        later = self._db.conn.execute(
            f"SELECT id, rpi FROM (SELECT id, rpi {of_day} ORDER BY id LIMIT -1 OFFSET ?)"  # noqa: S608
            f" GROUP BY rpi HAVING count(*) = 1",
            [*span, half],
        )
        for row, rpi in later:
            self._add(row, rpi)
        self._offered = len(self._replaceable)

    def _write_one(self, sighting: Sighting, is_again: bool) -> int:
        is_sampled = self._count >= MAX_SIGHTINGS_PER_DAY // 2
        if is_again:
            self._keep(sighting.rpi)
        elif is_sampled:
            self._offered += 1
        if self._count < MAX_SIGHTINGS_PER_DAY:
            self._insert(sighting, is_replaceable=is_sampled and not is_again)
            self._count += 1
            return 0
        if not self._replaceable or (
            not is_again and self._random.randrange(self._offered) >= len(self._replaceable)
        ):
            return len(sighting.rssi_dbm)
        victim, rpi = self._random.choice(self._replaceable)
        self._keep(rpi)
        (lost,) = self._db.conn.execute(
            "DELETE FROM sighting WHERE id = ? RETURNING length(rssi_dbm)", [victim]
        ).fetchone() or (0,)
        self._insert(sighting, is_replaceable=not is_again)
        return int(lost)

    def _insert(self, sighting: Sighting, *, is_replaceable: bool) -> None:
        insert_sightings(self._db, [sighting])
        if is_replaceable:
            (row,) = self._db.conn.execute("SELECT last_insert_rowid()").fetchone()
            self._add(row, sighting.rpi)

    def _add(self, row: int, rpi: bytes) -> None:
        self._keep(rpi)
        self._place[rpi] = len(self._replaceable)
        self._replaceable.append((row, rpi))

    def _keep(self, rpi: bytes) -> None:
        """Take an identifier's row out of those that may be replaced."""
        place = self._place.pop(rpi, None)
        if place is None:
            return
        last = self._replaceable.pop()
        if last[1] != rpi:
            self._replaceable[place] = last
            self._place[last[1]] = place
