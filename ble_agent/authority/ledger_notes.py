"""Notes of what leaves the device and what it fetches, by day, for the owner to read.

Each is written in the transaction of the step that it belongs to, before data leaves the device.
"""

from __future__ import annotations

from ble_agent.store.state import LEDGER, LedgerEntry
from tracing_core.clock import local_date
from tracing_core.store.database import Database

__all__ = [
    "AREAS",
    "BLUEZONE",
    "CHECK",
    "CODE",
    "COVER",
    "DOWNLOAD",
    "EVERYTHING",
    "LOG",
    "REPORT",
    "TAKEN_BACK",
    "UNCONFIRMED",
    "note",
    "note_answered",
    "note_upload",
]

CHECK = "check"
"""The server was asked for new key files."""

AREAS = "areas"
"""The server was asked for the levels of all areas, as every device asks it."""

BLUEZONE = "bluezone"
"""The server was asked for its list of Bluezone keys."""

CODE = "code"
"""A code was sent, to be exchanged for the right to report."""

UNCONFIRMED = "unconfirmed"
"""Keys were sent, and the server has not said that it took them."""

REPORT = "report"
"""Keys were published."""

TAKEN_BACK = "taken_back"
"""Keys were taken back."""

COVER = "cover"
"""A cover report, made of random bytes."""

DOWNLOAD = "download"
"""Key files were fetched and used."""

LOG = "log"
"""The owner wrote the log to a file."""

EVERYTHING = "everything"
"""The owner took all data away in a file."""


def note(db: Database, now: float, kind: str, place: str = "", items: int = 0) -> None:
    """Add to the day's entry, in the caller's transaction.

    Parameters
    ----------
    db
        The agent's database.
    now
        The time in UTC Unix seconds.
    kind
        One of the kinds of this module.
    place
        Host that it was sent to; "" for none.
    items
        Number of keys, key files or sightings; 0 if there is nothing to count.
    """
    date = local_date(now).isoformat()
    entries = list(LEDGER.get(db) or ())
    for entry in entries:
        if (entry["date"], entry["kind"], entry["place"]) == (date, kind, place):
            entry["times"] += 1
            entry["items"] += items
            break
    else:
        added: LedgerEntry = {
            "date": date,
            "kind": kind,
            "place": place,
            "times": 1,
            "items": items,
        }
        entries.append(added)
    LEDGER.set(db, entries)


def note_upload(db: Database, now: float, place: str, keys: int) -> None:
    """Note that keys are about to be sent, which no answer has confirmed yet."""
    _forget_unconfirmed(db, place)
    note(db, now, UNCONFIRMED, place, keys)


def note_answered(db: Database, now: float, kind: str, place: str, keys: int) -> None:
    """Note what became of the keys that `note_upload` noted, or of the same keys sent again."""
    _forget_unconfirmed(db, place)
    note(db, now, kind, place, keys)


def _forget_unconfirmed(db: Database, place: str) -> None:
    entries = LEDGER.get(db) or ()
    kept = [each for each in entries if (each["kind"], each["place"]) != (UNCONFIRMED, place)]
    LEDGER.set(db, kept)
