"""GAEN v2 daily summaries."""

from matcher.risk.models.env2.daily_summaries import DailySummary, daily_summaries
from matcher.risk.models.env2.summary import ExposureSummary

__all__ = ["DailySummary", "ExposureSummary", "daily_summaries"]
