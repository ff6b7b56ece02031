"""What each command of `truyvet agent` does; most return a JSON object and a text for the owner."""

from __future__ import annotations

import asyncio
import datetime
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import SystemRandom
from typing import Any

from ble_agent.air.agent import Agent
from ble_agent.air.persistence import LateStore
from ble_agent.air.schedule import CONTINUOUS, ScanTiming, Schedule
from ble_agent.authority.client import ServerClient
from ble_agent.authority.cover import CoverTraffic
from ble_agent.authority.download import KnownAnswers, PartialFile
from ble_agent.authority.membership import find_membership, load_membership
from ble_agent.authority.membership import join as join_server
from ble_agent.authority.report import report as report_keys
from ble_agent.authority.report import reportable_keys
from ble_agent.config import AgentConfig
from ble_agent.exposures.advice import owner_text
from ble_agent.exposures.check import check as check_exposures
from ble_agent.exposures.check import recall
from ble_agent.exposures.checker import Checker
from ble_agent.exposures.notifier import Notifier
from ble_agent.messages.catalogue import date_text, explain, path_text, say
from ble_agent.messages.refusals import not_possible
from ble_agent.radio.opening import open_radio
from ble_agent.radio.protocol import Radio
from ble_agent.service import notify
from ble_agent.store.database import has_database, make_home, open_store
from ble_agent.store.home import PART_NAME, is_own_file
from ble_agent.store.importers import import_log as import_foreign_log
from tracing_core.clock import Clock, clock_from_environment
from tracing_core.errors import (
    InvalidValue,
    RadioError,
    ServerUnreachable,
    StoreFull,
    TracingError,
    TrustError,
)
from tracing_core.protocol.associated_encrypted_metadata import CalibrationConfidence, Metadata
from tracing_core.protocol.interval import interval_start
from tracing_core.store.database import Database
from tracing_core.store.files import file_errors
from tracing_core.store.sighting import select_sightings, write_json_lines
from tracing_core.trust.documents import JoinLine

__all__ = [
    "check",
    "export_log",
    "import_log",
    "join",
    "join_line",
    "join_question",
    "report",
    "report_question",
    "run",
    "self_test",
]

_Answer = tuple[dict[str, Any], str]
_LONGEST_JOIN_FILE = 4096


@contextmanager
def _store(config: AgentConfig) -> Iterator[Database]:
    if not has_database(config.home):
        raise not_possible("no_home")
    with open_store(config.home) as db:
        yield db


def join_line(text: str) -> JoinLine:
    """Read the line to join by, or a file that holds it."""
    path = Path(text)
    # Most of what can be wrong with it as a path says only that it is none.
    with suppress(OSError):
        if "#" not in text and path.is_file():
            with file_errors(path), path.open(encoding="utf-8", errors="replace") as file:
                text = file.read(_LONGEST_JOIN_FILE)
    return JoinLine.parse(text)


def join_question(config: AgentConfig, line: JoinLine) -> str:
    """Return what the owner must know before joining another authority; "" if nothing."""
    if not has_database(config.home):
        return ""
    before = None
    with open_store(config.home) as db, suppress(TrustError, InvalidValue):
        before = find_membership(db)
    if before is None or before.line.fingerprint == line.fingerprint:
        return ""
    return say(
        "join_question", config.lang, region=before.trust.region, url=before.line.url, new=line.url
    )


def join(config: AgentConfig, line: JoinLine) -> _Answer:
    """Join a health authority."""
    clock = clock_from_environment()
    with ServerClient(line.url, clock) as client:
        make_home(config.home)
        with open_store(config.home) as db:
            membership = join_server(db, client, line, clock.now())
    facts = {"region": membership.trust.region, "url": line.url}
    return facts, say("joined", config.lang, **facts)


def _chosen_radio(config: AgentConfig, clock: Clock) -> Radio:
    return open_radio(config.radio or "auto", clock)


def run(config: AgentConfig) -> None:
    """Run the agent until SIGTERM or SIGINT."""
    asyncio.run(_run(config))
    notify("STOPPING=1")


async def _run(config: AgentConfig) -> None:
    clock = clock_from_environment()
    radio = _chosen_radio(config, clock)
    is_recording = radio.clock is not clock
    timing = CONTINUOUS
    if not config.continuous_scan:
        timing = ScanTiming(
            config.scan_seconds, config.least_scan_gap_seconds, config.most_scan_gap_seconds
        )
    with LateStore(config.home, radio.clock, is_recording=is_recording) as store:
        try:
            store.open()
        except StoreFull:
            # A recording can be played again when there is a disk; what is on the air goes by.
            if is_recording:
                raise
        agent = Agent(
            radio,
            store,
            store.log,
            Schedule(SystemRandom(), timing),
            Metadata(
                config.transmit_power_dbm,
                minor_version=1,
                calibration_confidence=CalibrationConfidence.LOW,
            ),
            language=config.lang,
            told=lambda fault: store.note_radio(radio.name, fault),
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, agent.stop)
        # A recording's time is long past; nothing the server has now belongs to it.
        await _run_beside(agent, [] if is_recording else _services(config, clock))


