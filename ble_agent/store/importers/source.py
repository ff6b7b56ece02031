"""Source of sightings: the reader of another app's log, and the tally of its rows."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from tracing_core.errors import InvalidLog
from tracing_core.store.other_sighting import OtherSighting
from tracing_core.store.sighting import Sighting

__all__ = ["Refusal", "Source", "Tally"]


class Refusal(enum.Enum):
    """Reason for leaving out a row; the value is the word for programs."""

    IDENTIFIER = "identifier"
    """The identifier is not as long as its protocol has it."""
    METADATA = "metadata"
    """The metadata is not 4 bytes."""
    SIGNAL_STRENGTH = "signal_strength"
    """The signal strength is missing, or one that no radio measures."""
    TIME = "time"
    """The time is missing, or outside the protocol's range."""
    DURATION = "duration"
    """The app never writes such a duration."""
    ENCODING = "encoding"
    """The row is not encoded as the app encodes its rows."""
    REUSED_ADDRESS = "reused_address"
    """The row belongs to an identifier that the same address sent earlier."""
    ADDRESS = "address"
    """The row holds a Bluetooth address in place of an identifier."""
    FUTURE = "future"
    """The time is later than this device's clock."""
    UNREADABLE = "unreadable"
    """The line or row of a truyvet log cannot be read."""


class Tally:
    """Counts of a source's rows, read and refused."""

    def __init__(self) -> None:
        self.read = 0
        """Rows read."""
        self.refused: Counter[Refusal] = Counter()
        """Rows left out, by reason."""
        self.first_unreadable: InvalidLog | None = None
        """The first of those that cannot be read; None without one."""

    def refuse(self, reason: Refusal) -> None:
        """Count a row that is left out."""
        self.refused[reason] += 1

    def refusals(self) -> list[tuple[Refusal, int]]:
        """Return the reasons that occurred, and how often, in the order `Refusal` lists them."""
        return [(reason, self.refused[reason]) for reason in Refusal if self.refused[reason]]


class Source(Protocol):
    """A log of one format."""

    name: str
    """Name of the format, for programs."""
    title: str
    """Name of the format, for people."""
    is_one_per_moment: bool
    """Whether equal identifier, metadata and second make two rows one sighting; otherwise their
    samples must be equal too. Of other protocols, identifier and second always decide."""

    def sightings(self, tally: Tally) -> Iterator[Sighting | OtherSighting]:
        """Read the log in bounded memory, counting its rows.

        Raises
        ------
        InvalidLog, StoreError
            When the log cannot be read any further.
        """
        ...
