"""Joining a health authority: what the owner must know first, and until when it lasts."""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ble_agent.app.outcome import Outcome
from ble_agent.app.situation import opened_to_read
from ble_agent.authority.addresses import ServerAddresses
from ble_agent.authority.client import ServerClient
from ble_agent.authority.cover import note_cover, send_cover_report
from ble_agent.authority.join_file import JoinFile, join_file_fault, key_name
from ble_agent.authority.ledger_notes import EarlyNotes, Notes, RequestNotes
from ble_agent.authority.membership import (
    Membership,
    agreed_last_day,
    ask_last_day,
    find_membership,
    join_by_file,
    last_day_at_joining,
    load_membership,
)
from ble_agent.authority.membership import join as join_server
from ble_agent.config import AgentConfig
from ble_agent.messages.catalogue import say
from ble_agent.messages.explanation import explain
from ble_agent.messages.language import date_text
from ble_agent.owner.last_day import LastDay
from ble_agent.owner.last_day import answer_last_day as note_last_day
from ble_agent.store.database import has_database, make_home, open_store
from ble_agent.store.home import forget_over, is_over
from ble_agent.store.recovery import open_recovered
from tracing_core.clock import Clock
from tracing_core.errors import InvalidValue, ServerError, StoreDamaged, TrustError, require
from tracing_core.store.database import Database
from tracing_core.store.files import file_errors
from tracing_core.trust.join_line import JoinLine

__all__ = [
    "JoinTerms",
    "answer_last_day",
    "join",
    "join_origin",
    "join_terms",
    "known_last_day",
    "last_day",
    "last_day_question",
    "pinned_lines",
]

_LONGEST_JOIN_LINE_FILE = 4096
_JOIN_LINE = re.compile(r"https?://\S*#\S*")


@dataclass(frozen=True, slots=True)
class JoinTerms:
    """What the owner agrees to by joining."""

    last_day: datetime.date
    """The last day (UTC)."""
    is_named: bool
    """Whether the authority names it."""
    changes: str
    """What changes, as a question; "" if nothing changes or is lost."""

    def last_day_text(self, lang: str) -> str:
        """Return what the last day means."""
        name = "join_last_day" if self.is_named else "join_last_day_usual"
        return say(name, lang, date=date_text(self.last_day, lang))

    def question(self, lang: str) -> str:
        """Return all that the owner must know, as a question."""
        return f"{self.last_day_text(lang)} {self.changes or say('join_yes', lang)}"


def join_origin(text: str) -> JoinLine | JoinFile:
    """Read a join line, the file that holds one, or a join file."""
    path = Path(text)
    # If it cannot be opened as a path, it is read as the line itself.
    with suppress(OSError):
        if "#" not in text and path.is_file():
            with file_errors(path), path.open(encoding="utf-8", errors="replace") as file:
                text = file.read(_LONGEST_JOIN_LINE_FILE)
            if not _JOIN_LINE.fullmatch(text.strip()):
                return JoinFile.read(path)
    if "#" not in text and "://" not in text:
        raise join_file_fault(path, "", "join_file_absent")
    return JoinLine.parse(text)


def join_terms(
    config: AgentConfig,
    clock: Clock,
    origin: JoinLine | JoinFile,
    *,
    early: EarlyNotes | None = None,
) -> JoinTerms:
    """Ask the server what the owner must know before joining.

    Parameters
    ----------
    config
        The agent's settings.
    clock
        The agent's clock.
    origin
        What the owner would join with.
    early
        Where the request is noted if this device has no home yet, for `join` to write down; None
        if it will not join.

    Raises
    ------
    NotPossible
        When the last day is over (``last_day_over``) or too far away (``last_day_far``).
    ServerError
        When the server does not answer.
    TrustError
        When the server is not the one that the line names.
    """
    if isinstance(origin, JoinFile):
        named = origin.last_day
    else:
        with (
            _notes(config, clock, early) as notes,
            ServerClient(origin.url, clock, notes=notes) as client,
        ):
            named = ask_last_day(client, origin)
    if is_over(config.home) or not has_database(config.home):
        last_day = last_day_at_joining(None, origin, named, clock.now())
    else:
        with open_recovered(config.home, clock.now()) as db:
            last_day = last_day_at_joining(db, origin, named, clock.now())
    return JoinTerms(last_day, named is not None, _changes(config, origin))


def _changes(config: AgentConfig, origin: JoinLine | JoinFile) -> str:
    """Return what joining would change; "" if nothing changes or is lost."""
    if is_over(config.home) or not has_database(config.home):
        return ""
    before = None
    with suppress(TrustError, InvalidValue, StoreDamaged), open_store(config.home) as db:
        before = find_membership(db)
    if before is None:
        return ""
    if not before.is_of(origin):
        new = origin.url if isinstance(origin, JoinLine) else origin.key_server_url
        return say("join_question", config.lang, region=before.region, url=before.url, new=new)
    if before.join_file is None or not isinstance(origin, JoinFile):
        return ""
    changes = "; ".join(before.join_file.changes(origin))
    if not changes:
        return ""
    return say("join_changes_question", config.lang, region=before.region, changes=changes)


