"""Freshness of the key files: whether the authority's keys still reach this device.

A list of key files that stands still looks like a list with nothing new. So the device remembers
the newest end of a window that a signature vouches for, and compares it with its last check.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ble_agent.exposures.files.used_files import windows
from ble_agent.messages.refusals import refused
from ble_agent.store.state import KEY_FILES, LAST_CHECK, KeyFilesState
from tracing_core.errors import ServerRefused
from tracing_core.store.database import Database

__all__ = ["freshness_fault", "note_first_check", "note_newest_end"]

_DAY_SECONDS = 86_400
# A window's end must be this old before it is published, by the server's default.
_PUBLISHED_AFTER_SECONDS = 7_200
# Google's server writes no file for a window without keys, so a quiet region looks like a freeze.
_FEWEST_WINDOWS = 8
_GAPS = 4


def note_newest_end(db: Database, *, start: int, end: int) -> None:
    """Note a verified window, in the caller's transaction, if it is the newest so far."""
    known = KEY_FILES.get(db)
    if known is not None and end > (known["newest_end"] or 0):
        KEY_FILES.set(db, {**known, "newest_end": end, "window_seconds": end - start})


def note_first_check(db: Database, now: float, *, every_window: bool) -> None:
    """Note when the key files were first asked for, in the caller's transaction.

    Parameters
    ----------
    db
        The agent's database.
    now
        The time (UTC Unix seconds).
    every_window
        Whether the server publishes windows without keys too.
    """
    if KEY_FILES.get(db) is None:
        first: KeyFilesState = {
            "since": int(now),
            "newest_end": None,
            "window_seconds": 0,
            "every_window": every_window,
        }
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
    if not known.get("every_window", True):
        gap = _longest_gap(windows(db))
        if gap is None:
            return None
        longest = max(longest, _GAPS * gap)
    return refused("keys_stale") if last["at"] - newest > longest else None


def _longest_gap(ends: Sequence[int]) -> int | None:
    """Return the longest time between two windows (seconds); None if they are too few to judge."""
    if len(ends) < _FEWEST_WINDOWS:
        return None
    return max(later - earlier for earlier, later in pairwise(ends))
