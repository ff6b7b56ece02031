"""Plan of a take-over: what each log would add. The press adds exactly this, or nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ble_agent.air.key_ring import KeyRing
from ble_agent.messages.refusals import not_possible
from ble_agent.owner.restoring import RestoreReport, add_all_data
from ble_agent.owner.take_over.copies import Candidate
from ble_agent.store.importers import ImportReport, add_source, open_source
from ble_agent.store.importers.all_data import AllData
from tracing_core.errors import InvalidLog, LogFault, StoreBusy, StoreError, StoreFull, TracingError
from tracing_core.store.database import Database
from tracing_core.store.sqlite import path_of, transaction

__all__ = ["PLAN_SECONDS", "Finding", "Plan", "plan", "take"]

PLAN_SECONDS = 600
"""How long a plan holds; then rows have become too old meanwhile."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One log, and what came of it: a report or a fault."""

    candidate: Candidate
    report: ImportReport | None
    """What it adds; None if it cannot be taken over."""
    fault: TracingError | None
    """Why it cannot be taken over; None otherwise."""

    @property
    def is_of_other_program(self) -> bool:
        """Whether it turned out to hold no log of any known format."""
        return isinstance(self.fault, InvalidLog) and self.fault.fault is LogFault.UNKNOWN

    def essence(self) -> tuple[object, ...]:
        """Return all that a plan and what is added must agree in."""
        if self.report is None:
            return (self.candidate.name, str(self.fault))
        counts = self.report.to_json()
        return (self.candidate.name, str(counts), self.report.digest.digest())


@dataclass(frozen=True, slots=True)
class Plan:
    """What a take-over would add, or has added."""

    findings: tuple[Finding, ...]
    made_at: float
    """UTC Unix seconds."""

    @property
    def kept(self) -> int:
        """Number of sightings that are added, of all protocols."""
        return sum(each.report.kept for each in self.findings if each.report is not None)

    @property
    def adds_anything(self) -> bool:
        """Whether anything is added, sightings or other data of a device of ours."""
        return any(each.report is not None and each.report.adds_anything for each in self.findings)

    @property
    def restores(self) -> bool:
        """Whether one of the logs is a file with all data of a device."""
        return any(isinstance(each.report, RestoreReport) for each in self.findings)

    @property
    def other_protocols(self) -> list[str]:
        """Names of the other protocols of which sightings are added, sorted."""
        return sorted(
            {
                name
                for each in self.findings
                if each.report is not None
                for name in each.report.other_protocols
            }
        )

    @property
    def is_of_own_protocol(self) -> bool:
        """Whether sightings are added that checks compare with published keys."""
        return any(
            each.report is not None and each.report.is_of_own_protocol for each in self.findings
        )


class _DryRun(Exception):
    pass


def plan(db: Database, candidates: Sequence[Candidate], now: float) -> Plan:
    """Return what logs would add together, and add nothing.

    Parameters
    ----------
    db
        The agent's database.
    candidates
        The logs, in the order in which they are added: of equal sightings the first is kept.
    now
        This device's time (UTC Unix seconds).

    Raises
    ------
    StoreError
        When the agent's database cannot be written. A fault of a log is in its finding.
    """
    ring = KeyRing(db)
    # Leaving the transaction by an exception undoes it.
    with contextlib.suppress(_DryRun), transaction(db):
        planned = Plan(tuple(_added(db, candidates, ring, now, {})), now)
        raise _DryRun
    return planned


def take(db: Database, planned: Plan, now: float) -> Plan:
    """Add what was planned, in one transaction: all of it, or nothing.

    Parameters
    ----------
    db
        The agent's database.
    planned
        What the owner saw. Its moment decides which rows are too old.
    now
        This device's time (UTC Unix seconds).

    Raises
    ------
    NotPossible
        When something else would be added by now (``take_over_changed``); nothing is added then.
    StoreError
        When the agent's database cannot be written; nothing is added then.
    """
    if not 0 <= now - planned.made_at <= PLAN_SECONDS:
        raise not_possible("take_over_changed")
    candidates = [each.candidate for each in planned.findings]
    ring = KeyRing(db)
    with transaction(db):
        taken = Plan(tuple(_added(db, candidates, ring, planned.made_at, None)), planned.made_at)
        if [each.essence() for each in taken.findings] != [
            each.essence() for each in planned.findings
        ]:
            raise not_possible("take_over_changed")
    return taken


def _added(
    db: Database,
    candidates: Sequence[Candidate],
    ring: KeyRing,
    now: float,
    trial_keys: dict[int, bytes] | None,
) -> Iterator[Finding]:
    """Add each log inside the caller's transaction; undo those that cannot be read to their end."""
    home = Path(path_of(db)).parent
    for candidate in candidates:
        db.conn.execute("SAVEPOINT one_log")
        try:
            with open_source(candidate.path, home) as source:
                if isinstance(source, AllData):
                    report: ImportReport = add_all_data(
                        db, source, ring, now, trial_keys=trial_keys
                    )
                else:
                    report = add_source(db, source, now)
            finding = Finding(candidate, report, None)
        except (StoreBusy, StoreFull):
            # These are of the home, where the copies lie too.
            raise
        except (InvalidLog, StoreError) as fault:
            db.conn.execute("ROLLBACK TO one_log")
            finding = Finding(candidate, None, fault)
        db.conn.execute("RELEASE one_log")
        yield finding
