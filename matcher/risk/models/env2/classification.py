"""Levels of days, by the classifications of Exposure Notifications Express."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matcher.risk.models.env2.summary import ExposureSummary
from tracing_core.configuration.env2 import NO_LEVEL, Classification
from tracing_core.protocol.diagnosis_key import ReportType

__all__ = ["level_of", "worst"]


def level_of(
    total: ExposureSummary,
    by_report_type: Mapping[ReportType, ExposureSummary],
    classifications: Sequence[Classification],
) -> str:
    """Return the name of the first classification that a day meets, else ``none``."""
    for classification in classifications:
        if _meets(classification, total, by_report_type):
            return classification.name
    return NO_LEVEL


def worst(levels: Sequence[str], classifications: Sequence[Classification]) -> str:
    """Return the worst of the levels of several days; ``none`` if there is no other."""
    return next((level.name for level in classifications if level.name in levels), NO_LEVEL)


def _meets(
    classification: Classification,
    total: ExposureSummary,
    by_report_type: Mapping[ReportType, ExposureSummary],
) -> bool:
    def sum_of(report_type: ReportType) -> float:
        return by_report_type[report_type].score_sum if report_type in by_report_type else 0.0

    pairs = (
        (classification.confirmed_test_per_day_sum_erv_seconds, sum_of(ReportType.CONFIRMED_TEST)),
        (
            classification.clinical_diagnosis_per_day_sum_erv_seconds,
            sum_of(ReportType.CONFIRMED_CLINICAL_DIAGNOSIS),
        ),
        (classification.self_report_per_day_sum_erv_seconds, sum_of(ReportType.SELF_REPORT)),
        (classification.recursive_per_day_sum_erv_seconds, sum_of(ReportType.RECURSIVE)),
        (classification.per_day_sum_erv_seconds, total.score_sum),
        (classification.per_day_max_erv_seconds, total.maximum_score),
        (classification.weighted_duration_at_attenuation_seconds, total.weighted_duration_sum),
    )
    return any(0 < threshold <= value for threshold, value in pairs)
