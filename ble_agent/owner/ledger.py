"""Ledger: what left this device in the last 14 days, day by day."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
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
    REPORT,
    TAKEN_BACK,
    UNCONFIRMED,
)
from ble_agent.messages.catalogue import say
from ble_agent.store.state import LEDGER, LedgerEntry
from tracing_core.clock import local_date
from tracing_core.protocol.interval import interval_start
from tracing_core.store.database import Database

__all__ = ["RADIO", "LedgerDay", "ledger_line", "read_ledger"]

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


@dataclass(frozen=True, slots=True)
class LedgerDay:
    """What left the device on one local day."""

    date: datetime.date
    entries: Sequence[LedgerEntry]
    """At least one; what concerns the owner comes first."""


def read_ledger(db: Database) -> list[LedgerDay]:
    """Return the days on which anything left the device, newest first."""
    days: dict[str, list[LedgerEntry]] = {}
    for entry in (*(LEDGER.get(db) or ()), *_radio_entries(db)):
        if entry["kind"] in _ORDER:
            days.setdefault(entry["date"], []).append(entry)
    return [
        LedgerDay(
            datetime.date.fromisoformat(date),
            sorted(days[date], key=lambda entry: _ORDER.index(entry["kind"])),
        )
        for date in sorted(days, reverse=True)
    ]


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
