from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ble_agent.air import encounter_log
from ble_agent.air.clock_watch import ClockWatch
from ble_agent.air.encounter_log import EncounterLog, Scan, Upkeep
from ble_agent.store.database import compact, forget, open_store
from ble_agent.store.state import SCAN
from tracing_core.clock import ManualClock
from tracing_core.errors import StoreBusy, StoreFull
from tracing_core.protocol.advertisement import Advertisement
from tracing_core.store.database import Database
from tracing_core.store.field_values import LATEST_MOMENT
from tracing_core.store.sighting import select_sightings
from tracing_core.store.sqlite import transaction

DAY = 86_400
START = 19_000 * DAY + 40_000


def heard(number: int) -> Advertisement:
    return Advertisement(number.to_bytes(16, "big"), b"aaaa")


def hear(log: EncounterLog, clock: ManualClock, *numbers: int, rssi_dbm: int = -60) -> int:
    scan = log.begin()
    for number in numbers:
        scan.hear(heard(number), rssi_dbm, clock.now())
    clock.advance(4)
    return log.commit(scan)


def test_samples_of_one_identifier_and_scan_are_one_sighting(tmp_path: Path) -> None:
    clock = ManualClock(START)
    with open_store(tmp_path) as db:
        log = EncounterLog(db, clock)
        scan = log.begin()
        for number, rssi_dbm, offset in [(1, -60, 0.2), (2, -90, 0.3), (1, -62, 0.9), (1, 20, 3)]:
            scan.hear(heard(number), rssi_dbm, START + offset)
        assert log.commit(scan) == 2
        rows = list(select_sightings(db))
    assert [(row.rpi[-1], row.rssi_dbm) for row in rows] == [(1, (-60, -62, 20)), (2, (-90,))]
    assert {row.seen_at for row in rows} == {START}
    assert {row.previous_scan_at for row in rows} == {None}


def test_one_identifier_with_two_metadata_is_two_sightings(tmp_path: Path) -> None:
    with open_store(tmp_path) as db:
        log = EncounterLog(db, ManualClock(START))
        scan = log.begin()
        scan.hear(Advertisement(bytes(16), b"aaaa"), -60, START)
        scan.hear(Advertisement(bytes(16), b"bbbb"), -60, START)
        assert log.commit(scan) == 2


def test_the_scan_before_is_known_after_a_restart_and_counts_when_it_heard_nothing(
    tmp_path: Path,
) -> None:
    clock = ManualClock(START)
    with open_store(tmp_path) as db:
        assert hear(EncounterLog(db, clock), clock) == 0
    clock.advance(300)
    with open_store(tmp_path) as db:
        hear(EncounterLog(db, clock), clock, 1)
        (row,) = select_sightings(db)
    assert row.previous_scan_at == START
    assert row.seen_at == START + 304


def test_a_clock_set_back_is_suspect_until_it_shows_what_it_showed(tmp_path: Path) -> None:
    clock = ManualClock(START)
    suspect = []
    with open_store(tmp_path) as db:
        log = EncounterLog(db, clock)
        for step in range(8):
            hear(log, clock, step)
            clock.advance(3596)
            if step == 2:
                clock.jump(clock.now() - 3 * 3600)
        suspect = [row.clock_suspect for row in select_sightings(db)]
        previous = [row.previous_scan_at for row in select_sightings(db)]
    assert suspect == [False, False, False, True, True, True, False, False]
    assert previous[3] is None
    assert previous[4] is not None


def test_a_clock_set_back_while_the_device_was_off_is_suspect(tmp_path: Path) -> None:
    clock = ManualClock(START)
    with open_store(tmp_path) as db:
        hear(EncounterLog(db, clock), clock, 1)
    clock = ManualClock(START - 2 * DAY)
    with open_store(tmp_path) as db:
        hear(EncounterLog(db, clock), clock, 2)
        assert [row.clock_suspect for row in select_sightings(db)] == [False, True]


