"""The assessment of a log's matches by a risk model."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from matcher.definition import KeyMatch
from matcher.risk.attenuation import Measurement
from matcher.risk.model import Assessment, RiskModel, RiskParameters
from matcher.risk.models import load_model
from matcher.risk.windows import exposure_windows

__all__ = ["assess"]


def assess(
    matches: Sequence[KeyMatch],
    configuration: RiskParameters,
    today: int,
    *,
    model: RiskModel[Any] | None = None,
    in_order: bool = False,
    measured: Sequence[Measurement] | None = None,
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
    measured
        What `measure` returns for each match; None to measure them here.
    """
    known = [None] * len(matches) if measured is None else [each.sightings for each in measured]
    windows = [
        window
        for match, sightings in zip(matches, known, strict=True)
        for window in exposure_windows(match, configuration, sightings)
    ]
    if not in_order:
        random.SystemRandom().shuffle(windows)
    return (model or load_model()).assess(windows, configuration, today)
