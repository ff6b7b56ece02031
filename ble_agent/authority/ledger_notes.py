"""Notes of what leaves the device and what it fetches, by day, for the owner to read.

Each is written in the transaction of the step that it belongs to, before data leaves the device.
Beside these, each single request is noted by the one class that sends any
(`ble_agent.authority.transport.HTTPTransport`): before it leaves, and again when it is known what
became of it.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Protocol

from ble_agent.store.state import LEDGER, LedgerEntry
from tracing_core.clock import Clock, local_date
from tracing_core.errors import StoreError
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction

__all__ = [
    "AREAS",
    "BLUEZONE",
    "CHECK",
    "CODE",
    "COVER",
    "DOWNLOAD",
    "EVERYTHING",
    "KINDS",
    "LOG",
    "NEVER_LEFT",
    "NO_ANSWER",
    "REPORT",
    "TAKEN_BACK",
    "UNCONFIRMED",
    "EarlyNotes",
    "Notes",
    "RequestNotes",
    "note",
    "note_answered",
    "note_upload",
    "request_kind",
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


KINDS = (
    *("trust", "config", "areas", "index", "signed_index", "bluezone", "key_file", "mark"),
    *("code", "certificate", "keys", "other"),
)
"""What a request asks or sends, as the ledger names it."""

NEVER_LEFT = 0
"""In place of a status: no byte of the request left this device."""

NO_ANSWER = 1
"""In place of a status: the request left, at least in part, and no answer came."""

_DOCUMENTS = ("trust", "config", "areas")
_UPLOADS = {"/api/verify": "code", "/api/certificate": "certificate", "/v1/publish": "keys"}
_LISTS = {"index.txt": "index", "index.jws": "signed_index", "bluezone.json": "bluezone"}


def request_kind(method: str, path: str) -> str:
    """Return what a request is about, one of `KINDS`."""
    if method == "POST":
        return next((kind for end, kind in _UPLOADS.items() if path.endswith(end)), "other")
    if method == "HEAD":
        return "mark"
    _, _, document = path.rpartition("/v1/")
    name = path.rpartition("/")[2].removesuffix(".sig")
    if document.partition("/")[0] in _DOCUMENTS:
        return document.partition("/")[0]
    return _LISTS.get(name) or ("key_file" if name.endswith(".zip") else "other")


class Notes(Protocol):
    """Where single requests are noted."""

    def begin(self, host: str, what: str, size: int) -> int | None:
        """Note a request that is about to be sent, and return its number.

        Raises
        ------
        StoreError
            When it cannot be noted; it must not be sent then.
        """
        ...

    def end(self, number: int | None, answer: int) -> None:
        """Note the status of the answer, or `NO_ANSWER` or `NEVER_LEFT`."""
        ...


class RequestNotes:
    """`Notes` in the ledger, in transactions of their own.

    Parameters
    ----------
    db
        The agent's database, in the thread that sends, outside a transaction.
    clock
        The agent's clock.
    is_cover
        Whether the requests are of a cover report.
    """

    def __init__(self, db: Database, clock: Clock, *, is_cover: bool = False) -> None:
        self._db, self._clock, self._is_cover = db, clock, is_cover

    def begin(self, host: str, what: str, size: int) -> int | None:
        """Note a request that is about to be sent, and return its number.

        Raises
        ------
        StoreError
            When it cannot be noted; it must not be sent then.
        """
        with transaction(self._db):
            return self._db.conn.execute(
                "INSERT INTO request (at, host, what, bytes, cover) VALUES (?, ?, ?, ?, ?)",
                [max(0, int(self._clock.now())), host, what, size, self._is_cover],
            ).lastrowid

    def end(self, number: int | None, answer: int) -> None:
        """Note the status of the answer, or `NO_ANSWER` or `NEVER_LEFT`."""
        # If it cannot be written, the row goes on saying that this is not known.
        with contextlib.suppress(StoreError), transaction(self._db):
            self._db.conn.execute(
                "UPDATE request SET answer = ?, bytes = bytes * ? WHERE id = ?",
                [answer, answer != NEVER_LEFT, number],
            )


class EarlyNotes:
    """`Notes` in memory, of requests sent before this device has a home; safe for threads.

    Parameters
    ----------
    clock
        The agent's clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._number = 0
        self._begun: dict[int, tuple[int, str, str, int]] = {}
        self._ended: list[tuple[int, str, str, int, int]] = []

    def begin(self, host: str, what: str, size: int) -> int:
        """Note a request that is about to be sent, and return its number."""
        with self._lock:
            self._number += 1
            self._begun[self._number] = (max(0, int(self._clock.now())), host, what, size)
            return self._number

    def end(self, number: int | None, answer: int) -> None:
        """Note the status of the answer, or `NO_ANSWER` or `NEVER_LEFT`."""
        assert number is not None
        with self._lock:
            at, host, what, size = self._begun.pop(number)
            self._ended.append((at, host, what, size * (answer != NEVER_LEFT), answer))

    def write(self, db: Database) -> None:
        """Move what was noted into the ledger of the home that there is now.

        Raises
        ------
        StoreError
            When it cannot be written; it is kept for the next time.
        """
        with self._lock:
            with transaction(db):
                db.conn.executemany(
                    "INSERT INTO request (at, host, what, bytes, cover, answer)"
                    " VALUES (?, ?, ?, ?, 0, ?)",
                    self._ended,
                )
            self._ended.clear()