def test_a_jump_back_that_stays_after_the_last_scan_is_seen_by_the_monotonic_clock(
    tmp_path: Path,
) -> None:
    clock = ManualClock(START)
    with open_store(tmp_path) as db:
        log = EncounterLog(db, clock)
        hear(log, clock, 1)
        clock.advance(6 * 3600)
        clock.jump(clock.now() - 3 * 3600)
        hear(log, clock, 2)
        assert [row.clock_suspect for row in select_sightings(db)] == [False, True]


def test_a_clock_set_back_during_a_scan_is_suspect(tmp_path: Path) -> None:
    clock = ManualClock(START)
    with open_store(tmp_path) as db:
        log = EncounterLog(db, clock)
        scan = log.begin()
        scan.hear(heard(1), -60, clock.now())
        clock.jump(START - 7200)
        log.commit(scan)
        assert [row.clock_suspect for row in select_sightings(db)] == [True]


def test_corrections_of_less_than_a_minute_are_not_suspect(tmp_path: Path) -> None:
    clock = ManualClock(START)
    with open_store(tmp_path) as db:
        log = EncounterLog(db, clock)
        for _ in range(5):
            hear(log, clock, 1)
            clock.advance(290)
            clock.jump(clock.now() - 30)
        assert not any(row.clock_suspect for row in select_sightings(db))


