"""Published keys as columns, without a Python object per key."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from matcher.columns.shape import check_column
from tracing_core.errors import InvalidKey
from tracing_core.protocol.interval import TEK_ROLLING_PERIOD
from tracing_core.protocol.temporary_exposure_key import KEY_LENGTH

__all__ = ["KeyColumns"]


@dataclass(frozen=True, slots=True)
class KeyColumns:
    """Published keys, one per row, with the columns that a join needs.

    Raises
    ------
    InvalidValue
        When a column has the wrong type, length or layout.
    InvalidKey
        When a period is not 1 to 144, or a key's last interval does not fit in 32 bits.
    """

    key_data: NDArray[np.uint8] = field(repr=False)
    """Shape (n, 16)."""
    rolling_start: NDArray[np.uint32]
    """The first interval of each key."""
    rolling_period: NDArray[np.uint16]
    """Number of intervals of each key, 1 to 144."""

    def __post_init__(self) -> None:
        rows = len(self.key_data)
        check_column("key_data", self.key_data, (rows, KEY_LENGTH), "uint8")
        check_column("rolling_start", self.rolling_start, (rows,), "uint32")
        check_column("rolling_period", self.rolling_period, (rows,), "uint16")
        if not rows:
            return
        if self.rolling_period.min() < 1 or self.rolling_period.max() > TEK_ROLLING_PERIOD:
            raise InvalidKey(f"every rolling period must be 1 to {TEK_ROLLING_PERIOD}")
        # The sums are needed only for starts near the end of time.
        if int(self.rolling_start.max()) > 2**32 - TEK_ROLLING_PERIOD:
            ends = self.rolling_start.astype("uint64") + self.rolling_period
            if int(ends.max()) > 2**32:
                raise InvalidKey("every interval of a key must fit in 32 bits")

    def __len__(self) -> int:
        return len(self.key_data)

    @classmethod
    def of(
        cls,
        key_data: NDArray[np.uint8],
        rolling_start: NDArray[np.uint32],
        rolling_period: NDArray[np.uint16] | int = TEK_ROLLING_PERIOD,
    ) -> KeyColumns:
        """Make columns of keys; a single number is the period of all keys."""
        periods: NDArray[np.uint16] = (
            np.full(len(key_data), rolling_period, "uint16")
            if isinstance(rolling_period, int)
            else rolling_period
        )
        return cls(key_data, rolling_start, periods)