def _services(config: AgentConfig, clock: Clock) -> list[Coroutine[Any, Any, None]]:
    """Return what runs beside the loop: checks, and reports that only pretend."""
    notifier = Notifier(
        config.notify_command, is_desktop=config.notify_desktop, language=config.lang
    )
    checker = Checker(
        config.home,
        clock,
        SystemRandom(),
        server=config.server,
        language=config.lang,
        notifier=notifier,
    )
    services = [checker.run()]
    if config.cover_traffic:
        services.append(
            CoverTraffic(config.home, clock, SystemRandom(), server=config.server).run()
        )
    return services


async def _run_beside(agent: Agent, services: list[Coroutine[Any, Any, None]]) -> None:
    tasks = [asyncio.create_task(service) for service in services]
    for task in tasks:
        task.add_done_callback(lambda _: agent.stop())
    try:
        await agent.run()
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


def check(config: AgentConfig) -> tuple[dict[str, Any], str, TracingError | None]:
    """Check for exposures; the third value says why not every key file, or none, could be used."""
    clock = clock_from_environment()
    with _store(config) as db:
        url = config.server or load_membership(db).line.url
        known, partial = KnownAnswers(db), PartialFile(config.home / PART_NAME)
        with ServerClient(url, clock, known=known, partial=partial) as client:
            try:
                result = check_exposures(db, client, clock)
            except ServerUnreachable as error:
                # What was found before, and notified of, can be read wherever the server is.
                result = recall(db, clock, error)
                if not result.days:
                    raise
        text = owner_text(result, load_membership(db), config.lang)
    return result.to_json(text), text, result.failure


def report_question(config: AgentConfig) -> str:
    """Return what the owner consents to."""
    clock = clock_from_environment()
    with _store(config) as db:
        membership = load_membership(db)
        keys = reportable_keys(db, clock.now())
    if not keys:
        raise not_possible("no_keys")
    days = [
        datetime.datetime.fromtimestamp(
            interval_start(key.rolling_start_interval_number), datetime.UTC
        ).date()
        for key in (keys[0], keys[-1])
    ]
    return say(
        "report_question",
        config.lang,
        count=len(keys),
        first=date_text(days[0], config.lang),
        last=date_text(days[1], config.lang),
        url=config.server or membership.line.url,
    )


def report(config: AgentConfig, code: str) -> _Answer:
    """Publish this device's keys by a code, or take them back by a code of a negative test."""
    clock = clock_from_environment()
    with _store(config) as db:
        url = config.server or load_membership(db).line.url
        with ServerClient(url, clock) as client:
            count, is_taken_back = report_keys(db, client, clock, code)
    if is_taken_back:
        facts = {"reported_keys": 0, "taken_back_keys": count}
        return facts, say("taken_back", config.lang, count=count)
    return {"reported_keys": count}, say("reported", config.lang, count=count)


def export_log(config: AgentConfig, file: Path) -> _Answer:
    """Write the log to a file."""
    if is_own_file(config.home, file):
        raise not_possible("own_file")
    with _store(config) as db:
        count = write_json_lines(file, select_sightings(db))
    return {"exported": count}, say("exported", config.lang, count=count, path=path_text(file))


def import_log(config: AgentConfig, path: Path, *, dry_run: bool) -> _Answer:
    """Add the log of another app or device."""
    now = clock_from_environment().now()
    make_home(config.home)
    with open_store(config.home) as db:
        report = import_foreign_log(db, path, now, dry_run=dry_run)
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
    for reason, count in report.refusals():
        why = say(f"refusal_{reason.value}", config.lang)
        lines.append(say("import_refused", config.lang, count=count, reason=why))
    if dry_run:
        lines.append(say("dry_run", config.lang))
    return report.to_json(), "\n".join(lines)


def self_test(config: AgentConfig) -> _Answer:
    """Try the radio."""
    try:
        findings = asyncio.run(_findings(config))
    except RadioError as error:
        text = explain(error, config.lang)
        return {"ok": False, "findings": [{"ok": False, "text": text}]}, f"✘ {text}"
    said = [
        {"ok": found.ok, "text": found.text_vi if config.lang == "vi" else found.text_en}
        for found in findings
    ]
    ok = all(found.ok for found in findings)
    lines = [f"{'✔' if each['ok'] else '✘'} {each['text']}" for each in said]
    return {"ok": ok, "findings": said}, "\n".join(lines)


async def _findings(config: AgentConfig) -> list[Any]:
    async with _chosen_radio(config, clock_from_environment()) as radio:
        return await radio.self_test()
