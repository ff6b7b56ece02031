"""The diary: one entry a day, nothing but answers, 21 days, and never silently wrong."""

from __future__ import annotations

import datetime
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ble_agent.air.future_rows import forget_future
from ble_agent.owner.health.diary import (
    DiaryEntry,
    MetPerson,
    Sign,
    TestResult,
    note_entry,
    onsets,
    read_diary,
    remove_entry,
)
from ble_agent.store.damage import MARK_NAME
from ble_agent.store.database import DIARY_DAYS, compact, forget, make_home, open_store
from ble_agent.store.home import exclusive_use
from ble_agent.store.recovery import start_over
from tests.ble_agent.app.test_whom_it_concerns import NOW
from tracing_core.clock import local_date
from tracing_core.errors import NotPossible
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction

DAY = 86_400
TODAY = local_date(NOW)
ONE = datetime.timedelta(1)
ROW = bytes([63, 7])
"""What the file holds of an entry with every sign and every person."""

ENTRIES = st.builds(
    DiaryEntry,
    st.integers(0, DIARY_DAYS).map(lambda days: TODAY - days * ONE),
    st.frozensets(st.sampled_from(Sign)),
    st.frozensets(st.sampled_from(MetPerson)),
    st.none() | st.sampled_from(TestResult),
)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    make_home(tmp_path / "home")
    with open_store(tmp_path / "home") as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    home = tmp_path_factory.mktemp("diary") / "home"
    make_home(home)
    with open_store(home) as opened:
        yield opened


@given(st.lists(ENTRIES, max_size=40))
def test_of_a_day_the_last_entry_counts(shared: Database, entries: list[DiaryEntry]) -> None:
    with transaction(shared):
        shared.conn.execute("DELETE FROM diary")
    for entry in entries:
        note_entry(shared, entry, TODAY)
    last = {entry.day: entry for entry in entries}
    assert read_diary(shared) == sorted(last.values(), key=lambda each: each.day, reverse=True)


@pytest.mark.parametrize("days", [-1, -400, DIARY_DAYS + 1, 4_000])
def test_other_days_are_refused_and_change_nothing(db: Database, days: int) -> None:
    note_entry(db, DiaryEntry(TODAY, frozenset({Sign.FEVER})), TODAY)
    with pytest.raises(NotPossible) as caught:
        note_entry(db, DiaryEntry(TODAY - days * ONE), TODAY)
    assert caught.value.code == "diary_day"
    assert [entry.day for entry in read_diary(db)] == [TODAY]


def test_the_table_takes_answers_and_nothing_else(db: Database) -> None:
    for row in (
        (1, 64, 0, 0),
        (1, 0, 8, 0),
        (1, 0, 0, 3),
        (1, -1, 0, 0),
        (-1, 0, 0, 0),
        (100_000, 0, 0, 0),
        (1, "fever", 0, 0),
        (1, None, 0, 0),
    ):
        with pytest.raises(sqlite3.IntegrityError):
            db.conn.execute("INSERT INTO diary VALUES (?, ?, ?, ?)", row)
    assert db.conn.execute("SELECT count(*) FROM diary").fetchone() == (0,)


def test_a_damaged_row_takes_no_other_with_it(db: Database) -> None:
    note_entry(db, DiaryEntry(TODAY, frozenset(Sign), frozenset(MetPerson)), TODAY)
    # What a flipped bit makes of a row.
    db.conn.execute("PRAGMA ignore_check_constraints = ON")
    for row in ((20_000, 0, 0, 7), (20_001, 70, 0, 0), (20_002, 0, -3, 0), (9_999_999, 0, 0, 0)):
        db.conn.execute("INSERT INTO diary VALUES (?, ?, ?, ?)", row)
    assert [entry.day for entry in read_diary(db)] == [TODAY]


