"""Commands of `truyvet agent`, without their options and questions."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ble_agent.app.damage_note import damage_day, damage_note
from ble_agent.app.health.reported import report_outcome
from ble_agent.app.joining import join, join_origin, join_terms
from ble_agent.app.outcome import Outcome
from ble_agent.app.running import chosen_radio
from ble_agent.authority.ledger_notes import LOG, note
from ble_agent.authority.link import ServerLink
from ble_agent.authority.membership import end_of_use, load_membership
from ble_agent.authority.report import report as report_keys
from ble_agent.authority.report import reportable_keys
from ble_agent.authority.report_progress import ReportProgress
from ble_agent.config import AgentConfig
from ble_agent.exposures.advice import owner_text
from ble_agent.exposures.check import check as check_exposures
from ble_agent.exposures.check import recall
from ble_agent.exposures.check_fault import note_check
from ble_agent.exposures.local_days import local_date
from ble_agent.exposures.seen import has_unseen, show_seen
from ble_agent.messages.catalogue import say
from ble_agent.messages.explanation import explain
from ble_agent.messages.language import date_text, path_text
from ble_agent.messages.refusals import not_possible
from ble_agent.owner.health.known import note_reported, proposed_onsets
from ble_agent.owner.last_day import refuse_after_end
from ble_agent.owner.restoring import RestoreReport, is_restorable, restore
from ble_agent.radio.protocol import Finding
from ble_agent.store.database import has_database, make_home
from ble_agent.store.home import is_own_file
from ble_agent.store.importers import ImportReport
from ble_agent.store.importers import import_log as import_foreign_log
from ble_agent.store.own_sightings import other_sightings, own_sightings, unreadable_fault
from ble_agent.store.recovery import open_recovered
from ble_agent.store.state import DAMAGE
from tracing_core.clock import Clock
from tracing_core.errors import (
    RadioError,
    ServerUnreachable,
    StoreError,
    TracingError,
)
from tracing_core.protocol.interval import INTERVAL_SECONDS, interval_start
from tracing_core.store.database import Database
from tracing_core.store.left_out import LeftOut
from tracing_core.store.other_sighting import count_other_sightings, write_other_lines
from tracing_core.store.sighting import write_json_lines
from tracing_core.store.sqlite import transaction

__all__ = [
    "ReportPreview",
    "check",
    "export_log",
    "export_others",
    "import_log",
    "import_report",
    "join",
    "join_origin",
    "join_terms",
    "left_out_lines",
    "report",
    "report_preview",
    "restored_lines",
    "self_test",
]


@contextmanager
def _store(config: AgentConfig, clock: Clock) -> Iterator[Database]:
    if not has_database(config.home):
        raise not_possible("no_home")
    with open_recovered(config.home, clock.now()) as db:
        yield db


def check(config: AgentConfig, clock: Clock) -> Outcome:
    """Check for exposures; fail if any key file cannot be used, or if there is none."""
    link = ServerLink(config.home, clock, config.server)
    with _store(config, clock) as db:
        refuse_after_end(db, clock.now())
        with link.download_client(db, load_membership(db)) as client:
            try:
                result = check_exposures(db, client, clock)
            except TracingError as error:
                note_check(db, error)
                if not isinstance(error, ServerUnreachable):
                    raise
                # Earlier findings, of which the owner was notified, can still be read.
                result = recall(db, clock, error)
                if not result.found_days:
                    raise
            else:
                note_check(db, result.key_failure)
        text = owner_text(result, load_membership(db), config.lang)
        unseen = has_unseen(db, result.found_days)
        damage = DAMAGE.get(db)
    notes = [text, damage_note(damage, config.lang, is_joined=True)]
    if result.areas_fault is not None:
        notes.append(
            say("areas_fault", config.lang, fault=explain(result.areas_fault, config.lang))
        )
    return Outcome(
        {
            **result.to_json(text),
            "unseen": unseen,
            "recordings_damaged_on": damage_day(damage),
        },
        "\n".join(filter(None, notes)),
        result.failure,
        needs_owner=unseen,
        on_seen=lambda: show_seen(config.home, result.found_days),
    )


@dataclass(frozen=True, slots=True)
class ReportPreview:
    """What a report would send now."""

    days: tuple[datetime.date, ...]
    """The local days on which the keys were in use, in order."""
    count: int
    """Number of keys."""
    url: str
    """The server that they would be sent to."""
    can_take_back: bool
    """Whether an earlier report can still be taken back."""
    onsets: tuple[datetime.date, ...] = ()
    """Days on which symptoms began by the diary, newest first; sent only if the owner agrees."""
    states_risk: bool = False
    """Whether the keys carry levels that follow from the onset."""

    def question(self, lang: str, onset: datetime.date | None = None) -> str:
        """Return what the owner consents to, with the day of onset if it is to be sent."""
        asked = self._keys_question(lang)
        if onset is not None:
            asked = f"{say('onset_will_be_sent', lang, date=date_text(onset, lang))} {asked}"
        return f"{say('risk_will_be_sent', lang)} {asked}" if self.states_risk else asked

    def _keys_question(self, lang: str) -> str:
        return say(
            "report_question",
            lang,
            count=self.count,
            first=date_text(self.days[0], lang),
            last=date_text(self.days[-1], lang),
            url=self.url,
        )


def report_preview(config: AgentConfig, clock: Clock) -> ReportPreview:
    """Return what a report would send.

    Raises
    ------
    NotPossible
        When this device has not joined a server (``not_joined``) or has no keys (``no_keys``).
    """
    now = clock.now()
    with _store(config, clock) as db:
        refuse_after_end(db, now)
        membership = load_membership(db)
        keys = reportable_keys(db, now)
        progress = ReportProgress.load(db)
        proposed = proposed_onsets(db, local_date(now))
    if not keys:
        raise not_possible("no_keys")
    last = min(keys[-1].end_interval_number * INTERVAL_SECONDS - 1, now)
    first_day = local_date(interval_start(keys[0].rolling_start_interval_number))
    days = (local_date(last) - first_day).days
    return ReportPreview(
        tuple(first_day + datetime.timedelta(day) for day in range(days + 1)),
        len(keys),
        ServerLink(config.home, clock, config.server).url(membership),
        bool(progress.reported_at and progress.right_to_revise(now)),
        tuple(proposed),
        membership.config.has_risk_by_onset,
    )


def report(
    config: AgentConfig, clock: Clock, code: str, onset: datetime.date | None = None
) -> Outcome:
    """Publish this device's keys with a code, or take them back with a negative test's code.

    The onset is the day that the owner agreed to send, if the code states none.
    """
    link = ServerLink(config.home, clock, config.server)
    with _store(config, clock) as db:
        until = end_of_use(db)
        with link.upload_client(db, load_membership(db), until=until) as client:
            reported = report_keys(db, client, clock, code, onset=onset)
            if reported.number:
                note_reported(db, reported.is_taken_back, clock.now())
    return report_outcome(reported, config.lang)


def export_log(config: AgentConfig, clock: Clock, file: Path, *, overwrite: bool) -> Outcome:
    """Write the log to a file; replace one only with `overwrite`."""
    if is_own_file(config.home, file):
        raise not_possible("own_file")
    with _store(config, clock) as db:
        left_out = LeftOut()
        count = write_json_lines(file, own_sightings(db, left_out), overwrite=overwrite)
        others = count_other_sightings(db)
        _note_log(db, clock, count)
    facts: dict[str, Any] = {"exported": count}
    lines = [say("exported", config.lang, count=count, path=path_text(file))]
    if others:
        facts["other_protocols"] = others
        lines += [
            say("export_others", config.lang, count=number, protocol=protocol)
            for protocol, number in others.items()
        ]
    return Outcome(facts, "\n".join(lines), unreadable_fault(left_out))


def _note_log(db: Database, clock: Clock, count: int) -> None:
    # A full disk must not keep the owner from what was written elsewhere.
    with suppress(StoreError), transaction(db):
        note(db, clock.now(), LOG, items=count)


def export_others(
    config: AgentConfig, clock: Clock, file: Path, protocol: str, *, overwrite: bool
) -> Outcome:
    """Write what was imported of another protocol to a file, as `export_log` does."""
    if is_own_file(config.home, file):
        raise not_possible("own_file")
    with _store(config, clock) as db:
        left_out = LeftOut()
        found = other_sightings(db, left_out, protocol)
        count = write_other_lines(file, found, overwrite=overwrite)
        _note_log(db, clock, count)
    text = say("exported", config.lang, count=count, path=path_text(file))
    return Outcome({"exported": count}, text, unreadable_fault(left_out))


def import_report(config: AgentConfig, clock: Clock, path: Path, *, dry_run: bool) -> ImportReport:
    """Add the log of another app or device, or all data of one, and return what it held."""
    make_home(config.home)
    with open_recovered(config.home, clock.now()) as db:
        refuse_after_end(db, clock.now())
        if is_restorable(path):
            return restore(db, path, clock.now(), dry_run=dry_run)
        return import_foreign_log(db, path, clock.now(), dry_run=dry_run)


def left_out_lines(report: ImportReport, path: Path, lang: str) -> Iterator[str]:
    """Yield what an import leaves out, with the reason."""
    for reason, count in report.refusals():
        why = say(f"refusal_{reason.value}", lang)
        yield say("import_refused", lang, count=count, reason=why)
    if (first := report.first_unreadable) is not None:
        name = "import_first_unreadable" if first.line else "import_cut"
        place = say("place_line", "vi", path=path_text(path), line=first.line)
        said = place if lang == "vi" else first
        yield say(name, lang, first=said, path=path_text(path))


def restored_lines(report: RestoreReport, lang: str) -> Iterator[str]:
    """Yield what all data of a device adds here, and what follows from it."""
    yield say(
        "restored",
        lang,
        kept=report.kept,
        known=report.known,
        too_old=report.too_old,
        rows=sum(report.rows.values()) + len(report.values),
    )
    if report.region is not None:
        yield say("restored_joined", lang, region=report.region)
    if report.is_other_authority:
        yield say("restored_other_authority", lang)
    if report.keys:
        yield say("restored_keys", lang, count=report.keys)
    if report.keys_left:
        yield say("restored_keys_left", lang, count=report.keys_left)
    if report.is_silent_today:
        yield say("restored_silent", lang)
    for protocol in sorted(report.other_protocols):
        yield say("import_other_protocol", lang, protocol=protocol)


def import_log(config: AgentConfig, clock: Clock, path: Path, *, dry_run: bool) -> Outcome:
    """Add the log of another app or device."""
    report = import_report(config, clock, path, dry_run=dry_run)
    if isinstance(report, RestoreReport):
        lines = list(restored_lines(report, config.lang))
        lines += left_out_lines(report, path, config.lang)
        if dry_run:
            lines.append(say("dry_run", config.lang))
        return Outcome(report.to_json(), "\n".join(lines))
    lines = [
        say(
            "imported",
            config.lang,
            format=report.title,
            read=report.read,
            kept=report.kept,
            known=report.known,
            too_old=report.too_old,
        )
    ]
    lines += [
        say("import_other_protocol", config.lang, protocol=protocol)
        for protocol in sorted(report.other_protocols)
    ]
    lines += left_out_lines(report, path, config.lang)
    if dry_run:
        lines.append(say("dry_run", config.lang))
    return Outcome(report.to_json(), "\n".join(lines))


def self_test(config: AgentConfig, clock: Clock) -> Outcome:
    """Test the radio."""
    try:
        findings = asyncio.run(_findings(config, clock))
    except RadioError as error:
        text = explain(error, config.lang)
        facts = {"ok": False, "findings": [{"ok": False, "text": text}]}
        return Outcome(facts, f"✘ {text}", needs_owner=True)
    said = [{"ok": found.ok, "text": found.text.in_(config.lang)} for found in findings]
    ok = all(found.ok for found in findings)
    lines = [f"{'✔' if each['ok'] else '✘'} {each['text']}" for each in said]
    return Outcome({"ok": ok, "findings": said}, "\n".join(lines), needs_owner=not ok)


async def _findings(config: AgentConfig, clock: Clock) -> list[Finding]:
    async with chosen_radio(config, clock) as radio:
        return await radio.self_test()
