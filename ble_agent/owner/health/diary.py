"""Health diary: six signs, three questions of contact and a test, one entry a day, for 21 days.

They are the questions of Vietnam's health declaration of 2020, without its fields of identity. A
day is one of the owner's calendar, counted since 1 January 1970.
"""

from __future__ import annotations

import contextlib
import datetime
import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ble_agent.messages.refusals import not_possible
from ble_agent.store.database import DIARY_DAYS, note_deletion, truncate_log
from tracing_core.errors import StoreBusy, StoreFull
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction

__all__ = [
    "DiaryEntry",
    "MetPerson",
    "Sign",
    "TestResult",
    "note_entry",
    "onsets",
    "read_diary",
    "remove_entry",
]

_EPOCH = datetime.date(1970, 1, 1)
# Signs of one illness come and go. `MOST_DAYS` of an isolation depends on it.
_GAP_DAYS = 3

# The largest number that each column can hold, by the table's checks.
_MOST = (99_999, 63, 7, 2)

_Member = TypeVar("_Member", bound=enum.Enum)


class Sign(enum.Enum):
    """A sign of illness; its place here is its bit in the table."""

    FEVER = "fever"
    COUGH = "cough"
    BREATH = "breath"
    """Shortness of breath."""
    PNEUMONIA = "pneumonia"
    THROAT = "throat"
    """A sore throat."""
    TIREDNESS = "tiredness"


class MetPerson(enum.Enum):
    """Whom the owner was near on the day; its place here is its bit in the table."""

    PATIENT = "patient"
    """A person who has the disease or may have it."""
    TRAVELLER = "traveller"
    """A person from a place with an outbreak."""
    ILL = "ill"
    """A person with fever, cough, shortness of breath or pneumonia."""


class TestResult(enum.Enum):
    """The owner's own test on the day; its place here, from 1, is its number in the table."""

    # pytest would take it for a class of tests.
    __test__ = False

    NEGATIVE = "negative"
    POSITIVE = "positive"


@dataclass(frozen=True, slots=True)
class DiaryEntry:
    """What the owner noted about one day; no sign means that the owner felt well."""

    day: datetime.date
    signs: frozenset[Sign] = frozenset()
    met: frozenset[MetPerson] = frozenset()
    test: TestResult | None = None
    """None if there was no test, or no result yet."""

    def to_json(self) -> dict[str, object]:
        """Return the entry as commands print it."""
        return {
            "day": self.day.isoformat(),
            "signs": [sign.value for sign in Sign if sign in self.signs],
            "met": [each.value for each in MetPerson if each in self.met],
            "test": None if self.test is None else self.test.value,
        }


def read_diary(db: Database) -> list[DiaryEntry]:
    """Return all entries, newest first; a damaged row is left out."""
    rows = db.conn.execute("SELECT day, signs, met, test FROM diary ORDER BY day DESC")
    return [
        DiaryEntry(
            _EPOCH + datetime.timedelta(day),
            _members(Sign, signs),
            _members(MetPerson, met),
            None if test == 0 else list(TestResult)[test - 1],
        )
        for day, signs, met, test in rows
        if _is_row(day, signs, met, test)
    ]


def note_entry(db: Database, entry: DiaryEntry, today: datetime.date) -> None:
    """Store an entry in place of the day's earlier one.

    Raises
    ------
    NotPossible
        When the day is later than today, or more than 21 days ago (``diary_day``).
    StoreError
        When it cannot be written.
    """
    if not 0 <= (today - entry.day).days <= DIARY_DAYS:
        raise not_possible("diary_day")
    row = [
        (entry.day - _EPOCH).days,
        _bits(Sign, entry.signs),
        _bits(MetPerson, entry.met),
        0 if entry.test is None else 1 + list(TestResult).index(entry.test),
    ]
    with transaction(db):
        changed = db.conn.execute("DELETE FROM diary WHERE day = ?", row[:1]).rowcount
        db.conn.execute("INSERT INTO diary (day, signs, met, test) VALUES (?, ?, ?, ?)", row)
        if changed:
            note_deletion(db)
    if changed:
        _empty_log(db)


def remove_entry(db: Database, day: datetime.date) -> bool:
    """Remove a day's entry from the file too; return whether there was one.

    Raises
    ------
    StoreError
        When it cannot be written.
    """
    with transaction(db):
        number = (day - _EPOCH).days
        removed = db.conn.execute("DELETE FROM diary WHERE day = ?", [number]).rowcount
        if removed:
            note_deletion(db)
    if removed:
        _empty_log(db)
    return bool(removed)


def onsets(entries: Iterable[DiaryEntry]) -> list[datetime.date]:
    """Return the days on which an illness began, newest first.

    They are the days with a sign that have none on the three days before.
    """
    ill = {entry.day for entry in entries if entry.signs}
    before = [datetime.timedelta(days) for days in range(1, _GAP_DAYS + 1)]
    return sorted(
        (day for day in ill if ill.isdisjoint(day - each for each in before)), reverse=True
    )


def _is_row(*row: object) -> bool:
    # The table's checks see to this, but not where the file is damaged.
    return all(
        type(value) is int and 0 <= value <= most for value, most in zip(row, _MOST, strict=True)
    )


def _empty_log(db: Database) -> None:
    # If another process reads, or the disk is full, the next deletion makes up for it.
    with contextlib.suppress(StoreBusy, StoreFull):
        truncate_log(db)


def _bits(kind: type[enum.Enum], members: frozenset[_Member]) -> int:
    order: Sequence[enum.Enum] = list(kind)
    return sum(1 << order.index(each) for each in members)


def _members(kind: type[_Member], bits: int) -> frozenset[_Member]:
    return frozenset(each for place, each in enumerate(kind) if bits >> place & 1)
