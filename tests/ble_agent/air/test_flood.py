"""Somebody floods the air: memory and disk stay bounded, and people's identifiers stay."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from ble_agent.air import day_sample, encounter_log
from ble_agent.air.encounter_log import EncounterLog, Scan
from ble_agent.radio.reception import Reception
from ble_agent.store.database import open_store
from ble_agent.store.state import SCAN
from tests.ble_agent.radio.captures import legacy_report
from tracing_core.clock import ManualClock
from tracing_core.protocol.advertisement import Advertisement
from tracing_core.store.sighting import select_sightings

DAY = 86_400
START = 20_000 * DAY


def person(number: int) -> Advertisement:
    return Advertisement(b"person".ljust(12) + number.to_bytes(4, "big"), b"aaaa")


def fake(number: int) -> Advertisement:
    return Advertisement(b"fake".ljust(12) + number.to_bytes(4, "big"), b"aaaa")


def scan_of(
    log: EncounterLog, clock: ManualClock, people: range, fakes: range, *, seed: int = 0
) -> None:
    packets = [person(number) for number in people for _ in range(4)]
    packets += [fake(number) for number in fakes]
    Random(seed).shuffle(packets)
    scan = log.begin()
    for packet in packets:
        scan.hear(packet, -60, clock.now())
    clock.advance(4)
    log.commit(scan)
    clock.advance(296)


def people_in(home: Path) -> Counter[bytes]:
    with open_store(home) as db:
        return Counter(row.rpi for row in select_sightings(db) if row.rpi.startswith(b"person"))


def test_each_newcomer_of_a_scan_stays_with_equal_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encounter_log, "MAX_IDENTIFIERS_PER_SCAN", 50)
    random, stayed = Random(3), Counter[int]()
    for _ in range(200):
        scan = Scan(START, random=random)
        for number in range(500):
            scan.hear(fake(number), -60, START)
        rows = scan.sightings(None, clock_suspect=False)
        assert len(rows) == 50
        assert scan.dropped_samples == 450
        stayed.update(int.from_bytes(row.rpi[12:], "big") // 100 for row in rows)
    # 10,000 kept, a fifth from each fifth: a deviation of 5 sigma is 200.
    assert all(abs(stayed[fifth] - 2000) < 200 for fifth in range(5))


def test_who_was_heard_before_stays_however_many_are_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encounter_log, "MAX_IDENTIFIERS_PER_SCAN", 50)
    clock = ManualClock(START)
    with open_store(tmp_path) as db:
        log = EncounterLog(db, clock, random=Random(1))
        scan_of(log, clock, range(20), range(0))
        for step in range(3):
            scan_of(log, clock, range(20), range(1000 * step, 1000 * (step + 1)), seed=step)
        # Of samples too: nobody who stays loses any.
        rows = [row for row in select_sightings(db) if row.rpi.startswith(b"person")]
    assert people_in(tmp_path) == {person(number).rpi: 4 for number in range(20)}
    assert all(len(row.rssi_dbm) == 4 for row in rows)


def test_a_scan_full_of_what_a_flood_repeats_has_room_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encounter_log, "MAX_IDENTIFIERS_PER_SCAN", 80)
    clock = ManualClock(START)
    with open_store(tmp_path) as db:
        log = EncounterLog(db, clock, random=Random(1))
        for step in range(4):
            scan_of(log, clock, range(0), range(80 * (step % 2), 80 * (step % 2 + 1)))
        for step in range(10):
            scan_of(log, clock, range(5), range(160), seed=step)
    heard = people_in(tmp_path)
    # As newcomers they find room, and later as much of it as each of 165.
    assert len(heard) == 5
    assert 15 < sum(heard.values()) < 40


def test_a_day_of_flood_keeps_what_was_there_and_who_is_heard_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encounter_log, "MAX_IDENTIFIERS_PER_SCAN", 100)
    monkeypatch.setattr(day_sample, "MAX_SIGHTINGS_PER_DAY", 1000)
    clock = ManualClock(START)
    with open_store(tmp_path) as db:
        log = EncounterLog(db, clock, random=Random(1))
        for _ in range(10):
            scan_of(log, clock, range(30), range(0))
        before = [row.rpi for row in select_sightings(db)]
        for step in range(100):
            if step == 50:
                # A restart forgets nothing of the bounds.
                log = EncounterLog(db, clock, random=Random(2))
            fakes = range(500 * step, 500 * (step + 1))
            scan_of(log, clock, range(100, 103), fakes, seed=step)
        rows = list(select_sightings(db))
        assert [row.rpi for row in rows[: len(before)]] == before
        assert len([row for row in rows if START <= row.seen_at < START + DAY]) == 1000
        dropped = SCAN.get(db)["dropped_samples"]
    # Every packet is either in the log or counted.
    assert sum(len(row.rssi_dbm) for row in rows) + dropped == 10 * 30 * 4 + 100 * (3 * 4 + 500)
    heard = people_in(tmp_path)
    assert all(heard[person(number).rpi] >= 90 for number in range(100, 103))


@pytest.mark.parametrize("restarts", [False, True])
def test_a_flood_that_repeats_itself_shuts_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restarts: bool
) -> None:
    monkeypatch.setattr(encounter_log, "MAX_IDENTIFIERS_PER_SCAN", 100)
    monkeypatch.setattr(day_sample, "MAX_SIGHTINGS_PER_DAY", 1000)
    clock = ManualClock(START)
    with open_store(tmp_path) as db:
        log = EncounterLog(db, clock, random=Random(1))
        for step in range(200):
            if restarts and step == 100:
                log = EncounterLog(db, clock, random=Random(2))
            # When these come, all that a day may bring was heard in two scans or more.
            scan_of(log, clock, range(20 * (step > 20)), range(70), seed=step)
        rows = [row for row in select_sightings(db) if row.seen_at < START + DAY]
    assert len(rows) == 1000
    # 3,580 of 17,000, and so about 105 of the 500 that are drawn: 5 sigma is 46. A restart knows
    # nothing of what was left out, and favours what comes after it.
    assert 55 < sum(people_in(tmp_path).values()) < (200 if restarts else 155)


def test_a_flood_of_one_identifier_with_changing_metadata_drives_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encounter_log, "MAX_IDENTIFIERS_PER_SCAN", 100)
    monkeypatch.setattr(day_sample, "MAX_SIGHTINGS_PER_DAY", 1000)
    clock = ManualClock(START)
    numbers = iter(range(10**6))
    with open_store(tmp_path) as db:
        log = EncounterLog(db, clock, random=Random(1))
        for _ in range(60):
            scan = log.begin()
            for _ in range(97):
                scan.hear(Advertisement(bytes(16), next(numbers).to_bytes(4)), -60, clock.now())
            for number in range(3):
                scan.hear(person(number), -60, clock.now())
            clock.advance(300)
            log.commit(scan)
    heard = people_in(tmp_path)
    assert all(heard[person(number).rpi] >= 55 for number in range(3)), heard


def test_the_sample_of_a_day_is_fair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encounter_log, "MAX_IDENTIFIERS_PER_SCAN", 100)
    monkeypatch.setattr(day_sample, "MAX_SIGHTINGS_PER_DAY", 2000)
    clock = ManualClock(START)
    with open_store(tmp_path) as db:
        log = EncounterLog(db, clock, random=Random(5))
        for step in range(200):
            scan_of(log, clock, range(0), range(100 * step, 100 * (step + 1)))
        numbers = [int.from_bytes(row.rpi[12:], "big") for row in select_sightings(db)]
    later = [number for number in numbers if number >= 1000]
    assert len(numbers) == 2000
    quarters = Counter((number - 1000) * 4 // 19_000 for number in later)
    # 1000 of 19,000, a quarter from each: 5 sigma is 68.
    assert all(abs(quarters[quarter] - 250) < 70 for quarter in range(4)), quarters


FLOOD = """
import resource, sys
sys.modules.update(dict.fromkeys(["numpy", "numba", "rich"]))
from pathlib import Path
from random import Random
from ble_agent.air.encounter_log import EncounterLog
from ble_agent.store.database import open_store
from ble_agent.store.state import SCAN
from tracing_core.protocol.advertisement import Advertisement
from tracing_core.clock import ManualClock

def kilobytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

clock, random = ManualClock(20_000 * 86_400), Random(1)
with open_store(Path(sys.argv[1])) as db:
    log = EncounterLog(db, clock, random=random)
    scan = log.begin()
    for number in range(200):
        scan.hear(Advertisement(number.to_bytes(16, "big"), bytes(4)), -60, clock.now())
    log.commit(scan)
    before = kilobytes()
    for _ in range(50):
        clock.advance(300)
        scan = log.begin()
        for _ in range(20_000):
            scan.hear(Advertisement(random.randbytes(16), bytes(4)), -60, clock.now())
        log.commit(scan)
    (kept,) = db.conn.execute("SELECT count(*) FROM sighting WHERE rpi < zeroblob(14)").fetchone()
    (rows,) = db.conn.execute("SELECT count(*) FROM sighting").fetchone()
    print(kilobytes() - before, rows, kept, SCAN.get(db)["dropped_samples"])
"""


def test_a_million_invented_identifiers_take_little_memory_and_disk(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FLOOD, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    grown_kilobytes, rows, _, dropped = map(int, done.stdout.split())
    with open_store(tmp_path) as db:
        first = [row.rpi for row, _ in zip(select_sightings(db), range(200), strict=False)]
    assert first == [number.to_bytes(16, "big") for number in range(200)]
    assert rows == day_sample.MAX_SIGHTINGS_PER_DAY
    assert rows + dropped == 1_000_200
    assert grown_kilobytes < 40_000
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert size < 12 << 20, size


def test_a_burst_of_twenty_thousand_packets_in_a_scan_loses_none(tmp_path: Path) -> None:
    # 5,000 a second for the 4 seconds of a scan, from 300 senders, as the controller hands them on.
    clock, random = ManualClock(START), Random(1)
    senders = [Advertisement(random.randbytes(16), random.randbytes(4)) for _ in range(300)]
    events = [legacy_report((sender.encode(), -60)) for sender in senders]
    reception = Reception()
    with open_store(tmp_path) as db:
        log = EncounterLog(db, clock)
        scan = log.begin()
        for number in range(20_000):
            event = events[number % len(events)]
            for heard in reception.read_event(event, clock.now()):
                scan.hear(heard.advertisement, heard.rssi_dbm, heard.heard_at)
        log.commit(scan)
        rows = list(select_sightings(db))
        assert SCAN.get(db)["dropped_samples"] == 0
    assert len(rows) == 300
    assert sum(len(row.rssi_dbm) for row in rows) == 20_000
    assert not reception.rejected
