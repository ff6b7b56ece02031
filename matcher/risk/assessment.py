"""The assessment of a log's matches by a risk model."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from matcher.definition import KeyMatch
from matcher.risk.model import Assessment, RiskModel, RiskParameters
from matcher.risk.models import load_model
from matcher.risk.windows import exposure_windows

__all__ = ["assess"]


def assess(
    matches: Iterable[KeyMatch],
    configuration: RiskParameters,
    today: int,
    *,
    model: RiskModel[Any] | None = None,
    in_order: bool = False,
) -> Assessment:
    """Weigh matches by a configuration.

    Parameters
    ----------
    configuration
        The parameters of the model.
    today
        The UTC day, in days since the Unix epoch, that ages are counted back from.
    model
        The risk model; None for the daily summaries of the protocol, version 2.
    in_order
        Keep the windows in the order of keys and time, for research, instead of shuffling them.
    """
    windows = [window for match in matches for window in exposure_windows(match, configuration)]
    if not in_order:
        random.SystemRandom().shuffle(windows)
    return (model or load_model()).assess(windows, configuration, today)