def join(
    config: AgentConfig,
    clock: Clock,
    origin: JoinLine | JoinFile,
    *,
    agreed: datetime.date | None = None,
    early: EarlyNotes | None = None,
) -> Outcome:
    """Join a health authority.

    Parameters
    ----------
    config
        The agent's settings.
    clock
        The agent's clock.
    origin
        What the owner joins with.
    agreed
        The last day that the owner was shown; None agrees to the one that there is.
    early
        Requests sent before this device had a home, which are listed now; None if there are none.
    """
    early = early or EarlyNotes(clock)
    if is_over(config.home):
        # Only what can be joined takes the place of what is over.
        join_terms(config, clock, origin, early=early)
        forget_over(config.home)
    if isinstance(origin, JoinFile):
        return _join_by_file(config, clock, origin, agreed, early)
    with _joining(config, clock, ServerAddresses.of(origin.url), early) as (db, client):
        membership = join_server(db, client, origin, clock.now(), agreed=agreed)
        last_day = _last_day(db)
    facts = {"region": membership.region, "url": origin.url}
    lines = [say("joined", config.lang, **facts), _last_day_text(last_day, config.lang)]
    return Outcome(facts | {"last_day": last_day.isoformat()}, "\n".join(lines))


@contextlib.contextmanager
def _notes(config: AgentConfig, clock: Clock, early: EarlyNotes | None) -> Iterator[Notes]:
    """Open the ledger; in memory if this device has no home yet, and may never get one."""
    if is_over(config.home) or not has_database(config.home):
        yield early or EarlyNotes(clock)
        return
    with open_recovered(config.home, clock.now()) as db:
        yield RequestNotes(db, clock)


@contextlib.contextmanager
def _joining(
    config: AgentConfig, clock: Clock, addresses: ServerAddresses, early: EarlyNotes
) -> Iterator[tuple[Database, ServerClient]]:
    # No home is made for a client that cannot be.
    require("httpx2", extra="agent")
    make_home(config.home)
    with open_recovered(config.home, clock.now()) as db:
        early.write(db)
        with ServerClient(addresses, clock, notes=RequestNotes(db, clock)) as client:
            yield db, client


def _last_day(db: Database) -> datetime.date:
    last_day = agreed_last_day(db)
    assert last_day is not None
    return last_day


def _last_day_text(last_day: datetime.date, lang: str) -> str:
    return say("last_day_agreed", lang, date=date_text(last_day, lang))


def _join_by_file(
    config: AgentConfig,
    clock: Clock,
    file: JoinFile,
    agreed: datetime.date | None,
    early: EarlyNotes,
) -> Outcome:
    with _joining(config, clock, file.addresses, early) as (db, client):
        membership = join_by_file(db, client, file, clock.now(), agreed=agreed)
        last_day = _last_day(db)
    facts: dict[str, str | None] = {"region": file.region, "url": membership.url}
    facts |= {"joined_by": membership.joined_by, "report_fault": None}
    facts["last_day"] = last_day.isoformat()
    lines = [
        say("joined_by_file", config.lang, region=file.region),
        _last_day_text(last_day, config.lang),
    ]
    try:
        with open_store(config.home) as db:
            notes = RequestNotes(db, clock, is_cover=True)
            with ServerClient(file.addresses, clock, is_cover=True, notes=notes) as client:
                note_cover(db, client, clock)
                send_cover_report(client, clock, file.health_authority_id)
    except ServerError as error:
        # A device that cannot report can still warn its owner.
        facts["report_fault"] = explain(error, config.lang)
        lines.append(say("joined_no_reports", config.lang, fault=facts["report_fault"]))
    return Outcome(facts, "\n".join(lines))


def known_last_day(config: AgentConfig, clock: Clock) -> LastDay:
    """Return what holds.

    Raises
    ------
    NotPossible
        When there is no agent in the home folder (``no_home``), or it has not joined an authority
        (``not_joined``).
    StoreError
        When the database cannot be read.
    """
    with opened_to_read(config.home, clock.now()) as db:
        return LastDay.read(db, load_membership(db), clock.now())


def last_day_question(known: LastDay, lang: str) -> str:
    """Return the question to an owner who was never asked."""
    return f"{known.text(lang)} {say('last_day_yes', lang)}"


def answer_last_day(config: AgentConfig, clock: Clock, known: LastDay, *, agrees: bool) -> None:
    """Note the owner's answer to what was shown.

    Raises
    ------
    NotPossible
        When the owner has agreed to a day before (``last_day_fixed``), or another day is offered
        by now (``last_day_changed``).
    StoreError
        When the answer cannot be written.
    """
    day = known.offered if agrees else None
    with open_recovered(config.home, clock.now()) as db:
        note_last_day(db, load_membership(db), day, clock.now())


def last_day(config: AgentConfig, clock: Clock) -> Outcome:
    """Return what holds, for the owner and for programs."""
    known = known_last_day(config, clock)
    facts = {
        "last_day": None if known.agreed is None else known.agreed.isoformat(),
        "offered": known.offered.isoformat(),
        "named": known.is_named,
        "asked": known.was_asked,
        "over": known.is_over,
    }
    return Outcome(facts, known.text(config.lang), needs_owner=known.is_open)


def pinned_lines(membership: Membership | None, language: str) -> Iterator[str]:
    """Yield what such servers cannot prove and do not offer; nothing if the device has a line."""
    file = None if membership is None else membership.join_file
    if file is None:
        return
    keys = ", ".join(map(key_name, file.export_keys))
    yield say("status_pinned", language, keys=keys)
    yield say(
        "status_pinned_servers",
        language,
        index=file.index_url,
        verification=file.verification_url,
        keys=file.key_server_url,
    )
    yield say("status_pinned_limits", language)
