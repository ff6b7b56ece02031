"""What every reader of another app's log is, and what it says of the rows it leaves out."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator
from typing import Protocol

from tracing_core.store.sighting import Sighting

__all__ = ["Refusal", "Source", "Tally"]


class Refusal(enum.Enum):
    """Why a row was left out; the value is the word for programs."""

    IDENTIFIER = "identifier"
    """The identifier is not 16 bytes."""
    METADATA = "metadata"
    """The metadata is not 4 bytes."""
    SIGNAL_STRENGTH = "signal_strength"
    """There is none, or none that a radio measures."""
    TIME = "time"
    """There is none, or none of the protocol's."""
    DURATION = "duration"
    """It is one the app never writes."""
    ENCODING = "encoding"
    """The row is not written as the app writes it."""
    REUSED_ADDRESS = "reused_address"
    """It belongs to an identifier that the same address sent before."""
    FUTURE = "future"
    """It lies in the future of this device's clock."""


class Tally:
    """What became of the rows of a source."""

    def __init__(self) -> None:
        self.read = 0
        """Rows read."""
        self.refused: Counter[Refusal] = Counter()
        """Rows left out, by the reason."""

    def refuse(self, reason: Refusal) -> None:
        """Count a row that is left out."""
        self.refused[reason] += 1

    def refusals(self) -> list[tuple[Refusal, int]]:
        """Return the reasons that occurred, and how often, in the order `Refusal` lists them."""
        return [(reason, self.refused[reason]) for reason in Refusal if self.refused[reason]]


class Source(Protocol):
    """A log of one format."""

    name: str
    """Of the format, for programs."""
    title: str
    """Of the format, for people."""
    is_one_per_moment: bool
    """Whether one identifier, metadata and second are one sighting, whatever its samples; else
    only equal samples make it the same."""

    def sightings(self, tally: Tally) -> Iterator[Sighting]:
        """Read the log in bounded memory, counting its rows.

        Raises
        ------
        InvalidLog, StoreError
            When it cannot be read any further.
        """
        ...
