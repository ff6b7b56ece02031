"""Probes of the agent: the result of checking one part of it each."""

from __future__ import annotations

import datetime
import errno
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ble_agent.air.clock_watch import CLOCK_TOLERANCE_SECONDS, EARLIEST_SECONDS
from ble_agent.authority.membership import Membership, find_membership
from ble_agent.authority.report_progress import ReportProgress
from ble_agent.config import AgentConfig
from ble_agent.exposures.check_fault import bluezone_fault, check_fault
from ble_agent.exposures.freshness import freshness_fault
from ble_agent.exposures.local_days import local_date
from ble_agent.messages.catalogue import say
from ble_agent.messages.explanation import explain
from ble_agent.messages.language import date_text, size_text
from ble_agent.owner.last_day import LastDay
from ble_agent.store.home import is_running
from ble_agent.store.state import LAST_CHECK, NOTIFY_FAULT, RADIO, SCAN
from tracing_core.clock import Clock
from tracing_core.store.database import Database

__all__ = [
    "LEAST_FREE_BYTES",
    "Facts",
    "Probe",
    "ago_text",
    "minutes_ago",
    "probes",
    "strength_text",
]

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
    """``joined``, ``running``, ``radio``, ``scan``, ``strength``, ``check``, ``list``, ``report``,
    ``notify``, ``disk`` or ``clock``."""
    ok: bool
    """Whether it was checked and is well."""
    text: str
    """For the owner, with what to do if something is wrong."""

    def to_json(self) -> dict[str, Any]:
        """Return the result as the command prints it."""
        return {"name": self.name, "ok": self.ok, "text": self.text}


@dataclass(frozen=True, slots=True)
class Facts:
    """What the database holds for the probes."""

    membership: Membership | None
    scan: Mapping[str, Any]
    last_check: Mapping[str, Any]
    check_fault: str | None
    """Why the last check failed or was not complete, for the owner; None if it was well."""
    radio: Mapping[str, Any]
    notify_failed_at: int | None
    """When the owner's command failed last (UTC Unix seconds); None if it went well since."""
    report: ReportProgress
    last_day: LastDay | None = None
    """Until when this device takes part; None if it has not joined."""
    list_fault: str | None = None
    """Why the list of Bluezone keys could not be used, or not whole, for the owner; None without a
    fault, or without such a list."""

    @classmethod
    def read(cls, db: Database, language: str, now: float) -> Facts:
        """Return the facts at a moment (UTC Unix seconds), with texts in a language."""
        stale = freshness_fault(db)
        membership = find_membership(db)
        has_list = membership is not None and membership.config.bluezone_list is not None
        notify_fault = NOTIFY_FAULT.get(db)
        return cls(
            membership,
            SCAN.get(db) or {},
            LAST_CHECK.get(db) or {},
            check_fault(db, language) or (explain(stale, language) if stale else None),
            RADIO.get(db) or {},
            None if notify_fault is None else notify_fault["at"],
            ReportProgress.load(db),
            None if membership is None else LastDay.read(db, membership, now),
            bluezone_fault(db, language) if has_list else None,
        )


def probes(
    config: AgentConfig, known: Facts, clock: Clock, least_free_bytes: int
) -> Iterator[Probe]:
    """Check each part of the agent."""
    language = config.lang
    membership = known.membership
    if membership is None:
        yield Probe("joined", False, say("status_not_joined", language))
    else:
        place = {"region": membership.region, "url": membership.url}
        yield Probe("joined", True, say("status_joined", language, **place))
    runs = is_running(config.home)
    yield Probe("running", runs, say("status_running" if runs else "status_not_running", language))
    scan = _scan(known.scan, clock, language)
    yield _radio(known.radio, language, is_used=runs or scan.ok)
    yield scan
    if _lacks_strength(known.scan):
        yield Probe("strength", False, strength_text(known.scan, language))
    yield _check(known, clock, language)
    if known.list_fault is not None:
        yield Probe("list", False, say("status_list_fault", language, fault=known.list_fault))
    if known.report.is_unfinished(clock.now()):
        yield Probe("report", False, say("status_report_unfinished", language))
    if config.notify_command:
        yield from _notify(config, known, clock)
    yield _disk(config.home, least_free_bytes, language)
    yield _clock(known.scan, clock, language)


