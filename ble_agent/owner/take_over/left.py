"""Account of what a search did not look at, with the reasons."""

from __future__ import annotations

import enum
from collections import Counter

__all__ = ["Left", "Reason"]


class Reason(enum.Enum):
    """Reason for not looking at a file or folder; the value is the word for programs."""

    LINK = "link"
    """It is a symbolic link."""
    SPECIAL = "special"
    """It is a pipe, a socket or a device."""
    OWN = "own"
    """It belongs to this device's own data."""
    DENIED = "denied"
    """It may not be read, or cannot."""
    GONE = "gone"
    """It vanished or was replaced meanwhile."""
    DEEP = "deep"
    """It is a folder too many levels down."""
    MANY = "many"
    """Enough files had been looked at."""
    LATE = "late"
    """The time was over."""
    LARGE = "large"
    """It is larger than what is copied."""


class Left:
    """Counts of what was not looked at."""

    def __init__(self) -> None:
        self._counts: Counter[Reason] = Counter()
        self.is_whole = True
        """Whether the counts are whole; otherwise there may be more."""

    def note(self, reason: Reason, count: int = 1) -> None:
        """Count files or folders that are not looked at."""
        self._counts[reason] += count

    def counts(self) -> list[tuple[Reason, int]]:
        """Return the reasons that occurred and how often, in the order `Reason` lists them."""
        return [(reason, self._counts[reason]) for reason in Reason if self._counts[reason]]
