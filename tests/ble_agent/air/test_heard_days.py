"""Counts of what was heard per day: kept, and yet never other than counted anew."""

from __future__ import annotations

import contextlib
import datetime
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ble_agent.air.heard_days import heard_by_day, keep_counts, local_day, utc_day_of
from ble_agent.authority.link import ServerLink
from ble_agent.exposures.checker import Checker
from ble_agent.store.database import (
    RETENTION_SECONDS,
    compact,
    delete_old,
    make_home,
    open_store,
)
from ble_agent.store.importers import import_log
from ble_agent.store.recovery import open_recovered
from tests.fixtures import old_homes
from tracing_core.clock import ManualClock
from tracing_core.store.database import Database
from tracing_core.store.sighting import Sighting, insert_sightings, write_json_lines
from tracing_core.store.sqlite import transaction

DAY = 86_400
NOON = 20_604 * DAY + DAY // 2
ZONES = ("UTC", "Asia/Ho_Chi_Minh", "America/Havana", "Pacific/Apia", "Asia/Kathmandu")


@contextlib.contextmanager
def time_zone(name: str) -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        yield
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()


def naive(db: Database, modifier: str = "") -> dict[datetime.date, int]:
    rows = db.conn.execute(
        f"SELECT date(seen_at, 'unixepoch' {modifier}), count(DISTINCT rpi) FROM sighting"
        " GROUP BY 1 ORDER BY 1"
    )
    return {datetime.date.fromisoformat(date): count for date, count in rows}


def kept(db: Database) -> list[tuple[int, int, int]]:
    return db.conn.execute("SELECT * FROM heard_day ORDER BY 1, 2").fetchall()


def heard(number: int, seen_at: int) -> Sighting:
    return Sighting(bytes([number]) * 16, bytes(4), (-60,), seen_at)


def add(db: Database, *sightings: Sighting) -> None:
    with transaction(db):
        insert_sightings(db, sightings)


NUMBERS = st.integers(0, 5)
AGO = st.integers(-2 * DAY, 15 * DAY)


