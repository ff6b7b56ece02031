"""Exposures that the owner has seen: shown by `check` or `status` in a terminal.

A log line, a notification or `--json` shows nothing to anyone, so they do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from ble_agent.exposures.exposure_day import FoundDay
from ble_agent.store.database import open_store
from ble_agent.store.state import SEEN, SeenDay
from tracing_core.configuration.env2 import NO_LEVEL
from tracing_core.errors import StoreError
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction

__all__ = ["has_unseen", "note_seen", "show_seen"]


def has_unseen(db: Database, days: Iterable[FoundDay]) -> bool:
    """Return whether any exposure is new to the owner, or has changed since it was shown.

    It has changed if its level is another, or if it has grown by a minute or more. Days below
    every threshold of the authority do not count.
    """
    seen: Mapping[str, SeenDay] = SEEN.get(db) or {}
    return any(_is_new(seen.get(day.date.isoformat()), day) for day in _counting(days))


def note_seen(db: Database, days: Iterable[FoundDay]) -> None:
    """Note the exposures that were just shown, and forget all others.

    Raises
    ------
    StoreError
        When that cannot be written; then they count as not seen.
    """
    now: dict[str, SeenDay] = {
        day.date.isoformat(): {"level": day.level, "minutes": day.minutes}
        for day in _counting(days)
    }
    if now != (SEEN.get(db) or {}):
        with transaction(db):
            SEEN.set(db, now)


def show_seen(home: Path, days: Iterable[FoundDay]) -> None:
    """Note what a terminal has just shown; if that cannot be written, it counts as not seen."""
    with suppress(StoreError), open_store(home) as db:
        note_seen(db, days)


def _counting(days: Iterable[FoundDay]) -> Iterable[FoundDay]:
    return (day for day in days if day.level != NO_LEVEL)


def _is_new(seen: SeenDay | None, day: FoundDay) -> bool:
    return seen is None or seen["level"] != day.level or day.minutes > seen["minutes"]
