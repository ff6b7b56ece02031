"""Commands of the diary: show it, note a day, remove a day."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterator, Sequence
from typing import Any

from ble_agent.app.health.wording import entry_text, isolation_lines
from ble_agent.app.outcome import Outcome
from ble_agent.app.situation import Situation
from ble_agent.config import AgentConfig
from ble_agent.messages.catalogue import say
from ble_agent.messages.language import date_text
from ble_agent.messages.refusals import not_possible
from ble_agent.owner.health.diary import (
    DiaryEntry,
    MetPerson,
    Sign,
    TestResult,
    note_entry,
    remove_entry,
)
from ble_agent.owner.last_day import refuse_after_end
from ble_agent.store.database import has_database
from ble_agent.store.recovery import open_recovered
from tracing_core.clock import Clock, local_date
from tracing_core.store.database import Database

__all__ = ["change_diary", "note_day", "read_day", "remove_day", "show_diary"]


def read_day(text: str, today: datetime.date) -> datetime.date:
    """Read a day as YYYY-MM-DD; "" is today.

    Raises
    ------
    NotPossible
        When it is another day (``diary_day``).
    """
    if not text:
        return today
    try:
        return datetime.datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=datetime.UTC).date()
    except ValueError as error:
        raise not_possible("diary_day") from error


def change_diary(
    config: AgentConfig,
    clock: Clock,
    *,
    day: str,
    sign: Sequence[str],
    met: Sequence[str],
    test: str | None,
    well: bool,
    remove: bool,
) -> Outcome:
    """Do what the options of the command ask for, by their names; show the diary without any.

    Raises
    ------
    NotPossible
        When the options contradict each other (``diary_choice``), or as the functions below.
    StoreError
        When it cannot be written.
    """
    writes = bool(sign or met or test or well)
    if (remove and writes) or (well and sign):
        raise not_possible("diary_choice")
    date = read_day(day, local_date(clock.now()))
    if remove:
        return remove_day(config, clock, date)
    if not writes:
        if day:
            raise not_possible("diary_choice")
        return show_diary(config, clock)
    entry = DiaryEntry(
        date,
        frozenset(map(Sign, sign)),
        frozenset(map(MetPerson, met)),
        None if test is None else TestResult(test),
    )
    return note_day(config, clock, entry)


def show_diary(config: AgentConfig, clock: Clock) -> Outcome:
    """Return the entries, and what the isolation clock shows."""
    return _outcome(config, clock, [])


def note_day(config: AgentConfig, clock: Clock, entry: DiaryEntry) -> Outcome:
    """Store an entry in place of the day's earlier one.

    Raises
    ------
    NotPossible
        When there is no agent in the home folder (``no_home``), the last day is over
        (``after_last_day``), or the diary does not take the day (``diary_day``).
    StoreError
        When it cannot be written.
    """
    with _store(config, clock) as db:
        refuse_after_end(db, clock.now())
        note_entry(db, entry, local_date(clock.now()))
    day, text = date_text(entry.day, config.lang), entry_text(entry, config.lang)
    line = say("diary_noted", config.lang, date=day, what=text)
    return _outcome(config, clock, [line], noted=entry.day)


def remove_day(config: AgentConfig, clock: Clock, day: datetime.date) -> Outcome:
    """Remove a day's entry.

    Raises
    ------
    NotPossible
        When there is no agent in the home folder (``no_home``).
    StoreError
        When it cannot be written.
    """
    with _store(config, clock) as db:
        removed = remove_entry(db, day)
    name = "diary_removed" if removed else "diary_no_entry"
    line = say(name, config.lang, date=date_text(day, config.lang))
    return _outcome(config, clock, [line], removed=day if removed else None)


@contextlib.contextmanager
def _store(config: AgentConfig, clock: Clock) -> Iterator[Database]:
    if not has_database(config.home):
        raise not_possible("no_home")
    with open_recovered(config.home, clock.now()) as db:
        yield db


def _outcome(
    config: AgentConfig,
    clock: Clock,
    lines: Sequence[str],
    *,
    noted: datetime.date | None = None,
    removed: datetime.date | None = None,
) -> Outcome:
    known = Situation.read(config, clock)
    facts: dict[str, Any] = {
        "noted": noted and noted.isoformat(),
        "removed": removed and removed.isoformat(),
        "entries": [entry.to_json() for entry in known.health.entries],
        "onsets": [day.isoformat() for day in known.health.onsets],
        "isolation": known.health.isolation.to_json(),
    }
    shown = [
        f"{date_text(entry.day, config.lang)}: {entry_text(entry, config.lang)}"
        for entry in known.health.entries
    ]
    clock_works = known.works("clock")
    counted = isolation_lines(known.health.isolation, config.lang, clock_works=clock_works)
    empty = [] if shown else [say("diary_empty", config.lang)]
    return Outcome(facts, "\n".join([*lines, *shown, *empty, *counted]))
