"""What the device knows and what works, read at one moment: for `status` and the owner's page."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ble_agent.air.heard_days import heard_by_day, local_day, utc_day_of
from ble_agent.app.probes import LEAST_FREE_BYTES, Facts, Probe, probes
from ble_agent.config import AgentConfig
from ble_agent.exposures.check import assess_stored
from ble_agent.exposures.exposure_day import ExposureDay, FoundDay, counting_dates
from ble_agent.exposures.matched_keys import matched_keys
from ble_agent.exposures.others import OtherFindings, days_together, other_findings
from ble_agent.exposures.seen import has_unseen
from ble_agent.messages.explanation import explain
from ble_agent.messages.refusals import not_possible
from ble_agent.owner.areas import KnownAreas, known_areas
from ble_agent.owner.health.known import Health
from ble_agent.store.damage import DATABASE_NAME
from ble_agent.store.database import additions, has_database
from ble_agent.store.kept_aside import drop_kept
from ble_agent.store.own_sightings import own_sightings, unreadable_fault
from ble_agent.store.recovery import open_recovered
from ble_agent.store.state import DAMAGE, MEMBERSHIP, DamageState
from ble_agent.store.tables import AGENT_TABLES
from matcher import SightingIndex
from tracing_core.clock import Clock, local_date
from tracing_core.errors import SchemaMismatch, StoreDamaged, StoreError
from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.protocol.interval import utc_day
from tracing_core.protocol.rolling_proximity_identifier import derive_rpis
from tracing_core.protocol.temporary_exposure_key import derive_rpik
from tracing_core.store.database import Database
from tracing_core.store.left_out import LeftOut
from tracing_core.store.sighting import SIGHTING_TABLE
from tracing_core.store.sqlite import database_errors, open_readonly, path_of

__all__ = ["Counts", "Situation", "opened_to_read"]

# A statement has at most 32,766 values.
_MOST_KEYS = 200

Counts = Mapping[datetime.date, int]
"""Different identifiers heard, by day."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What was found, what works and what does not, at one moment."""

    facts: Facts
    exposures: Sequence[ExposureDay]
    """What was found, by date; empty if nothing was recorded."""
    other: OtherFindings
    """What was found in the recordings of earlier apps."""
    has_unseen: bool
    """Whether an exposure is new to the owner."""
    damage: DamageState | None
    """What was lost when the database was damaged; None if it never was."""
    keys: int
    """Number of this device's own keys."""
    heard_here: Counts
    """Different identifiers by local day."""
    heard: Counts | None
    """The same by UTC day; None unless asked for, since counting takes time."""
    areas: KnownAreas
    """What is known of the areas, and of the owner's own."""
    health: Health
    """The owner's diary, and the isolation clock."""
    kept_rows: int = 0
    """Number of rows that an update set aside, since no table of this version takes them."""
    probes: Sequence[Probe] = ()
    """What works and what does not."""

    @classmethod
    def read(
        cls,
        config: AgentConfig,
        clock: Clock,
        *,
        least_free_bytes: int = LEAST_FREE_BYTES,
        by_utc: bool = False,
    ) -> Situation:
        """Read the database and try each part of the agent.

        Parameters
        ----------
        config
            The agent's settings.
        clock
            The agent's clock.
        least_free_bytes
            Free space below which the disk counts as full.
        by_utc
            Whether to count what was heard by UTC day too.

        Raises
        ------
        NotPossible
            When there is no agent in the home folder (``no_home``).
        StoreError
            When its database cannot be read.
        """
        with opened_to_read(config.home, clock.now()) as db:
            known = cls._read(db, clock, config.lang, by_utc=by_utc)
        found = tuple(probes(config, known.facts, clock, least_free_bytes))
        return replace(known, probes=found)

    @property
    def found_days(self) -> Sequence[FoundDay]:
        """Each UTC day once, whatever it was found in."""
        return days_together(self.exposures, self.other.days)

    @property
    def is_well(self) -> bool:
        """Whether every probe went well."""
        return all(probe.ok for probe in self.probes)

    @property
    def needs_owner(self) -> bool:
        """Whether an exposure is new to the owner, a probe failed or a question is open."""
        last_day = self.facts.last_day
        return self.has_unseen or not self.is_well or (last_day is not None and last_day.is_open)

    def works(self, name: str) -> bool:
        """Return whether a probe was made and went well."""
        return any(probe.name == name and probe.ok for probe in self.probes)

    @classmethod
    def _read(cls, db: Database, clock: Clock, language: str, *, by_utc: bool) -> Situation:
        facts = Facts.read(db, language, clock.now())
        left_out = LeftOut()
        exposures = _exposures(db, facts, clock, left_out)
        config = None if facts.membership is None else facts.membership.config
        other = other_findings(db, config, language)
        found = days_together(exposures, other.days)
        fault = unreadable_fault(left_out)
        if facts.check_fault is None and fault is not None:
            facts = replace(facts, check_fault=explain(fault, language))
        return cls(
            facts,
            exposures,
            other,
            has_unseen(db, found),
            DAMAGE.get(db),
            db.table("own_key").count,
            heard_by_day(db, local_day, clock.now()),
            heard_by_day(db, utc_day_of, clock.now()) if by_utc else None,
            known_areas(db),
            Health.read(db, facts.membership, counting_dates(found), local_date(clock.now())),
            db.table("kept_row").count,
        )