def minutes_ago(clock: Clock, moment: int | None) -> int | None:
    """Return how many whole minutes ago a moment was; None for None."""
    return None if moment is None else max(0, int(clock.now() - moment) // 60)


def ago_text(minutes: int, language: str) -> str:
    """Return how long ago something was, in a unit that fits."""
    if minutes == 0:
        return say("ago_now", language)
    if minutes < 120:
        return say("ago_minutes", language, count=minutes)
    if minutes < 48 * 60:
        return say("ago_hours", language, count=minutes // 60)
    return say("ago_days", language, count=minutes // (24 * 60))


def _radio(radio: Mapping[str, Any], language: str, *, is_used: bool) -> Probe:
    if not radio:
        return Probe("radio", False, say("status_radio_unknown", language))
    if radio["fault"] is not None:
        # The line in the log gave more detail; the advice is the same.
        return Probe("radio", False, say(f"error_{radio['fault']}", language))
    # What worked when the agent last ran may not work now.
    name = "status_radio" if is_used else "status_radio_unused"
    return Probe("radio", is_used, say(name, language, radio=radio["name"]))


def _scan(scan: Mapping[str, Any], clock: Clock, language: str) -> Probe:
    minutes = minutes_ago(clock, scan.get("at"))
    if minutes is None:
        return Probe("scan", False, say("status_never_scan", language))
    text = say("status_last_scan", language, ago=ago_text(minutes, language))
    return Probe("scan", 60 * minutes <= _LATE_SCAN_SECONDS, text)


def _lacks_strength(scan: Mapping[str, Any]) -> bool:
    """Return whether half of the signals or more had no strength; a few are usual."""
    signals = scan.get("signals")
    return signals is not None and 2 * signals["unmeasured"] >= signals["heard"]


def strength_text(scan: Mapping[str, Any], language: str) -> str:
    """Return the line about signals without a measured strength; "" if all had one."""
    signals = scan.get("signals")
    if not signals or not signals["unmeasured"]:
        return ""
    values = {"count": signals["unmeasured"], "total": signals["heard"]}
    date = date_text(datetime.date(1970, 1, 1) + datetime.timedelta(signals["day"]), language)
    name = "status_no_strength" if _lacks_strength(scan) else "status_some_strength"
    return say(name, language, date=date, **values)


def _check(known: Facts, clock: Clock, language: str) -> Probe:
    minutes = minutes_ago(clock, known.last_check.get("at"))
    if minutes is None:
        text = say("status_never_check", language)
    else:
        text = say("status_last_check", language, ago=ago_text(minutes, language))
    if known.check_fault is not None:
        text = say("status_check_fault", language, check=text, fault=known.check_fault)
        return Probe("check", False, text)
    interval = 0 if known.membership is None else known.membership.config.check_interval_seconds
    latest = 2 * interval + _LATE_CHECK_SECONDS
    return Probe("check", minutes is not None and 60 * minutes <= latest, text)


def _notify(config: AgentConfig, known: Facts, clock: Clock) -> Iterator[Probe]:
    """Yield a probe if the owner's command cannot work or has failed; else nothing was checked."""
    language = config.lang
    program = config.notify_command[0]
    if shutil.which(program) is None:
        text = say("status_notify_missing", language, program=program)
        yield Probe("notify", False, text)
        return
    minutes = minutes_ago(clock, known.notify_failed_at)
    if minutes is not None:
        text = say("status_notify_failed", language, ago=ago_text(minutes, language))
        yield Probe("notify", False, text)


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
    # Whether it is right cannot be known here, so the owner sees what it shows.
    time = f"{datetime.datetime.fromtimestamp(now, datetime.UTC).astimezone():%H:%M}"
    date = date_text(local_date(now), language)
    return Probe("clock", True, say("status_clock_right", language, time=time, date=date))