def test_a_clock_that_ran_ahead_once_is_believed_again_after_fourteen_days_of_scans(
    tmp_path: Path,
) -> None:
    clock = ManualClock(START + 365 * DAY)
    with open_store(tmp_path) as db:
        log = EncounterLog(db, clock)
        hear(log, clock, 0)
        clock.jump(START)
        watch = log.watch
        for _ in range(14 * DAY // 300 + 1):
            clock.advance(300)
            watch.count_scan(watch.is_suspect())
        hear(log, clock, 1)
        assert list(select_sightings(db))[-1].clock_suspect is False


def test_every_scan_under_a_clock_that_ran_ahead_counts_towards_its_being_believed(
    tmp_path: Path,
) -> None:
    clock = ManualClock(START + 365 * DAY)
    with open_store(tmp_path) as db:
        log = EncounterLog(db, clock, watch=ClockWatch(clock, scans_until_believed=2))
        hear(log, clock, 0)
        clock.jump(START)
        for number in range(1, 5):
            clock.advance(300)
            hear(log, clock, number)
        suspect = [row.clock_suspect for row in select_sightings(db)]
    assert suspect == [False, True, True, True, False]


@pytest.mark.parametrize(("moment", "suspect"), [(1_585_699_199, True), (1_585_699_200, False)])
def test_a_clock_that_shows_a_time_before_april_2020_was_never_set(
    moment: int, suspect: bool
) -> None:
    assert ClockWatch(ManualClock(moment)).is_suspect() is suspect


@pytest.mark.parametrize("moment", [LATEST_MOMENT, LATEST_MOMENT + 30 * DAY])
def test_what_is_heard_by_an_impossible_clock_can_be_read_again(
    tmp_path: Path, moment: int
) -> None:
    clock = ManualClock(START)
    with open_store(tmp_path) as db:
        log = EncounterLog(db, clock)
        hear(log, clock, 1)
        clock.jump(moment)
        hear(log, clock, 2)
        clock.jump(START + 300)
        hear(log, clock, 3)
        assert [row.rpi[-1] for row in select_sightings(db)] == [1, 2, 3]


def test_what_is_older_than_fourteen_days_is_gone_from_the_files(tmp_path: Path) -> None:
    clock = ManualClock(START)
    numbers = iter(range(2**64, 2**66))
    sent: list[tuple[float, bytes]] = []
    with open_store(tmp_path) as db:
        log = EncounterLog(db, clock)
        for _ in range(17 * 24):
            batch = [next(numbers) * 0x9E3779B97F4A7C15 % 2**128 for _ in range(7)]
            sent += [(clock.now(), heard(number).rpi) for number in batch]
            hear(log, clock, *batch)
            log.tidy()
            clock.advance(3596)
        raw = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    hour = 3600
    old = [rpi for at, rpi in sent if at < clock.now() - 14 * DAY - hour]
    young = [rpi for at, rpi in sent if at >= clock.now() - 14 * DAY + hour]
    assert len(old) > 400
    assert not [rpi for rpi in old if rpi in raw]
    assert all(rpi in raw for rpi in young)


def test_forget_empties_the_files_at_once(tmp_path: Path) -> None:
    clock = ManualClock(START)
    with open_store(tmp_path) as db:
        hear(EncounterLog(db, clock), clock, 2**127 + 12345)
        rpi = heard(2**127 + 12345).rpi
        assert forget(db, START + 14 * DAY) == 0
        assert rpi in b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert forget(db, START + 14 * DAY + 1) == 1
        assert rpi not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_a_flood_in_one_scan_is_bounded_and_counted(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(encounter_log, "MAX_IDENTIFIERS_PER_SCAN", 50)
    monkeypatch.setattr(encounter_log, "MAX_SAMPLES_PER_IDENTIFIER", 3)
    clock = ManualClock(START)
    with open_store(tmp_path) as db:
        log = EncounterLog(db, clock)
        assert hear(log, clock, 1, 1, 1, 1, 1, *range(2, 100)) == 50
        rows = list(select_sightings(db))
        dropped = SCAN.get(db)["dropped_samples"]
    assert len(rows) == 50
    # Chance decides whether the one heard five times stays; of it three samples do.
    samples = sorted(len(row.rssi_dbm) for row in rows)
    assert samples in ([1] * 50, [1] * 49 + [3])
    assert sum(samples) + dropped == 5 + 98


def wait_briefly(db: Database) -> None:
    """Let a connection give up on a locked database after 10 ms."""
    db.conn.execute("PRAGMA busy_timeout = 10")


def test_a_scan_that_cannot_be_written_is_written_with_the_next(tmp_path: Path) -> None:
    clock = ManualClock(START)
    with open_store(tmp_path) as db, open_store(tmp_path) as other:
        wait_briefly(db)
        log = EncounterLog(db, clock)
        other.conn.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy, match="in use by another process"):
            hear(log, clock, 1)
        other.conn.rollback()
        clock.advance(300)
        hear(log, clock, 2)
        rows = list(select_sightings(db))
    assert [(row.rpi[-1], row.seen_at) for row in rows] == [(1, START), (2, START + 304)]


samples = st.lists(
    st.tuples(st.integers(0, 5), st.integers(-127, 20), st.floats(0, 4)), max_size=20
)


class EncounterLogMachine(RuleBasedStateMachine):
    """Scans, restarts and passing days; the model is a plain list."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = ManualClock(START)
        self.model: list[tuple[int, bytes, tuple[int, ...]]] = []
        self.open()

    def open(self) -> None:
        self.store = open_store(Path(self.folder.name))
        self.db = self.store.__enter__()
        self.log = EncounterLog(self.db, self.clock)

    def fill(self, scan: Scan, heard_samples: list[tuple[int, int, float]]) -> None:
        for number, rssi_dbm, offset in heard_samples:
            scan.hear(heard(number), rssi_dbm, self.clock.now() + offset)

    @rule(heard_samples=samples, gap=st.integers(210, 300))
    def scan(self, heard_samples: list[tuple[int, int, float]], gap: int) -> None:
        scan = self.log.begin()
        self.fill(scan, heard_samples)
        rows: dict[int, tuple[int, list[int]]] = {}
        for number, rssi_dbm, offset in heard_samples:
            first = int(self.clock.now() + offset)
            rows.setdefault(number, (first, []))[1].append(rssi_dbm)
        self.clock.advance(4)
        self.log.commit(scan)
        self.model += [(at, heard(n).rpi, tuple(rssi)) for n, (at, rssi) in rows.items()]
        self.forget_old()
        self.clock.advance(gap)

    def forget_old(self) -> None:
        oldest = self.clock.now() - 14 * DAY
        self.model = [row for row in self.model if row[0] >= oldest]

    @rule(heard_samples=samples)
    def die_during_a_scan(self, heard_samples: list[tuple[int, int, float]]) -> None:
        self.fill(self.log.begin(), heard_samples)
        self.restart()

    @rule()
    def restart(self) -> None:
        self.store.__exit__(None, None, None)
        self.open()

    @rule(days=st.integers(1, 16))
    def pass_days(self, days: int) -> None:
        self.clock.advance(days * DAY)
        forget(self.db, self.clock.now())
        self.forget_old()

    @invariant()
    def the_log_holds_every_sample_of_fourteen_days(self) -> None:
        if hasattr(self, "db"):
            rows = [(row.seen_at, row.rpi, row.rssi_dbm) for row in select_sightings(self.db)]
            assert rows == self.model

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.__exit__(None, None, None)
            self.folder.cleanup()


TestEncounterLogMachine = EncounterLogMachine.TestCase
TestEncounterLogMachine.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)


def batches(db: Database) -> int:
    return int(db.table("batch").count)


def test_what_is_written_late_is_compared_with_keys_that_were_used_meanwhile(
    tmp_path: Path,
) -> None:
    clock = ManualClock(START)
    with open_store(tmp_path) as db, open_store(tmp_path) as other:
        wait_briefly(db)
        log = EncounterLog(db, clock)
        db.execute("INSERT INTO batch VALUES ('1.zip', 1)")
        hear(log, clock, 1)
        assert batches(db) == 1
        with transaction(other), pytest.raises(StoreBusy):
            hear(log, clock, 2)
        clock.advance(3600)
        hear(log, clock)
        assert batches(db) == 0
        db.execute("INSERT INTO batch VALUES ('1.zip', 1)")
        hear(EncounterLog(db, ManualClock(START - DAY), is_recording=True), clock)
        assert batches(db) == 1
        recording = ManualClock(START - DAY)
        hear(EncounterLog(db, recording, is_recording=True), recording, 3)
        assert batches(db) == 0


def test_a_database_that_opens_late_takes_what_was_heard_and_what_it_knows_counts(
    tmp_path: Path,
) -> None:
    clock = ManualClock(START)
    with open_store(tmp_path) as db:
        before = EncounterLog(db, clock)
        hear(before, clock, 1)
    # Set back while the device was off: nobody knows until the database is open.
    clock.jump(START - 7200)
    log = EncounterLog(None, clock)
    for number in (2, 3):
        with pytest.raises(StoreFull, match="free some space"):
            hear(log, clock, number)
        clock.advance(300)
    with open_store(tmp_path) as db:
        log.open(db)
        hear(log, clock, 4)
        clock.advance(7200)
        hear(log, clock, 5)
        rows = list(select_sightings(db))
    assert [row.rpi[-1] for row in rows] == [1, 2, 3, 4, 5]
    assert [row.clock_suspect for row in rows] == [False, True, True, True, False]
    assert rows[2].previous_scan_at == START - 7200


def test_a_disk_without_room_for_a_second_copy_keeps_no_scan_in_memory(
    tmp_path: Path,
) -> None:
    clock = ManualClock(START)
    is_full = True

    def compact_if_room(db: Database) -> bool:
        if is_full:
            raise StoreFull("the disk is full: free some space")
        return compact(db)

    with open_store(tmp_path) as db:
        log = EncounterLog(db, clock, upkeep=Upkeep(compact=compact_if_room))
        assert hear(log, clock, 1) == 1
        assert len(list(select_sightings(db))) == 1
        is_full = False
        clock.advance(DAY)
        hear(log, clock, 2)
        clock.advance(15 * DAY)
        hear(log, clock)
    assert b"aaaa" not in (tmp_path / "agent.db").read_bytes()
