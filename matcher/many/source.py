"""The source of a part of the logs, and what is loaded from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tracing_core.protocol.interval import INTERVAL_SECONDS
from tracing_core.store.sighting import Sighting

__all__ = ["BYTES_A_SIGHTING", "LATEST", "LoadedLogs", "LogId", "LogSource", "Tally", "Unreadable"]

LogId = str | int
"""The id of a log: a file's name, or a value of the column ``log_id``."""

BYTES_A_SIGHTING = 64
"""Memory of a worker per sighting of a part; docs/many-logs.md has the measurement."""

LATEST = 2**32 * INTERVAL_SECONDS
"""The first second whose interval does not fit in 32 bits."""


class Tally(NamedTuple):
    """Totals per log, for every log, matched or not."""

    sightings: NDArray[np.int64]
    suspect_sightings: NDArray[np.int64]
    """Number of those under a suspect clock."""
    last_seen_at: NDArray[np.int64]
    """Time of the last of the others (UTC Unix seconds); −1 if there is none."""
    last_past_at: NDArray[np.int64]
    """The same without those in the future."""
    unmeasured_sightings: NDArray[np.int64]
    """Number of the others whose strength is unknown."""

    def __repr__(self) -> str:
        return f"<Tally of {len(self.sightings)} logs>"


class Unreadable(NamedTuple):
    """What of a log, or of rows without a log, cannot be read."""

    lines: int
    """Number of lines or rows left out; the rest of a damaged file counts as one."""
    first: str
    """Where the first of them is, and why it cannot be read."""

    def and_later(self, later: Unreadable) -> Unreadable:
        """Return this with what cannot be read of a later part of the log."""
        return Unreadable(self.lines + later.lines, self.first)


class LoadedLogs(Protocol):
    """Some logs, or parts of logs, in memory; the rest of a row is read only if it matched."""

    @property
    def log_ids(self) -> Sequence[LogId]:
        """The logs, each once."""

    @property
    def log(self) -> NDArray[np.int32]:
        """For each sighting, the place of its log in `log_ids`."""

    @property
    def rpi(self) -> NDArray[np.uint8]:
        """Shape (n, 16)."""

    @property
    def seen_at(self) -> NDArray[np.int64]:
        """UTC Unix seconds."""

    @property
    def clock_suspect(self) -> NDArray[np.bool_]:
        """Whether the device's clock had jumped back."""

    @property
    def unreadable(self) -> Mapping[LogId | None, Unreadable]:
        """What cannot be read, by log; None for rows without a log.

        A log of which nothing can be read is not in `log_ids`.
        """

    def tally(self) -> Tally:
        """Return the totals of every log."""

    def sightings(self, rows: NDArray[np.int64]) -> list[Sighting]:
        """Return some rows as they were logged; row numbers ascend."""


class LogSource(Protocol):
    """A part of the logs that is read as one unit of work; small and picklable."""

    def read(self) -> LoadedLogs:
        """Read the columns that decide which sightings match.

        Raises
        ------
        InvalidLog, StoreError
            When the part cannot be read.
        """
