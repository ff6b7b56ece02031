"""Exposure of one day, found by the authority's key files."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from ble_agent.exposures.local_days import Dates
from tracing_core.configuration.env2 import NO_LEVEL

__all__ = ["ExposureDay", "FoundDay", "counting_dates"]


class FoundDay(Protocol):
    """A UTC day of which the owner is to learn, whatever it was found in."""

    @property
    def date(self) -> datetime.date:
        """The UTC day."""

    @property
    def level(self) -> str:
        """The authority's name for the risk, ``unknown``, or ``none`` if it does not count."""

    @property
    def minutes(self) -> int:
        """Minutes near, not weighted."""

    @property
    def owner_dates(self) -> Dates:
        """The days that the owner reads."""


@dataclass(frozen=True, slots=True)
class ExposureDay:
    """Exposures of one UTC day."""

    date: datetime.date
    level: str
    """The authority's name for the risk, or ``none``."""
    score_seconds: float
    """Seconds weighted by nearness and infectiousness."""
    minutes: int
    """Minutes near, not weighted."""
    local_dates: Dates = ()
    """The days of this device's time zone that the exposure was on; empty for the UTC day's."""

    @property
    def owner_dates(self) -> Dates:
        """The days that the owner reads: one, or the two that the UTC day lies in."""
        return self.local_dates or (self.date,)

    def to_json(self) -> dict[str, Any]:
        """Return the day as commands print it; programs read the UTC day."""
        return {
            "date": self.date.isoformat(),
            "level": self.level,
            "score_seconds": round(self.score_seconds, 1),
            "minutes": self.minutes,
        }


def counting_dates(days: Iterable[FoundDay]) -> set[datetime.date]:
    """Return the local days of the exposures that count."""
    return {date for day in days if day.level != NO_LEVEL for date in day.owner_dates}
