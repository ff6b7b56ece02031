"""From exposure windows to the level a person is told."""

from matcher.risk.assessment import Assessment, assess
from matcher.risk.configuration import load_configuration, preset_names
from matcher.risk.models.env2.daily_summaries import DailySummary, daily_summaries
from matcher.risk.models.env2.summary import ExposureSummary

__all__ = [
    "Assessment",
    "DailySummary",
    "ExposureSummary",
    "assess",
    "daily_summaries",
    "load_configuration",
    "preset_names",
]