class Days(RuleBasedStateMachine):
    """Anything that happens to a log, in any order and in any time zone."""

    @initialize(zone=st.sampled_from(ZONES))
    def begin(self, zone: str) -> None:
        self.stack = contextlib.ExitStack()
        self.stack.enter_context(time_zone(zone))
        self.home = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.db = self.stack.enter_context(open_store(self.home))
        self.now = float(NOON)

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()

    @rule(numbers=st.lists(NUMBERS, max_size=4), ago=AGO)
    def scan(self, numbers: list[int], ago: int) -> None:
        add(self.db, *(heard(number, int(self.now) - ago) for number in numbers))

    @rule(days=st.integers(1, 15))
    def fill(self, days: int) -> None:
        for ago in range(0, days * DAY, DAY // 3):
            add(self.db, heard(ago % 7, int(self.now) - ago))

    @rule(ago=AGO, number=NUMBERS)
    def take_over(self, ago: int, number: int) -> None:
        log = self.home / "log.jsonl"
        write_json_lines(log, [heard(number, int(self.now) - ago)])
        import_log(self.db, log, self.now)

    @rule(ago=AGO, number=NUMBERS)
    def write_as_another_program(self, ago: int, number: int) -> None:
        with contextlib.closing(sqlite3.connect(self.home / "agent.db")) as other, other:
            other.execute(
                "INSERT INTO sighting (rpi, aem, rssi_dbm, seen_at) VALUES (?, ?, ?, ?)",
                [bytes([number]) * 16, bytes(4), b"\xc4", int(self.now) - ago],
            )

    @rule(number=NUMBERS)
    def delete(self, number: int) -> None:
        self.db.conn.execute(
            "DELETE FROM sighting WHERE id = (SELECT min(id) FROM sighting WHERE rpi = ?)",
            [bytes([number]) * 16],
        )

    @rule(number=NUMBERS, other=NUMBERS, ago=AGO)
    def change(self, number: int, other: int, ago: int) -> None:
        self.db.conn.execute(
            "UPDATE sighting SET rpi = ?, seen_at = ? WHERE rpi = ?",
            [bytes([other]) * 16, int(self.now) - ago, bytes([number]) * 16],
        )

    @rule(days=st.sampled_from([0.1, 0.5, 1, 3, -2]))
    def pass_days(self, days: float) -> None:
        self.now += days * DAY

    @rule()
    def forget(self) -> None:
        with transaction(self.db):
            delete_old(self.db, self.now)

    @rule()
    def keep(self) -> None:
        keep_counts(self.db, self.now)

    @rule()
    def rewrite(self) -> None:
        compact(self.db)

    @rule(zone=st.sampled_from(ZONES))
    def travel(self, zone: str) -> None:
        os.environ["TZ"] = zone
        time.tzset()

    @rule()
    def read(self) -> None:
        heard_by_day(self.db, local_day, self.now)
        heard_by_day(self.db, utc_day_of, self.now)

    @invariant()
    def a_count_that_is_kept_is_right(self) -> None:
        if not hasattr(self, "db"):
            return
        for starts_at, ends_at, count in kept(self.db):
            (counted,) = self.db.conn.execute(
                "SELECT count(DISTINCT rpi) FROM sighting WHERE seen_at >= ? AND seen_at < ?",
                [starts_at, ends_at],
            ).fetchone()
            assert count == counted > 0

    @invariant()
    def nothing_differs_from_counting_anew(self) -> None:
        if not hasattr(self, "db"):
            return
        before = kept(self.db)
        assert heard_by_day(self.db, utc_day_of, self.now) == naive(self.db)
        assert heard_by_day(self.db, local_day, self.now) == naive(self.db, ", 'localtime'")
        # Reading keeps counts; that must not spare the rules that keep them.
        with transaction(self.db):
            self.db.conn.execute("DELETE FROM heard_day")
            self.db.conn.executemany("INSERT INTO heard_day VALUES (?, ?, ?)", before)


TestDays = Days.TestCase
TestDays.settings = settings(
    max_examples=20,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.parametrize(
    ("zone", "noon"),
    [
        # The clocks go back over midnight, forward at midnight, and skip a whole day.
        ("America/Havana", "2026-11-01T16:00Z"),
        ("America/Havana", "2026-03-08T16:00Z"),
        ("Asia/Beirut", "2026-03-29T12:00Z"),
        ("Asia/Beirut", "2026-10-25T12:00Z"),
        ("Pacific/Apia", "2011-12-30T12:00Z"),
    ],
)
def test_days_follow_the_clocks_of_the_place(tmp_path: Path, zone: str, noon: str) -> None:
    around = int(datetime.datetime.fromisoformat(noon).timestamp())
    with time_zone(zone), open_store(tmp_path) as db:
        moments = range(around - 2 * DAY, around + 2 * DAY, 600)
        add(db, *(heard(number % 256, at) for number, at in enumerate(moments)))
        counted = heard_by_day(db, local_day, around + 3 * DAY)
        assert counted == naive(db, ", 'localtime'")
        assert len(kept(db)) == len(counted)
        assert heard_by_day(db, local_day, around + 3 * DAY) == counted


def test_clocks_that_go_back_into_the_day_before_lose_nothing(tmp_path: Path) -> None:
    # St. John's, 28 October 2006: a minute after midnight it was a minute after eleven again.
    around = int(datetime.datetime(2006, 10, 29, 2, 30, tzinfo=datetime.UTC).timestamp())
    with time_zone("America/St_Johns"), open_store(tmp_path) as db:
        moments = range(around - 7200, around + 7200, 60)
        add(db, *(heard(number, at) for number, at in enumerate(moments)))
        assert sum(heard_by_day(db, local_day, around).values()) == len(moments)


def test_times_that_no_calendar_holds_are_passed_over(tmp_path: Path) -> None:
    with open_store(tmp_path) as db:
        add(db, heard(1, NOON), heard(2, NOON))
        db.conn.execute("UPDATE sighting SET seen_at = 1000000000000 WHERE id = 2")
        assert list(heard_by_day(db, local_day, NOON).values()) == [1]


def test_a_day_is_kept_once_it_is_over_and_none_that_is_about_to_be_deleted(
    tmp_path: Path,
) -> None:
    with time_zone("Asia/Ho_Chi_Minh"), open_store(tmp_path) as db:
        for ago in range(16):
            add(db, heard(1, NOON - ago * DAY))
        heard_by_day(db, utc_day_of, NOON)
        midnight = NOON - DAY // 2
        assert [row[0] for row in kept(db)] == [midnight - ago * DAY for ago in range(13, 0, -1)]


def test_a_running_agent_keeps_the_counts_whether_it_has_joined_or_not(tmp_path: Path) -> None:
    clock = ManualClock(float(NOON))
    with time_zone("UTC"), open_store(tmp_path) as db:
        for ago in range(5):
            add(db, heard(1, NOON - ago * DAY))
        Checker(ServerLink(tmp_path, clock), Random(1)).check()
        assert [count for _, _, count in kept(db)] == [1] * 4


def test_nothing_is_kept_of_what_was_forgotten(tmp_path: Path) -> None:
    with open_store(tmp_path) as db:
        add(db, heard(1, NOON - DAY), heard(2, NOON - 2 * DAY))
        for calendar in (local_day, utc_day_of):
            heard_by_day(db, calendar, NOON)
        assert kept(db)
        with transaction(db):
            delete_old(db, NOON + RETENTION_SECONDS)
        assert kept(db) == []


def test_a_scan_written_while_a_day_is_counted_is_not_missed(tmp_path: Path) -> None:
    with open_store(tmp_path) as db, open_store(tmp_path) as agent:
        add(db, heard(1, NOON - DAY))
        late: list[Sighting] = [heard(2, NOON - DAY)]

        def write_late(statement: str) -> None:
            if late and "INTO heard_day" in statement:
                add(agent, late.pop())

        db.conn.set_trace_callback(write_late)
        assert list(heard_by_day(db, utc_day_of, NOON).values()) == [1]
        db.conn.set_trace_callback(None)
        assert not late
        assert kept(db) == []
        assert list(heard_by_day(db, utc_day_of, NOON).values()) == [2]
        assert len(kept(db)) == 1


def test_days_are_counted_while_another_process_writes(tmp_path: Path) -> None:
    with open_store(tmp_path) as db, open_store(tmp_path) as agent:
        add(db, heard(1, NOON - DAY))
        with transaction(agent):
            insert_sightings(agent, [heard(2, NOON - DAY)])
            assert list(heard_by_day(db, utc_day_of, NOON).values()) == [1]
        assert list(heard_by_day(db, utc_day_of, NOON).values()) == [2]


def test_counts_of_a_damaged_database_are_made_anew(tmp_path: Path) -> None:
    make_home(tmp_path)
    with open_store(tmp_path) as db:
        for number in range(100):
            add(db, heard(number, NOON - DAY))
        assert list(heard_by_day(db, utc_day_of, NOON).values()) == [100]
    (tmp_path / "agent.damaged").touch()
    with open_recovered(tmp_path, NOON) as db:
        assert kept(db) == []
        assert list(heard_by_day(db, utc_day_of, NOON).values()) == [100]


def test_a_home_of_an_older_version_gets_counts(tmp_path: Path) -> None:
    home = old_homes.unpack("sqlite/agent", tmp_path)
    with open_store(home) as db:
        assert heard_by_day(db, utc_day_of, old_homes.NOW) == naive(db)
        assert kept(db)
