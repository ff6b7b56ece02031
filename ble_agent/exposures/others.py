"""Findings in what earlier apps recorded by other protocols: minutes by day, of unknown strength.

Bluezone's app called anyone a case who had received a single packet. Here the minutes of a day are
counted, over all people of the list together, and a day counts as an exposure from 15 minutes on.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ble_agent.exposures.check_fault import bluezone_fault
from ble_agent.exposures.exposure_day import FoundDay
from ble_agent.exposures.local_days import Dates
from ble_agent.store.database import additions
from ble_agent.store.state import BLUEZONE_LIST
from tracing_core.configuration.env2 import NO_LEVEL
from tracing_core.protocol.bluezone import BLUEZONE
from tracing_core.store.database import Database
from tracing_core.store.other_sighting import count_other_sightings
from tracing_core.trust.signed_config import SignedConfig

__all__ = [
    "LEAST_MINUTES",
    "UNKNOWN_LEVEL",
    "OtherDay",
    "OtherFindings",
    "days_together",
    "other_findings",
]

LEAST_MINUTES = 15
"""The fewest minutes in a day that count as an exposure: a close contact by the definition that
the World Health Organization and most authorities used."""

UNKNOWN_LEVEL = "unknown"
"""The level of a day that counts, in place of an authority's name for the risk."""


@dataclass(frozen=True, slots=True)
class OtherDay:
    """What was recorded on one UTC day of people on a list."""

    date: datetime.date
    minutes: int
    """At least 1."""
    owner_dates: Dates
    """The days that the owner reads: one, or the two that the UTC day lies in."""

    @property
    def counts(self) -> bool:
        """Whether it counts as an exposure."""
        return self.minutes >= LEAST_MINUTES

    @property
    def level(self) -> str:
        """``unknown`` if it counts, else ``none``."""
        return UNKNOWN_LEVEL if self.counts else NO_LEVEL

    def to_json(self) -> dict[str, Any]:
        """Return the day as commands print it; programs read the UTC day."""
        return {"date": self.date.isoformat(), "minutes": self.minutes, "counts": self.counts}


@dataclass(frozen=True, slots=True)
class OtherFindings:
    """What was found in the sightings of other protocols."""

    days: Sequence[OtherDay] = ()
    """By date; empty if nothing was found."""
    sightings: Mapping[str, int] = field(default_factory=dict)
    """Number of sightings by protocol; a protocol without any is missing."""
    has_list: bool = False
    """Whether the authority publishes a list of Bluezone keys."""
    is_compared: bool = False
    """Whether all that Bluezone recorded was compared with the whole of the present list."""
    fault: str | None = None
    """Why the list could not be used, or not whole, for the owner; None without a fault."""

    @property
    def counts(self) -> bool:
        """Whether any day counts as an exposure."""
        return any(day.counts for day in self.days)

    @property
    def uncompared(self) -> Sequence[str]:
        """The protocols of which sightings are left that were compared with no list."""
        return [name for name in self.sightings if not (name == BLUEZONE.name and self.is_compared)]

    def to_json(self) -> list[dict[str, Any]]:
        """Return an object per protocol of which there is anything, as commands print it."""
        held = dict.fromkeys([BLUEZONE.name] if self.days else [], 0) | dict(self.sightings)
        return [
            {
                "protocol": name,
                "sightings": count,
                "compared": name not in self.uncompared,
                "strength": UNKNOWN_LEVEL,
                "days": [day.to_json() for day in self.days] if name == BLUEZONE.name else [],
            }
            for name, count in sorted(held.items())
        ]


def other_findings(db: Database, config: SignedConfig | None, language: str) -> OtherFindings:
    """Return what the last checks found.

    Parameters
    ----------
    db
        The agent's database.
    config
        What the authority signed; None for no authority.
    language
        Language of the fault.
    """
    known = BLUEZONE_LIST.get(db)
    promised = None if config is None else config.bluezone_list
    fault = None if promised is None else bluezone_fault(db, language)
    is_present = (
        known is not None
        and promised is not None
        and known["sequence"] >= promised
        and known["additions"] == additions(db)
    )
    days = {} if known is None else known["days"]
    return OtherFindings(
        tuple(
            OtherDay(
                datetime.date.fromisoformat(date),
                day["minutes"],
                tuple(map(datetime.date.fromisoformat, sorted(day["local_dates"]))),
            )
            for date, day in sorted(days.items())
        ),
        count_other_sightings(db),
        has_list=promised is not None,
        is_compared=is_present and fault is None,
        fault=fault,
    )


@dataclass(frozen=True, slots=True)
class _Together:
    date: datetime.date
    level: str
    minutes: int
    owner_dates: Dates


def days_together(days: Iterable[FoundDay], others: Iterable[OtherDay]) -> Sequence[FoundDay]:
    """Return each UTC day once, so that an owner is notified of it once and sees each change.

    The level of the key files stands where it counts. The minutes are added, since each is only
    compared with what the owner saw before.
    """
    found = {day.date: day for day in days}
    for other in others:
        day = found.get(other.date)
        if day is None:
            found[other.date] = other
            continue
        level = other.level if day.level == NO_LEVEL else day.level
        dates = tuple(sorted({*day.owner_dates, *other.owner_dates}))
        found[other.date] = _Together(day.date, level, day.minutes + other.minutes, dates)
    return [found[date] for date in sorted(found)]
