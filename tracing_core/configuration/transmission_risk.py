"""Transmission risk level of a key, by the days from the onset of symptoms to its use.

The table is that of the Corona-Warn-App (cwa-app-android, commit 03b88306,
TransmissionRiskVectorDeterminer.kt). Levels are 1 to 8; a row has the level of today's key, then
those of the 14 days before.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

__all__ = ["ROW_DAYS", "OnsetAnswer", "transmission_risk", "transmission_risks"]

ROW_DAYS = 15
"""Keys of a row: today's, and those of the 14 days before."""

_LOWEST = 1
# All rows of the table for a known day are this one, moved by a day each.
_FIRST_DAY = -5
_LEVELS = (2, 4, 6, 7, 8, 8, 8, 6, 5, 3, 2, 2)


class OnsetAnswer(enum.Enum):
    """What a person can say about the onset of symptoms without naming the day."""

    LAST_WEEK = "last_week"
    """In the last 7 days."""
    WEEK_BEFORE = "week_before"
    """One to two weeks ago."""
    EARLIER = "earlier"
    """More than two weeks ago."""
    UNKNOWN_DAY = "unknown_day"
    """There are symptoms, and the day is unknown."""
    NO_SYMPTOMS = "no_symptoms"
    NOT_SAID = "not_said"


_ROWS: Mapping[OnsetAnswer, tuple[int, ...]] = {
    OnsetAnswer.LAST_WEEK: (4, 5, 6, 7, 7, 7, 6, 5, 4, 3, 2, 1, 1, 1, 1),
    OnsetAnswer.WEEK_BEFORE: (1, 1, 1, 1, 2, 3, 4, 5, 6, 6, 7, 7, 6, 6, 4),
    OnsetAnswer.EARLIER: (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 4, 5),
    OnsetAnswer.UNKNOWN_DAY: (5, 6, 8, 8, 8, 7, 5, 3, 2, 1, 1, 1, 1, 1, 1),
    OnsetAnswer.NO_SYMPTOMS: (4, 4, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
    OnsetAnswer.NOT_SAID: (5, 6, 7, 7, 7, 6, 4, 3, 2, 1, 1, 1, 1, 1, 1),
}


def transmission_risk(days_since_onset: int) -> int:
    """Return the level of a key by the days from the onset to its day; negative before the onset.

    >>> [transmission_risk(day) for day in (-6, -5, 0, 2, 7)]
    [1, 2, 8, 6, 1]
    """
    place = days_since_onset - _FIRST_DAY
    return _LEVELS[place] if 0 <= place < len(_LEVELS) else _LOWEST


def transmission_risks(onset: int | OnsetAnswer) -> tuple[int, ...]:
    """Return a row of the table.

    Parameters
    ----------
    onset
        How many days ago symptoms began, 0 or more, or what else is known.
    """
    if isinstance(onset, OnsetAnswer):
        return _ROWS[onset]
    return tuple(transmission_risk(onset - days_ago) for days_ago in range(ROW_DAYS))
