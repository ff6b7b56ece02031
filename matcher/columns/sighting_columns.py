"""Sightings of one log as columns, without a Python object per sighting."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from matcher.columns.shape import check_column
from tracing_core.errors import InvalidValue
from tracing_core.protocol.rolling_proximity_identifier import RPI_LENGTH

__all__ = ["MOST_SIGHTINGS", "SightingColumns", "check_count"]

MOST_SIGHTINGS = 2**31 - 1
"""The most sightings of one join, because the kernels number them in 32 bits."""


def check_count(sightings: int) -> None:
    """Raise `InvalidValue` for more than `MOST_SIGHTINGS`."""
    if sightings > MOST_SIGHTINGS:
        raise InvalidValue(f"{sightings} sightings are more than {MOST_SIGHTINGS}: divide them")


@dataclass(frozen=True, slots=True)
class SightingColumns:
    """Sightings of one log, one per row, with the columns that a join needs.

    Raises
    ------
    InvalidValue
        When a column has the wrong type, length or layout, or too many rows.
    """

    rpi: NDArray[np.uint8] = field(repr=False)
    """Rolling Proximity Identifiers, shape (m, 16)."""
    interval: NDArray[np.uint32] = field(repr=False)
    """The interval each was heard in."""
    clock_suspect: NDArray[np.bool_]
    """Whether the device's clock had jumped back; such a sighting never matches."""

    def __post_init__(self) -> None:
        rows = len(self.rpi)
        check_count(rows)
        check_column("rpi", self.rpi, (rows, RPI_LENGTH), "uint8")
        check_column("interval", self.interval, (rows,), "uint32")
        check_column("clock_suspect", self.clock_suspect, (rows,), "bool")

    def __len__(self) -> int:
        return len(self.rpi)

    @classmethod
    def of(cls, rpi: NDArray[np.uint8], interval: NDArray[np.uint32]) -> SightingColumns:
        """Make columns of sightings under a clock that never jumped."""
        return cls(rpi, interval, np.zeros(len(rpi), "bool"))
