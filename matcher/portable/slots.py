"""Search of a log for the slots of a key; it agrees with `matcher.definition.counting`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from tracing_core.protocol.slots import Run

__all__ = ["HeardIndex", "heard_in"]


class HeardIndex(Protocol):
    """A log of any protocol, indexed by identifier."""

    def heard(self, identifiers: Iterable[bytes], /) -> set[bytes]:
        """Return those of some identifiers that were heard."""

    def positions(self, identifier: bytes, /) -> list[int]:
        """Return the positions of an identifier in the log, in order."""

    def seen_at(self, position: int, /) -> int:
        """Return when the sighting at a position was heard (UTC Unix seconds)."""


def heard_in(run: Run, log: HeardIndex, max_seconds_heard: int | None) -> list[tuple[int, int]]:
    """Return what of a log counts for the slots of a run.

    Parameters
    ----------
    run
        The slots.
    log
        The log.
    max_seconds_heard
        Seconds for which an identifier counts after it was first heard; None for no such rule.

    Returns
    -------
    list of tuple
        The position in the log and the number of the slot in the run, by time, then by position.
    """
    heard = log.heard(run.identifiers)
    if not heard:
        return []
    found = []
    for number, identifier in enumerate(run.identifiers):
        if identifier not in heard:
            continue
        slot = run.slot(number)
        moments = [(log.seen_at(position), position) for position in log.positions(identifier)]
        last = slot.last
        if max_seconds_heard is not None:
            last = min(last, min(moments)[0] + max_seconds_heard)
        found += [(at, position, number) for at, position in moments if slot.first <= at <= last]
    found.sort()
    return [(position, number) for _, position, number in found]