def test_what_can_be_read_of_a_damaged_database_is_kept(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_home(home)
    kept = [
        DiaryEntry(TODAY - days * ONE, frozenset({Sign.COUGH}), test=TestResult.POSITIVE)
        for days in range(5)
    ]
    with open_store(home) as db:
        for entry in kept:
            note_entry(db, entry, TODAY)
    # The page of the schema is lost.
    with (home / "agent.db").open("r+b") as file:
        file.write(b"\xa5" * 4_096)
    (home / MARK_NAME).touch(0o600)
    with exclusive_use(home):
        start_over(home, NOW)
    with open_store(home) as db:
        assert read_diary(db) == kept


def test_after_21_days_an_entry_is_gone_from_the_file_too(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_home(home)
    with open_store(home) as db:
        note_entry(db, DiaryEntry(TODAY, frozenset(Sign), frozenset(MetPerson)), TODAY)
        midnight = NOW - time.localtime(NOW).tm_hour * 3_600
        assert forget(db, midnight + DIARY_DAYS * DAY + DAY - 7_200) == 0
        assert len(read_diary(db)) == 1
        assert forget(db, NOW + (DIARY_DAYS + 1) * DAY) == 1
        assert read_diary(db) == []
        compact(db)
    for path in home.glob("agent.db*"):
        assert ROW not in path.read_bytes(), path.name


def test_what_was_removed_or_replaced_is_gone_from_the_file(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_home(home)
    with open_store(home) as db:
        note_entry(db, DiaryEntry(TODAY, frozenset(Sign), frozenset(MetPerson)), TODAY)
        assert any(ROW in path.read_bytes() for path in home.glob("agent.db*"))
        note_entry(db, DiaryEntry(TODAY), TODAY)
        assert remove_entry(db, TODAY)
        assert not remove_entry(db, TODAY)
        compact(db)
    for path in home.glob("agent.db*"):
        assert ROW not in path.read_bytes(), path.name


def test_a_day_of_a_clock_that_ran_ahead_is_forgotten_once_that_is_certain(db: Database) -> None:
    ahead = TODAY + 400 * ONE
    note_entry(db, DiaryEntry(ahead), ahead)
    note_entry(db, DiaryEntry(TODAY), TODAY)
    assert forget_future(db, NOW) == 0
    assert forget_future(db, NOW + DAY) == 1
    assert [entry.day for entry in read_diary(db)] == [TODAY]


def ill(*days: int) -> list[DiaryEntry]:
    return [DiaryEntry(TODAY - day * ONE, frozenset({Sign.FEVER})) for day in days]


@pytest.mark.parametrize(
    ("days", "first"),
    [
        ((), ()),
        ((3,), (3,)),
        ((5, 4, 3), (5,)),
        # An illness comes and goes.
        ((8, 5, 2), (8,)),
        ((8, 4), (4, 8)),
        ((20, 19, 6, 5, 4), (6, 20)),
    ],
)
def test_the_first_day_of_each_illness(days: tuple[int, ...], first: tuple[int, ...]) -> None:
    entries = [*ill(*days), DiaryEntry(TODAY - 21 * ONE), DiaryEntry(TODAY)]
    assert onsets(entries) == [TODAY - day * ONE for day in first]


def test_a_day_is_one_of_the_owner_s_calendar(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 23:30 in Hanoi is 16:30 UTC; half an hour later the owner's day is another.
    evening = datetime.datetime(2021, 8, 28, 16, 30, tzinfo=datetime.UTC).timestamp()
    monkeypatch.setenv("TZ", "Asia/Ho_Chi_Minh")
    time.tzset()
    try:
        note_entry(db, DiaryEntry(local_date(evening)), local_date(evening))
        later = evening + 1_800
        note_entry(db, DiaryEntry(local_date(later)), local_date(later))
        assert [str(entry.day) for entry in read_diary(db)] == ["2021-08-29", "2021-08-28"]
    finally:
        monkeypatch.undo()
        time.tzset()
