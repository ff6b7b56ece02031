"""From the server's new key files to what the owner is told."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ble_agent.authority.client import ServerClient
from ble_agent.authority.membership import Membership, load_membership, refresh
from ble_agent.messages.catalogue import MESSAGES, date_text, say
from ble_agent.store.database import RETENTION_SECONDS, additions, forget
from ble_agent.store.state import LAST_CHECK
from matcher import KeyMatch, SightingIndex, assess, match_keys
from matcher.definition import is_matchable, revised
from tracing_core.clock import Clock
from tracing_core.configuration.env2 import NO_LEVEL
from tracing_core.errors import ExportFileError, ServerRefused, ServerUnreachable, TracingError
from tracing_core.export_file import ExportFile, read_export_bytes
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType, VariantOfConcern
from tracing_core.protocol.interval import utc_day
from tracing_core.store.database import Database
from tracing_core.store.sighting import select_sightings
from tracing_core.store.sqlite import transaction
from tracing_core.trust.documents import Contact

__all__ = [
    "CheckResult",
    "ExposureDay",
    "assess_stored",
    "check",
    "owner_text",
    "recall",
    "take_batch",
]

_EPOCH = datetime.date(1970, 1, 1)
_MAX_FILES_A_CHECK = 1_000
_COLUMNS = (
    "key_data, rolling_start, rolling_period, report_type, days_since_onset, transmission_risk,"
    " variant_of_concern"
)


@dataclass(frozen=True, slots=True)
class ExposureDay:
    """What was recorded on one UTC day."""

    date: datetime.date
    level: str
    """The authority's name for how grave it is, or ``none``."""
    score_seconds: float
    """Seconds weighted by nearness and infectiousness."""
    minutes: int
    """Minutes near, not weighted."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found: days and strengths, no keys and no times of day."""

    batches: int
    """How many key files were new."""
    days: tuple[ExposureDay, ...]
    """By date; empty if nothing was recorded."""
    level: str
    """The gravest level of any day; ``none`` if none was reached."""
    failure: TracingError | None = None
    """Why some key file could not be used, though the others were; or why there are none."""

    def to_json(self, text: str) -> dict[str, Any]:
        """Return the result as the command prints it, with the text for the owner."""
        days = [
            {
                "date": day.date.isoformat(),
                "level": day.level,
                "score_seconds": round(day.score_seconds, 1),
                "minutes": day.minutes,
            }
            for day in self.days
        ]
        return {
            "batches": self.batches,
            "recorded": bool(self.days),
            "days": days,
            "level": self.level,
            "text": text,
        }


def check(db: Database, client: ServerClient, clock: Clock) -> CheckResult:
    """Fetch what is new, match it, and weigh everything known.

    A key file is used once: that it was, and the keys in it that matched, are written together.

    Raises
    ------
    ServerError, TrustError
        When the server does not answer, or does not prove that it is the one joined.
    StoreError
        When the result cannot be written.
    """
    # Whoever adds old sightings meanwhile, or joins another server, lets it begin anew.
    added = additions(db)
    try:
        membership = _refreshed(db, client, load_membership(db), clock)
    finally:
        # By a clock that is hours or years off, nothing may be deleted.
        if client.confirms_clock:
            forget(db, clock.now())
    sightings = SightingIndex(select_sightings(db))
    names = client.index(membership.trust.region, membership.mirrors)
    _forget_batches(db, names, clock)
    done = {name for (name,) in db.conn.execute("SELECT name FROM batch")}
    new = [name for name in dict.fromkeys(names) if name not in done]
    public_keys = [key.public_key for key in membership.trust.export_keys]
    failure: TracingError | None = None
    count = 0
    for name in new[:_MAX_FILES_A_CHECK]:
        try:
            data = client.key_file(membership.trust.region, name, membership.mirrors)
            export = read_export_bytes(data, public_keys=public_keys, name=name)
        except (ExportFileError, ServerRefused) as error:
            # One bad file must not keep the others from the owner.
            failure = failure or error
            continue
        if not take_batch(db, name, export, sightings, clock, added=added):
            return check(db, client, clock)
        count += 1
    days, level = assess_stored(db, sightings, membership, clock)
    with transaction(db):
        is_current = additions(db) == added
        if is_current:
            LAST_CHECK.set(db, {"at": int(clock.now()), "level": level, "days": len(days)})
    if not is_current:
        return check(db, client, clock)
    return CheckResult(count, days, level, failure)


def recall(db: Database, clock: Clock, failure: TracingError) -> CheckResult:
    """Weigh what earlier checks found, because nothing new can be had."""
    sightings = SightingIndex(select_sightings(db))
    days, level = assess_stored(db, sightings, load_membership(db), clock)
    return CheckResult(0, days, level, failure)


def _refreshed(
    db: Database, client: ServerClient, membership: Membership, clock: Clock
) -> Membership:
    """Ask the server for newer documents; with mirrors, those at hand do while it is away."""
    try:
        return refresh(db, client, membership, clock.now())
    except ServerUnreachable:
        expires_at = membership.config.expires_at
        is_expired = expires_at is not None and clock.now() >= expires_at
        if is_expired or not membership.mirrors:
            raise
        return membership


def _forget_batches(db: Database, names: Iterable[str], clock: Clock) -> None:
    """Forget files that the index no longer lists and that were used long ago."""
    listed = set(names)
    oldest = utc_day(clock.now() - RETENTION_SECONDS) - 1
    with transaction(db):
        rows = db.conn.execute("SELECT name FROM batch WHERE done_on < ?", [oldest]).fetchall()
        db.conn.executemany(
            "DELETE FROM batch WHERE name = ?", [row for row in rows if row[0] not in listed]
        )


