"""The source of a part of the logs, and what is loaded from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tracing_core.protocol.interval import INTERVAL_SECONDS
from tracing_core.store.sighting import Sighting

__all__ = ["BYTES_A_SIGHTING", "LATEST", "LoadedLogs", "LogId", "LogSource", "Tally"]

LogId = str | int
"""What a log is called: a file's name, or what stands in a column ``log_id``."""

BYTES_A_SIGHTING = 64
"""What a worker needs for each sighting of a part; docs/many-logs.md has the measurement."""

LATEST = 2**32 * INTERVAL_SECONDS
"""The first second whose interval does not fit 32 bits."""


class Tally(NamedTuple):
    """What is told of logs that match nothing too; one entry a log."""

    sightings: NDArray[np.int64]
    suspect_sightings: NDArray[np.int64]
    """How many of them are under a suspect clock."""
    last_seen_at: NDArray[np.int64]
    """When the last of the others was heard (UTC Unix seconds); −1 without one."""

    def __repr__(self) -> str:
        return f"<Tally of {len(self.sightings)} logs>"


class LoadedLogs(Protocol):
    """Some logs, or parts of logs, in memory; the rest of a row is asked for when it matched."""

    @property
    def log_ids(self) -> Sequence[LogId]:
        """The logs, each once."""

    @property
    def log(self) -> NDArray[np.int32]:
        """For each sighting, which of them it is of."""

    @property
    def rpi(self) -> NDArray[np.uint8]:
        """Shape (n, 16)."""

    @property
    def seen_at(self) -> NDArray[np.int64]:
        """UTC Unix seconds."""

    @property
    def clock_suspect(self) -> NDArray[np.bool_]:
        """Whether the device's clock had jumped back."""

    def tally(self) -> Tally:
        """Return what is told of every log."""

    def sightings(self, rows: NDArray[np.int64]) -> list[Sighting]:
        """Return some rows, which rise, as they were logged."""


class LogSource(Protocol):
    """What a unit of work is made of: small, picklable, and where to read."""

    def read(self) -> LoadedLogs:
        """Read what decides which sightings match.

        Raises
        ------
        InvalidLog, StoreError
            When it cannot be read.
        """
