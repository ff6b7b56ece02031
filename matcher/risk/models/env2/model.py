"""The risk model of GAEN v2: daily summaries, and levels by Exposure Notifications Express."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matcher.risk.model import Assessment, DayAssessment
from matcher.risk.models.env2.classification import worst
from matcher.risk.models.env2.daily_summaries import daily_summaries, windows_left_out
from tracing_core.configuration.env2 import ExposureConfiguration
from tracing_core.errors import require
from tracing_core.protocol.exposure_window import ExposureWindow

__all__ = ["MODEL", "Env2"]


# A dataclass, so that a copy from another process is equal.
@dataclass(frozen=True, slots=True)
class Env2:
    """Daily summaries; scores are weighted seconds (`matcher.risk.model.RiskModel`)."""

    name = "env2"
    days_name = "daily_summaries"
    score_unit = "weighted minutes"

    def assess(
        self, windows: Sequence[ExposureWindow], parameters: ExposureConfiguration, today: int
    ) -> Assessment:
        """Weigh windows; the detail of each day is its `DailySummary`."""
        days = tuple(
            DayAssessment(
                date=summary.date,
                level=summary.level,
                score=summary.total.score_sum,
                minutes=summary.duration_seconds / 60,
                detail=summary,
            )
            for summary in daily_summaries(windows, parameters, today)
        )
        return Assessment(
            windows=tuple(windows),
            days=days,
            level=worst([day.level for day in days], parameters.classifications),
            score=max((day.score for day in days), default=0.0),
            # Scored again only for the note that says why no day counts.
            left_out={} if days else windows_left_out(windows, parameters, today),
        )

    def parameters(self, value: Any) -> ExposureConfiguration:
        """Read an `ExposureConfiguration` from its JSON form."""
        return ExposureConfiguration.from_json(value)

    def default_parameters(self) -> ExposureConfiguration:
        """Return `ExposureConfiguration.default`."""
        return ExposureConfiguration.default()

    def levels(self, parameters: ExposureConfiguration) -> tuple[str, ...]:
        """Return the names of the classifications, worst first."""
        return tuple(each.name for each in parameters.classifications)

    def score_text(self, score: float) -> str:
        """Return weighted seconds as minutes."""
        return f"{score / 60:.1f}"

    def table_columns(self) -> list[tuple[str, Any]]:
        """Return the columns of `DailySummary.to_row`."""
        arrow = require("pyarrow", extra="arrow")
        sums = [
            (name, arrow.float64())
            for name in ("maximum_score", "score_sum", "weighted_duration_sum")
        ]
        by_report_type = arrow.struct([("report_type", arrow.string()), *sums])
        return [
            ("duration_seconds", arrow.int64()),
            *sums,
            ("report_types", arrow.list_(by_report_type)),
        ]


MODEL = Env2()
"""The model, for the registry."""