def take_batch(
    db: Database,
    name: str,
    export: ExportFile,
    sightings: SightingIndex,
    clock: Clock,
    *,
    added: int | None = None,
) -> bool:
    """Match one key file, and write down together that it was used and what it changed.

    Keys that matched before change their report type by the allowed transitions, once.

    Returns
    -------
    bool
        False if `additions` is no longer `added`, as it was before the sightings were read; then
        nothing is written. None does not look.
    """
    known = frozenset(_matched_keys(db))
    found = {match.key.key_data for match in match_keys(sightings, _first_records(export, known))}
    with transaction(db):
        if added is not None and additions(db) != added:
            return False
        done = db.conn.execute(
            "INSERT OR IGNORE INTO batch (name, done_on) VALUES (?, ?)",
            [name, utc_day(clock.now())],
        )
        # Another process may have been quicker, with this file or with one that came after it.
        if done.rowcount:
            _write_changes(db, export, found)
    return True


def _write_changes(db: Database, export: ExportFile, found: set[bytes]) -> None:
    standing = _matched_keys(db)
    changed = set()
    for record in _records(export):
        if record.key_data not in standing:
            if record.key_data in found:
                standing[record.key_data] = (record, False)
                changed.add(record.key_data)
            continue
        key, was_revised = standing[record.key_data]
        revision = None if was_revised else revised(key, record)
        if revision is not None:
            standing[record.key_data] = (revision, True)
            changed.add(record.key_data)
    for key_data in changed:
        key, was_revised = standing[key_data]
        _write_key(db, key, was_revised=was_revised)


def _first_records(export: ExportFile, known: frozenset[bytes]) -> Iterable[DiagnosisKey]:
    """Yield each key that is new here, as its first record has it.

    A key revoked at once is looked for too: only if it is remembered can no later file bring it
    back.
    """
    seen = set()
    for record in _records(export):
        if record.key_data not in known and record.key_data not in seen:
            seen.add(record.key_data)
            matchable = is_matchable(record)
            yield record if matchable else replace(record, report_type=ReportType.UNKNOWN)


def _records(export: ExportFile) -> Iterable[DiagnosisKey]:
    yield from export.keys
    yield from export.revised_keys


def _matched_keys(db: Database) -> dict[bytes, tuple[DiagnosisKey, bool]]:
    rows = db.conn.execute(f"SELECT {_COLUMNS}, revised FROM matched_key ORDER BY rowid")  # noqa: S608
    return {
        row[0]: (
            DiagnosisKey(
                row[0],
                row[1],
                row[2],
                ReportType(row[3]),
                days_since_onset_of_symptoms=row[4],
                transmission_risk_level=row[5],
                variant_of_concern=VariantOfConcern(row[6]),
            ),
            bool(row[7]),
        )
        for row in rows
    }


def _write_key(db: Database, key: DiagnosisKey, *, was_revised: bool) -> None:
    db.conn.execute(
        f"INSERT OR REPLACE INTO matched_key ({_COLUMNS}, revised)"  # noqa: S608
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            key.key_data,
            key.rolling_start_interval_number,
            key.rolling_period,
            key.report_type,
            key.days_since_onset_of_symptoms,
            key.transmission_risk_level,
            key.variant_of_concern,
            was_revised,
        ],
    )


def assess_stored(
    db: Database, sightings: SightingIndex, membership: Membership, clock: Clock
) -> tuple[tuple[ExposureDay, ...], str]:
    """Weigh the published keys that matched, by the authority's configuration.

    Returns
    -------
    tuple
        The days with an exposure, and the gravest level.
    """
    keys = [key for key, _ in _matched_keys(db).values()]
    matches: list[KeyMatch] = match_keys(sightings, keys)
    assessment = assess(matches, membership.config.risk, utc_day(clock.now()))
    days = tuple(
        ExposureDay(
            date=_EPOCH + datetime.timedelta(days=day.date),
            level=day.level,
            score_seconds=day.score,
            minutes=round(day.minutes),
        )
        for day in assessment.days
    )
    return days, assessment.level


def owner_text(result: CheckResult, membership: Membership, language: str) -> str:
    """Tell the owner in plain words what was recorded and what to do."""
    if not result.days:
        return say("nothing_recorded", language)
    contact = membership.config.contact.get(language)
    # What stays below the authority's threshold is told, since it was recorded, but alarms nobody.
    counts = result.level != NO_LEVEL
    lines = [say("recorded" if counts else "recorded_faint", language)]
    lines += [
        say(
            "recorded_day",
            language,
            date=date_text(day.date, language),
            minutes=day.minutes,
            level=_level_text(day.level, language),
        )
        for day in result.days
    ]
    if counts:
        advice = contact.advice if contact is not None else ""
        lines.append(say("what_to_do", language, advice=advice or say("default_advice", language)))
    if contact is not None:
        lines.append(say("contact", language, contact=_contact_line(contact)))
    return "\n".join(lines)


def _contact_line(contact: Contact) -> str:
    return ", ".join(filter(None, (contact.name, contact.phone, contact.url)))


def _level_text(level: str, language: str) -> str:
    """Return a level as the owner reads it; an authority may call its levels anything."""
    return say(f"level_{level}", language) if f"level_{level}" in MESSAGES else level
