"""Status of the agent: what works, item by item, for the device's owner and for programs."""

from __future__ import annotations

import contextlib
import datetime
import errno
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ble_agent.air.clock_watch import CLOCK_TOLERANCE_SECONDS, EARLIEST_SECONDS
from ble_agent.app.outcome import Outcome
from ble_agent.app.pinned import pinned_lines
from ble_agent.authority.membership import Membership, find_membership
from ble_agent.config import AgentConfig
from ble_agent.exposures.weighing import choose_weighing
from ble_agent.messages.catalogue import say
from ble_agent.messages.language import date_text, size_text
from ble_agent.messages.refusals import not_possible
from ble_agent.store.database import DATABASE_NAME, has_database, open_store
from ble_agent.store.home import is_running
from ble_agent.store.state import LAST_CHECK, RADIO, SCAN
from ble_agent.store.tables import AGENT_TABLES
from tracing_core.clock import Clock
from tracing_core.errors import SchemaMismatch, StoreError
from tracing_core.store.database import Database
from tracing_core.store.sighting import SIGHTING_TABLE
from tracing_core.store.sqlite import database_errors, open_readonly

__all__ = ["LEAST_FREE_BYTES", "Probe", "status"]

# Some radios scan only between two identifiers, up to 20 minutes apart.
_LATE_SCAN_SECONDS = 1_500
_LATE_CHECK_SECONDS = 3_600
_PROBE_BYTES = 64 << 10

LEAST_FREE_BYTES = 32 << 20
"""The database after two weeks in a crowd, and a second copy while it is rewritten."""


@dataclass(frozen=True, slots=True)
class Probe:
    """The result of checking one part of the agent."""

    name: str
    """``joined``, ``running``, ``radio``, ``scan``, ``check``, ``disk`` or ``clock``."""
    ok: bool
    text: str
    """For the owner, with what to do if something is wrong."""

    def to_json(self) -> dict[str, Any]:
        """Return the result as the command prints it."""
        return {"name": self.name, "ok": self.ok, "text": self.text}


@dataclass(frozen=True, slots=True)
class _Known:
    """The part of the status that the database holds."""

    membership: Membership | None
    scan: Mapping[str, Any]
    last_check: Mapping[str, Any]
    radio: Mapping[str, Any]
    keys: int
    heard: Mapping[datetime.date, int]

    @classmethod
    def read(cls, db: Database) -> _Known:
        rows = db.conn.execute(
            "SELECT seen_at / 86400, count(DISTINCT rpi) FROM sighting GROUP BY 1 ORDER BY 1"
        )
        epoch = datetime.date(1970, 1, 1)
        return cls(
            find_membership(db),
            SCAN.get(db) or {},
            LAST_CHECK.get(db) or {},
            RADIO.get(db) or {},
            db.table("own_key").count,
            {epoch + datetime.timedelta(days=day): count for day, count in rows},
        )


