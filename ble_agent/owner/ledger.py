"""Ledger: what left this device in the last 14 days, day by day."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ble_agent.authority.ledger_notes import (
    AREAS,
    BLUEZONE,
    CHECK,
    CODE,
    COVER,
    DOWNLOAD,
    EVERYTHING,
    LOG,
    NEVER_LEFT,
    NO_ANSWER,
    REPORT,
    TAKEN_BACK,
    UNCONFIRMED,
)
from ble_agent.messages.catalogue import say
from ble_agent.store.state import LEDGER, LedgerEntry
from tracing_core.clock import local_date
from tracing_core.protocol.interval import interval_start
from tracing_core.store.database import Database

__all__ = ["RADIO", "LedgerDay", "LedgerRequest", "ledger_line", "read_ledger", "read_requests"]

RADIO = "radio"
"""Kind of an entry that the key ring gives: identifiers were sent by Bluetooth."""

# What concerns the owner comes first.
_ORDER = (
    *(REPORT, UNCONFIRMED, TAKEN_BACK, CODE),
    *(EVERYTHING, LOG),
    *(COVER, CHECK, DOWNLOAD, BLUEZONE, AREAS, RADIO),
)

# Kinds whose number is that of keys, key files or sightings; of the others it is how often.
_OF_ITEMS = (REPORT, UNCONFIRMED, TAKEN_BACK, LOG, DOWNLOAD)


# An upload's first request, by which it is known whether it ever left.
_UPLOADS = {COVER: ("code", "keys"), CODE: ("code",), UNCONFIRMED: ("keys",)}


@dataclass(frozen=True, slots=True)
class LedgerDay:
    """What left the device on one local day."""

    date: datetime.date
    entries: Sequence[LedgerEntry]
    """What concerns the owner comes first."""
    requests: Sequence[LedgerRequest] = ()
    """Each request, in the order of sending."""


@dataclass(frozen=True, slots=True)
class LedgerRequest:
    """One request for the authority's servers."""

    at: int
    """When it was sent (UTC Unix seconds)."""
    host: str
    what: str
    """One of `ble_agent.authority.ledger_notes.KINDS`."""
    size: int
    """Bytes that left the device."""
    is_cover: bool
    answer: int | None
    """Status; `NO_ANSWER`, `NEVER_LEFT`, or None if the program was stopped meanwhile."""

    @property
    def outcome(self) -> str:
        """What became of it: ``answered``, ``unanswered``, ``never_left`` or ``stopped``."""
        if self.answer is None:
            return "stopped"
        return {NEVER_LEFT: "never_left", NO_ANSWER: "unanswered"}.get(self.answer, "answered")


def read_ledger(db: Database) -> list[LedgerDay]:
    """Return the days on which anything left the device, newest first."""
    requests: dict[str, list[LedgerRequest]] = {}
    for request in read_requests(db):
        requests.setdefault(local_date(request.at).isoformat(), []).append(request)
    days: dict[str, list[LedgerEntry]] = {date: [] for date in requests}
    for entry in (*(LEDGER.get(db) or ()), *_radio_entries(db)):
        if entry["kind"] in _ORDER and _has_left(entry, requests.get(entry["date"])):
            days.setdefault(entry["date"], []).append(entry)
    return [
        LedgerDay(
            datetime.date.fromisoformat(date),
            sorted(days[date], key=lambda entry: _ORDER.index(entry["kind"])),
            requests.get(date, ()),
        )
        for date in sorted(days, reverse=True)
    ]


def read_requests(db: Database) -> Iterator[LedgerRequest]:
    """Yield the requests of the last 14 days in the order of sending."""
    for at, host, what, size, is_cover, answer in db.conn.execute(
        "SELECT at, host, what, bytes, cover, answer FROM request ORDER BY id"
    ):
        yield LedgerRequest(at, host, what, size, bool(is_cover), answer)


def _has_left(entry: LedgerEntry, requests: Sequence[LedgerRequest] | None) -> bool:
    """Return False for an upload that is known to have never left: its requests say so."""
    kinds = _UPLOADS.get(entry["kind"])
    if kinds is None or requests is None:
        return True
    tries = [
        each
        for each in requests
        if each.what in kinds
        and each.host == entry["place"]
        and each.is_cover is (entry["kind"] == COVER)
    ]
    return not tries or any(each.answer != NEVER_LEFT for each in tries)


def ledger_line(entry: LedgerEntry, language: str) -> str:
    """Return an entry as the owner reads it."""
    count = entry["items" if entry["kind"] in _OF_ITEMS else "times"]
    return say(f"page_ledger_{entry['kind']}", language, count=count, place=entry["place"])


def _radio_entries(db: Database) -> list[LedgerEntry]:
    # A key of another device was never used here (`KeyRing.take_over`).
    rows = db.conn.execute(
        "SELECT last_interval FROM own_key WHERE last_interval < rolling_start + rolling_period"
    )
    dates = {local_date(interval_start(last)).isoformat() for (last,) in rows}
    return [
        {"date": date, "kind": RADIO, "place": "", "times": 1, "items": 0} for date in sorted(dates)
    ]
