"""A log of another protocol, read from any of its forms and indexed by identifier."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator
from pathlib import Path

from matcher.portable.sightings import is_database
from tracing_core.protocol.interval import utc_day
from tracing_core.store.left_out import LeftOut
from tracing_core.store.other_sighting import (
    OtherSighting,
    read_other_lines,
    select_other_sightings,
)
from tracing_core.store.sighting import SIGHTING_TABLE
from tracing_core.store.sqlite import open_readonly

__all__ = ["OtherIndex", "read_other_log"]


def read_other_log(
    path: Path, left_out: LeftOut | None = None, *, protocol: str | None = None
) -> Iterator[OtherSighting]:
    """Read the sightings of other protocols from an agent's database or JSON Lines.

    The first bytes decide which it is. Nothing is written.

    Parameters
    ----------
    path
        The log.
    left_out
        Counts the lines or rows that cannot be read; None to raise an error at the first.
    protocol
        Only the sightings of this protocol; None for those of all.

    Raises
    ------
    InvalidLog
        When the log is neither, or at the first line or row that cannot be read. If such lines are
        counted, only at the end, and only if none could be read.
    SchemaMismatch
        When a newer version wrote the database.
    StoreError
        When the log cannot be opened.
    """
    if not is_database(path):
        for sighting in read_other_lines(path, left_out):
            if protocol in (None, sighting.protocol):
                yield sighting
        return
    db = open_readonly(path, [SIGHTING_TABLE])
    try:
        yield from select_other_sightings(db, left_out, protocol=protocol)
    finally:
        db.close()


class OtherIndex:
    """An index by identifier of sightings of one protocol."""

    def __init__(self, sightings: Iterable[OtherSighting]) -> None:
        self._sightings = list(sightings)
        self._positions: dict[bytes, list[int]] = {}
        for position, sighting in enumerate(self._sightings):
            self._positions.setdefault(sighting.identifier, []).append(position)
        self._moments = sorted(sighting.seen_at for sighting in self._sightings)

    def __len__(self) -> int:
        return len(self._sightings)

    def __getitem__(self, position: int) -> OtherSighting:
        return self._sightings[position]

    def days(self) -> list[int]:
        """Return the UTC days of the sightings, in order."""
        return sorted({utc_day(moment) for moment in self._moments})

    def heard_after(self, moment: float) -> int:
        """Return the number of sightings after a moment (UTC Unix seconds)."""
        return len(self._moments) - bisect.bisect_right(self._moments, moment)

    def heard_between(self, first: int, last: int) -> bool:
        """Return whether anything was heard from a first to a last second."""
        at = bisect.bisect_left(self._moments, first)
        return at < len(self._moments) and self._moments[at] <= last

    def heard(self, identifiers: Iterable[bytes]) -> set[bytes]:
        """Return those of some identifiers that were heard."""
        return self._positions.keys() & identifiers

    def positions(self, identifier: bytes) -> list[int]:
        """Return the positions of an identifier in the log, in order; empty if it was not heard."""
        return self._positions.get(identifier, [])

    def seen_at(self, position: int) -> int:
        """Return when the sighting at `position` was heard (UTC Unix seconds)."""
        return self._sightings[position].seen_at