@contextlib.contextmanager
def _opened(home: Path) -> Iterator[Database]:
    """Open the database, read-only if the disk cannot be written to."""
    path = home / DATABASE_NAME
    if not has_database(home):
        raise not_possible("no_home")
    with contextlib.ExitStack() as stack:
        try:
            db = stack.enter_context(open_store(home))
        except SchemaMismatch:
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
    """Return what works and what does not.

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
    with _opened(config.home) as db:
        known = _Known.read(db)
    probes = list(_probes(config, known, clock, least_free_bytes))
    by_name = {probe.name: probe.ok for probe in probes}
    membership = known.membership
    facts = {
        "ok": all(probe.ok for probe in probes),
        "checks": [probe.to_json() for probe in probes],
        "joined": membership is not None,
        "region": membership.region if membership else None,
        "url": membership.url if membership else None,
        "joined_by": membership.joined_by if membership else None,
        "running": by_name["running"],
        "last_scan_minutes_ago": _minutes_ago(clock, known.scan.get("at")),
        "last_check_minutes_ago": _minutes_ago(clock, known.last_check.get("at")),
        "level": known.last_check.get("level"),
        "keys": known.keys,
        "identifiers_by_day": {day.isoformat(): count for day, count in known.heard.items()},
        "clock_suspect": not by_name["clock"],
        "dropped_samples": known.scan.get("dropped_samples", 0),
    }
    return Outcome(facts, "\n".join(_lines(probes, known, config.lang)))


def _minutes_ago(clock: Clock, moment: int | None) -> int | None:
    return None if moment is None else max(0, int(clock.now() - moment) // 60)


def _lines(probes: list[Probe], known: _Known, language: str) -> Iterator[str]:
    for probe in probes:
        yield f"{'✔' if probe.ok else '✘'} {probe.text}"
    yield from pinned_lines(known.membership, language)
    note = known.membership and choose_weighing(known.membership.config).note(language)
    if note:
        yield note
    yield say("status_keys", language, count=known.keys)
    for day, count in known.heard.items():
        yield say("status_heard", language, date=date_text(day, language), count=count)
    if known.scan.get("dropped_samples"):
        yield say("status_dropped", language, count=known.scan["dropped_samples"])


def _probes(
    config: AgentConfig, known: _Known, clock: Clock, least_free_bytes: int
) -> Iterator[Probe]:
    language = config.lang
    membership = known.membership
    if membership is None:
        yield Probe("joined", False, say("status_not_joined", language))
    else:
        place = {"region": membership.region, "url": membership.url}
        yield Probe("joined", True, say("status_joined", language, **place))
    runs = is_running(config.home)
    yield Probe("running", runs, say("status_running" if runs else "status_not_running", language))
    yield _radio(known.radio, language)
    yield _recent("scan", known.scan.get("at"), _LATE_SCAN_SECONDS, clock, language)
    interval = 0 if membership is None else membership.config.check_interval_seconds
    latest = 2 * interval + _LATE_CHECK_SECONDS
    yield _recent("check", known.last_check.get("at"), latest, clock, language)
    yield _disk(config.home, least_free_bytes, language)
    yield _clock(known.scan, clock, language)


def _radio(radio: Mapping[str, Any], language: str) -> Probe:
    if not radio:
        return Probe("radio", False, say("status_radio_unknown", language))
    if radio["fault"] is None:
        return Probe("radio", True, say("status_radio", language, radio=radio["name"]))
    # The line in the log gave more detail; the advice is the same.
    return Probe("radio", False, say(f"error_{radio['fault']}", language))


def _recent(name: str, moment: int | None, latest: int, clock: Clock, language: str) -> Probe:
    minutes = _minutes_ago(clock, moment)
    if minutes is None:
        return Probe(name, False, say(f"status_never_{name}", language))
    text = say(f"status_last_{name}", language, ago=_ago(minutes, language))
    return Probe(name, 60 * minutes <= latest, text)


def _ago(minutes: int, language: str) -> str:
    if minutes == 0:
        return say("ago_now", language)
    if minutes < 120:
        return say("ago_minutes", language, count=minutes)
    if minutes < 48 * 60:
        return say("ago_hours", language, count=minutes // 60)
    return say("ago_days", language, count=minutes // (24 * 60))


def _disk(home: Path, least_free_bytes: int, language: str) -> Probe:
    """Test the disk by writing to it, since a worn-out card refuses only writes."""
    probe = home / f".probe-{secrets.token_hex(4)}"
    try:
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            written = os.write(descriptor, bytes(_PROBE_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
            probe.unlink(missing_ok=True)
        space = os.statvfs(home)
        free = space.f_bavail * space.f_frsize
    except OSError as error:
        name = "full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "failing"
        return Probe("disk", False, say(f"status_disk_{name}", language, free=size_text(0)))
    if written < _PROBE_BYTES or free < least_free_bytes:
        return Probe("disk", False, say("status_disk_full", language, free=size_text(free)))
    return Probe("disk", True, say("status_disk", language, free=size_text(free)))


def _clock(scan: Mapping[str, Any], clock: Clock, language: str) -> Probe:
    now = clock.now()
    if now < EARLIEST_SECONDS:
        return Probe("clock", False, say("status_clock_unset", language))
    if now < scan.get("clock", {}).get("latest", 0) - CLOCK_TOLERANCE_SECONDS:
        return Probe("clock", False, say("status_clock", language))
    return Probe("clock", True, say("status_clock_right", language))
