"""Lines and rows of a log that a reader could not use: how many, and the first of each kind."""

from __future__ import annotations

from tracing_core.errors import InvalidLog, InvalidValue, LogFault

__all__ = ["LeftOut", "skip_row"]


class LeftOut:
    """Counts of a reader, filled while it reads one log."""

    def __init__(self) -> None:
        self.unreadable = 0
        """Number of lines or rows that cannot be read; the rest of a damaged file counts as one."""
        self.first_unreadable: InvalidLog | None = None
        """The first of them; None without one."""
        self.unmeasured = 0
        """Number of sightings whose strength is unknown, without those under a suspect clock."""
        self.first_unmeasured = ""
        """Where the first of them is, such as ``line 3``; "" without one."""

    def skip(self, error: InvalidLog, count: int = 1) -> None:
        """Count lines or rows that cannot be read, the first of them for this reason."""
        self.unreadable += count
        self.first_unreadable = self.first_unreadable or error

    def note_unmeasured(self, count: int, first: str) -> None:
        """Count sightings of unknown strength; `first` is where the first of them is."""
        self.unmeasured += count
        self.first_unmeasured = self.first_unmeasured or first

    def add(self, later: LeftOut) -> None:
        """Add the counts of a later part of the same log."""
        if later.first_unreadable is not None:
            self.skip(later.first_unreadable, later.unreadable)
        if later.unmeasured:
            self.note_unmeasured(later.unmeasured, later.first_unmeasured)

    def check(self, read: int) -> None:
        """Check that a log without a readable line or row has no unreadable one either.

        Raises
        ------
        InvalidLog
            The first reason, if `read` is 0: then the log is not what it should be.
        """
        if not read and self.first_unreadable is not None:
            raise self.first_unreadable


def skip_row(left_out: LeftOut | None, number: int, path: str, error: InvalidValue) -> None:
    """Count a row of a database that lies outside the protocol.

    Raises
    ------
    InvalidLog
        When such rows are not counted, because `left_out` is None.
    """
    refused = InvalidLog(f"row {number} of the log: {error}", LogFault.LINE, path=path, line=number)
    if left_out is None:
        raise refused from error
    left_out.skip(refused)
