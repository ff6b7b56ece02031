"""Status of the agent: what was found, then what works, for the device's owner and for programs."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ble_agent.app.damage_note import damage_day, damage_note
from ble_agent.app.outcome import Outcome
from ble_agent.app.pinned import pinned_lines
from ble_agent.app.probes import (
    LEAST_FREE_BYTES,
    Facts,
    Probe,
    ago_text,
    minutes_ago,
    probes,
    strength_text,
)
from ble_agent.config import AgentConfig
from ble_agent.exposures.advice import exposure_lines
from ble_agent.exposures.check import ExposureDay, assess_stored
from ble_agent.exposures.local_days import local_date
from ble_agent.exposures.matched_keys import matched_keys
from ble_agent.exposures.seen import has_unseen, show_seen
from ble_agent.exposures.weighing import choose_weighing
from ble_agent.messages.catalogue import say
from ble_agent.messages.explanation import explain
from ble_agent.messages.language import date_text
from ble_agent.messages.refusals import not_possible
from ble_agent.store.damage import DATABASE_NAME
from ble_agent.store.database import has_database
from ble_agent.store.kept_aside import drop_kept
from ble_agent.store.own_sightings import own_sightings, unreadable_fault
from ble_agent.store.recovery import open_recovered
from ble_agent.store.state import DAMAGE, DamageState
from ble_agent.store.tables import AGENT_TABLES
from matcher import SightingIndex
from tracing_core.clock import Clock
from tracing_core.errors import SchemaMismatch, StoreDamaged, StoreError
from tracing_core.protocol.interval import utc_date
from tracing_core.store.database import Database
from tracing_core.store.left_out import LeftOut
from tracing_core.store.sighting import SIGHTING_TABLE
from tracing_core.store.sqlite import database_errors, open_readonly

__all__ = ["status"]

_Counts = Mapping[datetime.date, int]


@dataclass(frozen=True, slots=True)
class _Known:
    """The part of the status that the database holds."""

    facts: Facts
    exposures: Sequence[ExposureDay]
    has_unseen: bool
    damage: DamageState | None
    keys: int
    heard: _Counts
    """Different identifiers by UTC day."""
    heard_here: _Counts
    """The same by local day."""

    @classmethod
    def read(cls, db: Database, clock: Clock, language: str) -> _Known:
        facts = Facts.read(db, language)
        left_out = LeftOut()
        exposures = _exposures(db, facts, clock, left_out)
        fault = unreadable_fault(left_out)
        if facts.check_fault is None and fault is not None:
            facts = replace(facts, check_fault=explain(fault, language))
        return cls(
            facts,
            exposures,
            has_unseen(db, exposures),
            DAMAGE.get(db),
            db.table("own_key").count,
            _heard(db, "date(seen_at, 'unixepoch')"),
            _heard(db, "date(seen_at, 'unixepoch', 'localtime')"),
        )


def _exposures(
    db: Database, facts: Facts, clock: Clock, left_out: LeftOut
) -> Sequence[ExposureDay]:
    # Most devices never match a key, and their log need not be read.
    if facts.membership is None or not matched_keys(db):
        return ()
    sightings = SightingIndex(own_sightings(db, left_out))
    return assess_stored(db, sightings, facts.membership, clock)[0]


def _heard(db: Database, day: str) -> _Counts:
    rows = db.conn.execute(
        f"SELECT {day}, count(DISTINCT rpi) FROM sighting GROUP BY 1 ORDER BY 1"  # noqa: S608
    )
    return {datetime.date.fromisoformat(date): count for date, count in rows if date}


@contextlib.contextmanager
def _opened(home: Path, now: float) -> Iterator[Database]:
    """Open the database, read-only if the disk cannot be written to."""
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


def status(
    config: AgentConfig, clock: Clock, *, least_free_bytes: int = LEAST_FREE_BYTES
) -> Outcome:
    """Return what was found, what works and what does not.

    Parameters
    ----------
    config
        The agent's settings.
    clock
        The agent's clock.
    least_free_bytes
        Free space below which the disk counts as full.

    Raises
    ------
    NotPossible
        When there is no agent in the home folder (``no_home``).
    StoreError
        When its database cannot be read.
    """
    with _opened(config.home, clock.now()) as db:
        known = _Known.read(db, clock, config.lang)
    found = list(probes(config, known.facts, clock, least_free_bytes))
    by_name = {probe.name: probe.ok for probe in found}
    facts, membership = known.facts, known.facts.membership
    reported_at = facts.report.reported_at
    lines = [*_found(known, found, clock, config.lang), *_working(found, known, config.lang)]
    well = all(probe.ok for probe in found)
    values = {
        "days": [day.to_json() for day in known.exposures],
        "unseen": known.has_unseen,
        "reported_on": None if reported_at is None else utc_date(reported_at).isoformat(),
        "ok": well,
        "checks": [probe.to_json() for probe in found],
        "joined": membership is not None,
        "region": membership.region if membership else None,
        "url": membership.url if membership else None,
        "joined_by": membership.joined_by if membership else None,
        "running": by_name["running"],
        "last_scan_minutes_ago": minutes_ago(clock, facts.scan.get("at")),
        "last_check_minutes_ago": minutes_ago(clock, facts.last_check.get("at")),
        "level": facts.last_check.get("level"),
        "keys": known.keys,
        "identifiers_by_day": {day.isoformat(): count for day, count in known.heard.items()},
        "clock_suspect": not by_name["clock"],
        "unmeasured_signals": facts.scan.get("signals", {}).get("unmeasured", 0),
        "dropped_samples": facts.scan.get("dropped_samples", 0),
        "recordings_damaged_on": damage_day(known.damage),
    }
    return Outcome(
        values,
        "\n".join(lines),
        needs_owner=known.has_unseen or not well,
        on_seen=lambda: show_seen(config.home, known.exposures),
    )


def _found(known: _Known, found: list[Probe], clock: Clock, language: str) -> Iterator[str]:
    """Yield what concerns the owner, gravest first: exposures, then the owner's own report."""
    facts = known.facts
    if known.exposures and facts.membership is not None:
        yield from exposure_lines(known.exposures, facts.membership, language, gravest_first=True)
    reported_at = facts.report.reported_at
    if reported_at is not None:
        name = "status_reported" if facts.report.taken_back is None else "status_taken_back"
        yield say(name, language, date=date_text(local_date(reported_at), language))
    # Only a check that was complete and recent lets anyone say so.
    is_checked = any(probe.name == "check" and probe.ok for probe in found)
    if not known.exposures and is_checked:
        minutes = minutes_ago(clock, facts.last_check["at"]) or 0
        name = "status_nothing_found" if known.heard else "status_nothing_heard"
        yield say(name, language, ago=ago_text(minutes, language))
    if known.damage is not None:
        yield damage_note(known.damage, language, is_joined=facts.membership is not None)


def _working(found: list[Probe], known: _Known, language: str) -> Iterator[str]:
    for probe in found:
        yield f"{'✔' if probe.ok else '✘'} {probe.text}"
    facts = known.facts
    yield from pinned_lines(facts.membership, language)
    note = facts.membership and choose_weighing(facts.membership.config).note(language)
    if note:
        yield note
    yield say("status_keys", language, count=known.keys)
    if known.heard_here:
        yield say("status_heard", language)
    for day, count in known.heard_here.items():
        yield f"  {date_text(day, language)}: {count}"
    strength = strength_text(facts.scan, language)
    if strength and all(probe.name != "strength" for probe in found):
        yield strength
    if facts.scan.get("dropped_samples"):
        yield say("status_dropped", language, count=facts.scan["dropped_samples"])
