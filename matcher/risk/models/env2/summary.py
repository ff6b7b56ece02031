"""The summary of some windows of one day."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["ExposureSummary"]


@dataclass(frozen=True, slots=True)
class ExposureSummary:
    """Scores and durations of some windows of one day, in weighted seconds."""

    maximum_score: float
    """The greatest score of a window."""
    score_sum: float
    """The sum of the windows' scores."""
    weighted_duration_sum: float
    """The sum of the windows' durations, weighted by attenuation alone."""

    def to_json(self) -> dict[str, Any]:
        """Return the three figures by name."""
        return asdict(self)
