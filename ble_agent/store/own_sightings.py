"""The agent's own sightings, without the rows that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from ble_agent.messages.catalogue import say
from tracing_core.errors import InvalidLog
from tracing_core.store.database import Database
from tracing_core.store.left_out import LeftOut
from tracing_core.store.other_sighting import OtherSighting, select_other_sightings
from tracing_core.store.sighting import Sighting, select_sightings

__all__ = ["other_sightings", "own_sightings", "rows_unreadable", "unreadable_fault"]


def own_sightings(
    db: Database, left_out: LeftOut, rpis: Sequence[bytes] | None = None
) -> Iterator[Sighting]:
    """Yield the sightings, and count the rows that cannot be read, even if none can.

    Parameters
    ----------
    db
        The agent's database.
    left_out
        Counts the rows.
    rpis
        The identifiers whose rows are read, at most 30,000; None for all rows.

    Raises
    ------
    StoreError
        When the database is damaged.
    """
    with suppress(InvalidLog):
        yield from select_sightings(db, left_out, rpis)


def other_sightings(db: Database, left_out: LeftOut, protocol: str) -> Iterator[OtherSighting]:
    """Yield what was imported of another protocol, and count the rows that cannot be read.

    Raises
    ------
    StoreError
        When the database is damaged.
    """
    with suppress(InvalidLog):
        yield from select_other_sightings(db, left_out, protocol=protocol)


def unreadable_fault(left_out: LeftOut) -> InvalidLog | None:
    """Return the fault that names the rows left out; None without one."""
    first = left_out.first_unreadable
    return None if first is None else rows_unreadable(left_out.unreadable, first.line)


def rows_unreadable(count: int, row: int) -> InvalidLog | None:
    """Return the fault of a number of rows left out, the first of them this one; None for 0."""
    if not count:
        return None
    values = {"count": count, "row": row}
    error = InvalidLog(say("recordings_unreadable", "en", **values))
    error.vi = say("recordings_unreadable", "vi", **values)
    return error
