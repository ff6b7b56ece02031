"""Databases kept aside: what was damaged, for the owner or an expert, for 14 days at most."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from pathlib import Path

from ble_agent.store.damage import DATABASE_NAME
from tracing_core.protocol.interval import utc_date
from tracing_core.store.files import destroy, file_errors

__all__ = [
    "KEPT_FILES",
    "KEPT_SECONDS",
    "drop_kept",
    "drop_kept_ahead",
    "kept_files",
    "kept_path",
]

KEPT_SECONDS = 14 * 86_400
"""How long a damaged database is kept, like what is in it."""

_INFIX = ".damaged-"
_DAY_LENGTH = len("2026-12-01")

KEPT_FILES = f"{DATABASE_NAME}{_INFIX}*"
"""Pattern of the names in a home."""


def kept_path(home: Path, now: float, suffix: str) -> Path:
    """Return where to keep a file of a damaged database that is set aside now."""
    day = utc_date(max(0.0, now))
    return home / f"{DATABASE_NAME}{_INFIX}{day.isoformat()}{suffix}"


def kept_files(home: Path) -> Iterator[Path]:
    """Return the files kept aside."""
    return home.glob(KEPT_FILES)


def drop_kept(home: Path, now: float) -> None:
    """Overwrite and remove what was set aside more than 14 days ago.

    Raises
    ------
    StoreError
        When a file cannot be removed; a later call tries again.
    """
    # If the age of a file is unknown, it may be too old.
    _destroy(home, lambda day: day is None or now - day > KEPT_SECONDS)


def drop_kept_ahead(home: Path, latest: float) -> None:
    """Overwrite and remove what was set aside by a clock that showed a later time.

    Raises
    ------
    StoreError
        When a file cannot be removed.
    """
    _destroy(home, lambda day: day is not None and day > latest)


def _destroy(home: Path, is_meant: Callable[[float | None], bool]) -> None:
    with file_errors(home):
        for path in list(kept_files(home)):
            if is_meant(_day(path)):
                destroy(path)


def _day(path: Path) -> float | None:
    """Return the day on which a file was set aside (UTC Unix seconds); None if unknown."""
    written = path.name.partition(_INFIX)[2][:_DAY_LENGTH]
    try:
        day = datetime.datetime.fromisoformat(written).replace(tzinfo=datetime.UTC)
    except ValueError:
        return None
    return day.timestamp()
