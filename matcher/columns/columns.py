"""Keys and sightings as columns: arrays, and no Python object a key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tracing_core.errors import InvalidKey, InvalidValue, require
from tracing_core.protocol.interval import TEK_ROLLING_PERIOD
from tracing_core.protocol.rolling_proximity_identifier import RPI_LENGTH
from tracing_core.protocol.temporary_exposure_key import KEY_LENGTH

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MOST_SIGHTINGS", "KeyColumns", "SightingColumns", "check_count"]

MOST_SIGHTINGS = 2**31 - 1
"""How many sightings are matched at once: the kernels number them in 32 bits."""


def _numpy() -> Any:
    return require("numpy", extra="matcher")


def check_count(sightings: int) -> None:
    """Raise `InvalidValue` for more than `MOST_SIGHTINGS`."""
    if sightings > MOST_SIGHTINGS:
        raise InvalidValue(f"at most {MOST_SIGHTINGS} sightings at once, not {sightings}: cut them")


def _check_shape(name: str, column: Any, rows: int, kind: str, width: int | None = None) -> None:
    shape = (rows,) if width is None else (rows, width)
    if column.shape != shape or column.dtype != kind or not column.flags.c_contiguous:
        raise InvalidValue(f"column {name} must be a contiguous {kind} array of shape {shape}")


@dataclass(frozen=True, slots=True)
class KeyColumns:
    """Published keys, one a row; what a match needs of them.

    Raises
    ------
    InvalidValue
        When a column has another type, length or layout than it says.
    InvalidKey
        When a period is not 1 to 144, or a key's last interval does not fit 32 bits.
    """

    key_data: NDArray[np.uint8] = field(repr=False)
    """Shape (n, 16)."""
    rolling_start: NDArray[np.uint32]
    """The first interval of each key."""
    rolling_period: NDArray[np.uint16]
    """How many intervals each was used for, 1 to 144."""

    def __post_init__(self) -> None:
        rows = len(self.key_data)
        _check_shape("key_data", self.key_data, rows, "uint8", KEY_LENGTH)
        _check_shape("rolling_start", self.rolling_start, rows, "uint32")
        _check_shape("rolling_period", self.rolling_period, rows, "uint16")
        if not rows:
            return
        if self.rolling_period.min() < 1 or self.rolling_period.max() > TEK_ROLLING_PERIOD:
            raise InvalidKey(f"every rolling period must be 1 to {TEK_ROLLING_PERIOD}")
        # Only starts near the end of time need each sum.
        if int(self.rolling_start.max()) > 2**32 - TEK_ROLLING_PERIOD:
            ends = self.rolling_start.astype("uint64") + self.rolling_period
            if int(ends.max()) > 2**32:
                raise InvalidKey("every interval of a key must fit 32 bits")

    def __len__(self) -> int:
        return len(self.key_data)

    @classmethod
    def of(
        cls,
        key_data: NDArray[np.uint8],
        rolling_start: NDArray[np.uint32],
        rolling_period: NDArray[np.uint16] | int = TEK_ROLLING_PERIOD,
    ) -> KeyColumns:
        """Make columns of keys; one number is the period of them all."""
        periods: NDArray[np.uint16] = (
            _numpy().full(len(key_data), rolling_period, "uint16")
            if isinstance(rolling_period, int)
            else rolling_period
        )
        return cls(key_data, rolling_start, periods)


@dataclass(frozen=True, slots=True)
class SightingColumns:
    """Sightings of one log, one a row; what a match needs of them.

    Raises
    ------
    InvalidValue
        When a column has another type, length or layout than it says, or too many rows.
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
        _check_shape("rpi", self.rpi, rows, "uint8", RPI_LENGTH)
        _check_shape("interval", self.interval, rows, "uint32")
        _check_shape("clock_suspect", self.clock_suspect, rows, "bool")

    def __len__(self) -> int:
        return len(self.rpi)

    @classmethod
    def of(cls, rpi: NDArray[np.uint8], interval: NDArray[np.uint32]) -> SightingColumns:
        """Make columns of sightings under a clock that never jumped."""
        return cls(rpi, interval, _numpy().zeros(len(rpi), "bool"))
