"""What all matches together mean to the owner of the log."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

from matcher.definition import KeyMatch
from matcher.risk.models.env2.classification import gravest
from matcher.risk.models.env2.daily_summaries import DailySummary, daily_summaries
from matcher.risk.windows import exposure_windows
from tracing_core.configuration.env2 import ExposureConfiguration
from tracing_core.protocol.exposure_window import ExposureWindow

__all__ = ["Assessment", "assess"]


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a device may tell: days and strengths, no keys and no times of day."""

    windows: tuple[ExposureWindow, ...]
    """Every window, shuffled unless asked otherwise, so that none tells which key it is of."""
    daily_summaries: tuple[DailySummary, ...]
    """One for each UTC day that counts, by date."""
    level: str
    """The gravest level of any day; ``none`` if no day meets a classification."""
    score: float
    """The greatest sum of scores of any day, in weighted seconds; 0 without a day."""


def assess(
    matches: Iterable[KeyMatch],
    configuration: ExposureConfiguration,
    today: int,
    *,
    in_order: bool = False,
) -> Assessment:
    """Weigh matches by a configuration.

    Parameters
    ----------
    today
        The UTC day, in days since the Unix epoch, that the age of exposures is counted from.
    in_order
        Leave the windows in the order of keys and time, for research, instead of shuffling them.
    """
    windows = [window for match in matches for window in exposure_windows(match, configuration)]
    days = daily_summaries(windows, configuration, today)
    if not in_order:
        random.SystemRandom().shuffle(windows)
    return Assessment(
        windows=tuple(windows),
        daily_summaries=tuple(days),
        level=gravest([day.level for day in days], configuration.classifications),
        score=max((day.total.score_sum for day in days), default=0.0),
    )
