"""Local days: the days of the owner's calendar on which an exposure's signals were heard.

The protocol cuts days at midnight UTC, and its rules weigh each such day by itself. The owner reads
the days of this device's time zone, taken from the times in its own log.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from matcher import KeyMatch
from tracing_core.clock import local_date
from tracing_core.protocol.interval import utc_day

__all__ = ["Dates", "local_date", "local_dates", "shared_dates"]

Dates = tuple[datetime.date, ...]
"""Local days in order: one, or the two that a UTC day lies in."""


def local_dates(matches: Iterable[KeyMatch]) -> Mapping[int, Dates]:
    """Return the local days of the sightings, by UTC day since the Unix epoch."""
    found: defaultdict[int, set[datetime.date]] = defaultdict(set)
    for match in matches:
        for sighting in match.sightings:
            found[utc_day(sighting.seen_at)].add(local_date(sighting.seen_at))
    return {day: tuple(sorted(dates)) for day, dates in found.items()}


def shared_dates(days: Sequence[Dates]) -> bool:
    """Return whether one local day lies in two UTC days with an exposure."""
    return len({date for dates in days for date in dates}) < sum(map(len, days))
