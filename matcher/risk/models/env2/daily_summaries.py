"""GAEN v2 daily summaries, in seconds and without rounding, as on Android."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matcher.risk.models.env2.classification import level_of
from matcher.risk.models.env2.summary import ExposureSummary
from tracing_core.configuration.env2 import (
    SUMMARISED_REPORT_TYPES,
    DailySummariesConfig,
    ExposureConfiguration,
)
from tracing_core.protocol.diagnosis_key import ReportType
from tracing_core.protocol.exposure_window import ExposureWindow

__all__ = ["DailySummary", "daily_summaries", "windows_left_out"]


@dataclass(frozen=True, slots=True)
class DailySummary:
    """The exposure of one UTC day."""

    date: int
    """UTC day, in days since the Unix epoch."""
    level: str
    """The name of the first classification the day meets; ``none`` if it meets none."""
    duration_seconds: int
    """Seconds of all scans of the day's windows, not weighted."""
    total: ExposureSummary
    """Over all report types: the greatest of the maxima, the sums of the sums."""
    by_report_type: Mapping[ReportType, ExposureSummary]
    """The same for each report type that has a window."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields of the day in JSON, after ``date`` and ``level``."""
        return {
            "duration_seconds": self.duration_seconds,
            **self.total.to_json(),
            "report_types": {
                kind.name.lower(): summary.to_json()
                for kind, summary in self.by_report_type.items()
            },
        }

    def to_row(self) -> dict[str, Any]:
        """Return the fields of the day as columns of a table; the report types are a list there."""
        return {
            "duration_seconds": self.duration_seconds,
            **self.total.to_json(),
            "report_types": [
                {"report_type": kind.name.lower(), **summary.to_json()}
                for kind, summary in self.by_report_type.items()
            ],
        }


@dataclass(frozen=True, slots=True)
class _Scored:
    window: ExposureWindow
    duration_seconds: int
    weighted_duration: float
    score: float


def daily_summaries(
    windows: Iterable[ExposureWindow], configuration: ExposureConfiguration, today: int
) -> list[DailySummary]:
    """Return one summary per UTC day with a window that counts, by date.

    Parameters
    ----------
    today
        The UTC day, in days since the Unix epoch, from which
        `DailySummariesConfig.days_since_exposure_threshold` counts back.
    """
    config = configuration.daily_summaries
    days: dict[int, list[_Scored]] = {}
    for window in windows:
        scored = _scored(window, config)
        if _reason_against(scored, config, today) is None:
            days.setdefault(window.date, []).append(scored)
    return [_daily_summary(day, days[day], configuration) for day in sorted(days)]


def windows_left_out(
    windows: Iterable[ExposureWindow], configuration: ExposureConfiguration, today: int
) -> dict[str, int]:
    """Return how many windows count for no day, by reason, as `Assessment.left_out` names them."""
    config = configuration.daily_summaries
    reasons = (_reason_against(_scored(window, config), config, today) for window in windows)
    return dict(Counter(reason for reason in reasons if reason is not None))


def _reason_against(scored: _Scored, config: DailySummariesConfig, today: int) -> str | None:
    if scored.window.report_type not in SUMMARISED_REPORT_TYPES:
        return "report_type"
    if 0 < config.days_since_exposure_threshold < today - scored.window.date:
        return "too_old"
    # Not the other way round, as a score may be "not a number".
    return None if scored.score >= config.minimum_window_score else "too_weak"


def _scored(window: ExposureWindow, config: DailySummariesConfig) -> _Scored:
    # math.fsum is exact, so the shuffled order of windows cannot show in a last digit.
    weighted = math.fsum(
        scan.seconds_since_last_scan * _bucket_weight(scan.typical_attenuation_db, config)
        for scan in window.scan_instances
    )
    factor = config.report_type_weights.get(window.report_type, 0.0)
    factor *= config.infectiousness_weights.get(window.infectiousness, 0.0)
    duration = sum(scan.seconds_since_last_scan for scan in window.scan_instances)
    return _Scored(window, duration, weighted, weighted * factor)


def _bucket_weight(attenuation_db: int, config: DailySummariesConfig) -> float:
    bounds = zip(config.attenuation_thresholds_db, config.attenuation_bucket_weights, strict=False)
    for threshold, weight in bounds:
        if attenuation_db <= threshold:
            return weight
    return config.attenuation_bucket_weights[-1]


def _daily_summary(
    day: int, scored: Sequence[_Scored], configuration: ExposureConfiguration
) -> DailySummary:
    by_report_type = {
        report_type: _summary(of_type)
        for report_type in SUMMARISED_REPORT_TYPES
        if (of_type := [part for part in scored if part.window.report_type is report_type])
    }
    total = _summary(scored)
    return DailySummary(
        date=day,
        level=level_of(total, by_report_type, configuration.classifications),
        duration_seconds=sum(part.duration_seconds for part in scored),
        total=total,
        by_report_type=by_report_type,
    )


def _summary(scored: Sequence[_Scored]) -> ExposureSummary:
    return ExposureSummary(
        maximum_score=max(part.score for part in scored),
        score_sum=math.fsum(part.score for part in scored),
        weighted_duration_sum=math.fsum(part.weighted_duration for part in scored),
    )
