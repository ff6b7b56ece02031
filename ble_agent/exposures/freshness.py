"""Freshness of the key files: whether the authority's keys still reach this device.

A list of key files that stands still looks like a list with nothing new. So the device remembers
the newest end of a window that a signature vouches for, and compares it with its last check.
"""

from __future__ import annotations

from ble_agent.messages.refusals import refused
from ble_agent.store.state import KEY_FILES, LAST_CHECK, KeyFilesState
from tracing_core.errors import ServerRefused
from tracing_core.store.database import Database

__all__ = ["freshness_fault", "newest_end", "note_first_check", "note_newest_end"]

_DAY_SECONDS = 86_400
# A window's end must be this old before it is published, by the server's default.
_PUBLISHED_AFTER_SECONDS = 7_200


def newest_end(db: Database) -> int | None:
    """Return the newest end of a window that was signed for (UTC Unix seconds); None if none."""
    known = KEY_FILES.get(db)
    return None if known is None else known["newest_end"]


def note_newest_end(db: Database, *, start: int, end: int) -> None:
    """Note a verified window, in the caller's transaction, if it is the newest so far."""
    known = KEY_FILES.get(db)
    if known is not None and end > (known["newest_end"] or 0):
        KEY_FILES.set(db, {**known, "newest_end": end, "window_seconds": end - start})


def note_first_check(db: Database, now: float) -> None:
    """Note when the key files were first asked for, in the caller's transaction."""
    if KEY_FILES.get(db) is None:
        first: KeyFilesState = {"since": int(now), "newest_end": None, "window_seconds": 0}
        KEY_FILES.set(db, first)


def freshness_fault(db: Database) -> ServerRefused | None:
    """Return the fault ``keys_stale`` if the newest key file was too old at the last check.

    None if the key files are fresh, or if nothing was checked yet: then the age of the last check
    is what the owner must know.
    """
    known, last = KEY_FILES.get(db), LAST_CHECK.get(db)
    if known is None or last is None:
        return None
    # Before the first file, the day begins with the first check.
    newest = known["since"] if known["newest_end"] is None else known["newest_end"]
    longest = max(_DAY_SECONDS, 2 * known["window_seconds"] + _PUBLISHED_AFTER_SECONDS)
    return refused("keys_stale") if last["at"] - newest > longest else None
