"""Status of the agent: what was found, then what works, for the device's owner and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ble_agent.app.damage_note import damage_day, damage_note
from ble_agent.app.health.wording import isolation_lines
from ble_agent.app.joining import pinned_lines
from ble_agent.app.outcome import Outcome
from ble_agent.app.probes import LEAST_FREE_BYTES, ago_text, minutes_ago, strength_text
from ble_agent.app.situation import Situation
from ble_agent.config import AgentConfig
from ble_agent.exposures.advice import exposure_lines, other_lines, other_notes
from ble_agent.exposures.local_days import local_date
from ble_agent.exposures.seen import show_seen
from ble_agent.exposures.weighing import choose_weighing
from ble_agent.messages.catalogue import say
from ble_agent.messages.language import date_text
from ble_agent.owner.area_lines import area_facts, area_view
from ble_agent.store.home import finish_ending, is_over
from tracing_core.clock import Clock
from tracing_core.protocol.interval import utc_date

__all__ = ["status"]


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
    if is_over(config.home):
        finish_ending(config.home)
        text = f"{say('over_note', config.lang)} {say('over_again', config.lang)}"
        return Outcome({"ended": True}, text)
    known = Situation.read(config, clock, least_free_bytes=least_free_bytes, by_utc=True)
    lines = [
        *_found(known, clock, config.lang),
        *_area(known, clock, config.lang),
        *_working(known, config.lang),
    ]
    return Outcome(
        _values(known, clock, config.lang),
        "\n".join(lines),
        needs_owner=known.needs_owner,
        on_seen=lambda: show_seen(config.home, known.found_days),
    )


def _values(known: Situation, clock: Clock, language: str) -> Mapping[str, Any]:
    facts, membership = known.facts, known.facts.membership
    reported_at, last_day = facts.report.reported_at, facts.last_day
    agreed = None if last_day is None else last_day.agreed
    return {
        "days": [day.to_json() for day in known.exposures],
        "others": known.other.to_json(),
        "unseen": known.has_unseen,
        "reported_on": None if reported_at is None else utc_date(reported_at).isoformat(),
        "ok": known.is_well,
        "checks": [probe.to_json() for probe in known.probes],
        "joined": membership is not None,
        "region": membership.region if membership else None,
        "url": membership.url if membership else None,
        "joined_by": membership.joined_by if membership else None,
        "running": known.works("running"),
        "last_scan_minutes_ago": minutes_ago(clock, facts.scan.get("at")),
        "last_check_minutes_ago": minutes_ago(clock, facts.last_check.get("at")),
        "level": facts.last_check.get("level"),
        "keys": known.keys,
        "identifiers_by_day": {
            day.isoformat(): count for day, count in (known.heard or {}).items()
        },
        "clock_suspect": not known.works("clock"),
        "unmeasured_signals": facts.scan.get("signals", {}).get("unmeasured", 0),
        "dropped_samples": facts.scan.get("dropped_samples", 0),
        "recordings_damaged_on": damage_day(known.damage),
        **area_facts(known.areas, language),
        "last_day": None if agreed is None else agreed.isoformat(),
        "last_day_open": last_day is not None and last_day.is_open,
        "isolation": known.health.isolation.to_json(),
        "rows_kept_aside": known.kept_rows,
    }


def _found(known: Situation, clock: Clock, language: str) -> Iterator[str]:
    """Yield what concerns the owner, gravest first: exposures, then the owner's own report."""
    facts = known.facts
    if known.exposures and facts.membership is not None:
        yield from exposure_lines(known.exposures, facts.membership, language, gravest_first=True)
    if facts.membership is not None and known.other.days:
        yield from other_lines(known.other, facts.membership, language, days=known.exposures)
    reported_at = facts.report.reported_at
    if reported_at is not None:
        name = "status_reported" if facts.report.taken_back is None else "status_taken_back"
        yield say(name, language, date=date_text(local_date(reported_at), language))
    isolation = known.health.isolation
    if isolation.has_rules and (isolation.lasts or isolation.ended):
        yield from isolation_lines(isolation, language, clock_works=known.works("clock"))
    # Only a check that was complete and recent lets anyone say so.
    if not known.found_days and known.works("check"):
        minutes = minutes_ago(clock, facts.last_check["at"]) or 0
        name = "status_nothing_found" if known.heard_here else "status_nothing_heard"
        yield say(name, language, ago=ago_text(minutes, language))
    if facts.membership is not None and not known.other.days:
        yield from other_notes(known.other, language)
    if facts.last_day is not None:
        yield facts.last_day.text(language)
    if known.damage is not None:
        yield damage_note(known.damage, language, is_joined=facts.membership is not None)
    if known.kept_rows:
        yield say("status_kept_rows", language, count=known.kept_rows)


def _area(known: Situation, clock: Clock, language: str) -> Iterator[str]:
    """Yield the level of the owner's area, unless no list was ever published."""
    view = area_view(known.areas, clock.now(), language)
    if known.areas.issued_at is not None or view.notes:
        yield from view.lines
    if view.needs_choice:
        yield say("area_how", language)


def _working(known: Situation, language: str) -> Iterator[str]:
    for probe in known.probes:
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
    if strength and all(probe.name != "strength" for probe in known.probes):
        yield strength
    if facts.scan.get("dropped_samples"):
        yield say("status_dropped", language, count=facts.scan["dropped_samples"])