@dataclass(frozen=True, slots=True)
class _Assessed:
    """What was found when the database was in some state."""

    state: Sequence[Any]
    days: Sequence[ExposureDay]
    left_out: LeftOut


# The page shows it again and again, and finding the sightings means to go through the whole log.
_last: list[_Assessed] = []


def _exposures(
    db: Database, facts: Facts, clock: Clock, left_out: LeftOut
) -> Sequence[ExposureDay]:
    # Most devices never match a key, and their log need not be read.
    keys = matched_keys(db)
    if facts.membership is None or not keys:
        return ()
    state = _state(db, keys, clock)
    known = next((each for each in _last if each.state == state), None)
    if known is None:
        found = LeftOut()
        sightings = SightingIndex(own_sightings(db, found, _identifiers(keys)))
        known = _Assessed(state, assess_stored(db, sightings, facts.membership, clock)[0], found)
        _last[:] = [known]
    left_out.add(known.left_out)
    return known.days


def _state(db: Database, keys: Sequence[DiagnosisKey], clock: Clock) -> Sequence[Any]:
    """Return all that the assessment depends on; rows are only added, and leave when too old."""
    newest = db.conn.execute("SELECT max(id) FROM sighting").fetchone()[0]
    return (
        *(path_of(db), keys, MEMBERSHIP.get(db), DAMAGE.get(db)),
        *(additions(db), newest, utc_day(clock.now())),
    )


def _identifiers(keys: Sequence[DiagnosisKey]) -> Sequence[bytes] | None:
    """Return the identifiers of keys; None if there are so many that all rows are to be read."""
    if len(keys) > _MOST_KEYS:
        return None
    return [
        rpi
        for key in keys
        for rpi in derive_rpis(
            derive_rpik(key.key_data), key.rolling_start_interval_number, key.rolling_period
        )
    ]


@contextlib.contextmanager
def opened_to_read(home: Path, now: float) -> Iterator[Database]:
    """Open the database, read-only if the disk cannot be written to.

    Raises
    ------
    NotPossible
        When there is no agent in the home folder (``no_home``).
    StoreError
        When it cannot be read.
    """
    path = home / DATABASE_NAME
    if not has_database(home):
        raise not_possible("no_home")
    with contextlib.ExitStack() as stack:
        try:
            db = stack.enter_context(open_recovered(home, now))
            drop_kept(home, now)
        except (SchemaMismatch, StoreDamaged):
            raise
        except StoreError:
            # On a read-only disk, SQLite only reports that it cannot open the file.
            db = open_readonly(path, [SIGHTING_TABLE, AGENT_TABLES])
            stack.callback(db.conn.close)
        with database_errors(path):
            yield db
