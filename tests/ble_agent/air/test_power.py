"""Two hundred kills at random moments, and a disk that fails at random: nothing lost or doubled.

The writer is a process of its own, forked from one that has everything loaded, so that a round
takes a tenth of a second; `test_crash.py` kills whole agents on the air.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from ble_agent.air.key_ring import KeyRing
from ble_agent.store.database import open_store
from tests.ble_agent.agents import environment
from tracing_core.protocol.interval import interval_number, rolling_start
from tracing_core.store.sighting import select_sightings

ROUNDS = 200
START = 20_000 * 86_400

LIFE = """
import json, os, random, resource, signal, sys, time
from pathlib import Path

from ble_agent.air.encounter_log import EncounterLog, Upkeep
from ble_agent.air.key_ring import KeyRing
from ble_agent.exposures.files.key_files import KeyFile
from ble_agent.exposures.matched_keys import take_key_file
from ble_agent.store.database import open_store
from matcher import SightingIndex
from tracing_core.clock import ManualClock
from tracing_core.errors import StoreError
from tracing_core.export_file import ExportFile
from tracing_core.protocol.advertisement import Advertisement
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.protocol.interval import interval_number, rolling_start
from tracing_core.protocol.rolling_proximity_identifier import rpis_of
from tracing_core.store.sighting import Sighting
from tracing_core.protocol.temporary_exposure_key import TemporaryExposureKey

home, rounds, mode = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
START = 20_000 * 86_400


def key_of(number):
    start = rolling_start(interval_number(START + 1200.0 * number))
    return DiagnosisKey(number.to_bytes(16, "big"), start)


def near(number):
    # One who was near the sender of each batch's key, at the beginning of its day.
    key = key_of(number)
    tek = TemporaryExposureKey(key.key_data, key.rolling_start_interval_number)
    seen_at = 600 * tek.rolling_start_interval_number + 1900
    return Sighting(rpis_of(tek)[3], bytes(4), (-50,), seen_at)


def live(tell, first, fault):
    clock = ManualClock(START + 1200.0 * first)
    number = first
    with open_store(home) as db:
        # What is written late lets every batch be matched again; here each shall be found once.
        log = EncounterLog(db, clock, upkeep=Upkeep(late_seconds=float("inf")))
        ring = KeyRing(db)
        while True:
            number += 1
            clock.advance(1200)
            fault()
            scan = log.begin()
            scan.hear(Advertisement(number.to_bytes(16, "little"), bytes(4)), -60, clock.now())
            tell(heard=number)
            try:
                log.commit(scan)
                tell(logged=number)
            except StoreError:
                pass
            try:
                sent = ring.next_advertisement(clock.now(), Metadata(0))
                if sent is not None:
                    tell(sent=sent.rpi.hex(), interval=interval_number(clock.now()))
            except StoreError:
                pass
            export = ExportFile(0, 1, "VN", (key_of(number),), ())
            try:
                file = KeyFile(f"{number}.zip", export, f"{number:064x}", f"{number:064x}")
                take_key_file(db, file, SightingIndex([near(number)]), clock)
                tell(taken=number)
            except StoreError:
                pass


def healthy():
    pass


def failing():
    # Beyond so many bytes every write of this process meets EFBIG, from the kernel itself.
    limit = random.choice([0, 512, 8192, 20_000, 60_000] + 6 * [hard])
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))


_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
chance = random.Random(4)
reached = 0
for turn in range(rounds):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)

        def tell(**facts):
            os.write(write, json.dumps({"round": turn, **facts}).encode() + b"\\n")

        random.seed(turn)
        live(tell, reached, failing if mode == "failing" else healthy)
    os.close(write)
    lines = []
    with os.fdopen(read) as told:
        if turn % 10:
            # So far by its own clock, however busy the machine is, and then a moment further.
            lines += [told.readline() for _ in range(chance.randrange(1, 80))]
            time.sleep(chance.uniform(0.0, 0.01))
        else:
            # Now and then it is killed while it opens the database.
            time.sleep(chance.uniform(0.0, 0.1))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        lines += told
    lines = [line for line in lines if line.endswith("\\n")]
    for line in lines:
        reached = max(reached, json.loads(line).get("heard", 0))
    sys.stdout.writelines(lines)
"""


def lives(home: Path, mode: str, rounds: int = ROUNDS) -> list[dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-c", LIFE, str(home), str(rounds), mode],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def stored(home: Path) -> tuple[list[int], list[int], list[int]]:
    """Return the scans of the log, the batches used and the keys that matched, by number."""
    with open_store(home) as db:
        scans = [int.from_bytes(row.rpi, "little") for row in select_sightings(db)]
        batches = [int(name.partition(".")[0]) for (name,) in db.execute("SELECT name FROM batch")]
        keys = [
            int.from_bytes(key, "big") for (key,) in db.execute("SELECT key_data FROM matched_key")
        ]
        assert db.conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    return scans, batches, keys


def check_identifiers(home: Path, told: list[dict[str, object]]) -> None:
    sent = [line["sent"] for line in told if "sent" in line]
    assert len(sent) == len(set(sent)) > 100
    with open_store(home) as db:
        last = max(int(str(line["heard"])) for line in told if "heard" in line)
        days = 14
        now = START + 1200.0 * last
        keys = KeyRing(db).keys_to_report(now)
        starts = [key.rolling_start_interval_number for key in keys]
        assert len(starts) == len(set(starts))
        assert len({key.key_data for key in keys}) == len(keys)
        # Whatever was sent can be reported: its key is the one that the ring still has.
        intervals = [int(str(line["interval"])) for line in told if "interval" in line]
        oldest = interval_number(now - days * 86_400)
        used = {rolling_start(interval_number(each * 600.0)) for each in intervals}
        assert {start for start in used if start + 144 > oldest} <= set(starts)


def test_two_hundred_kills_lose_at_most_a_scan_each_and_double_nothing(tmp_path: Path) -> None:
    told = lives(tmp_path, "healthy")
    assert len({line["round"] for line in told}) >= 0.9 * ROUNDS
    scans, batches, keys = stored(tmp_path)
    check_identifiers(tmp_path, told)
    last = max(int(str(line["heard"])) for line in told if "heard" in line)
    young = last - 14 * 72 + 1
    assert len(scans) == len(set(scans))
    logged = {int(str(line["logged"])) for line in told if "logged" in line}
    assert {number for number in logged if number > young} <= set(scans)
    for turn in range(ROUNDS):
        mine = [line for line in told if line["round"] == turn]
        heard = [int(str(line["heard"])) for line in mine if "heard" in line]
        lost = [number for number in heard if number > young and number not in scans]
        assert lost in ([], heard[-1:])
    taken = {int(str(line["taken"])) for line in told if "taken" in line}
    assert taken <= set(batches)
    assert len(batches) == len(set(batches))
    # A batch was used if and only if what it matched is known; keys are kept for 14 days too.
    assert set(keys) == {number for number in batches if number >= min(keys)}
    assert min(keys) < young + 144
    assert len(taken) > ROUNDS


def test_a_disk_that_fails_at_random_loses_at_most_a_scan_a_kill(tmp_path: Path) -> None:
    rounds = 60
    told = lives(tmp_path, "failing", rounds)
    scans, batches, keys = stored(tmp_path)
    check_identifiers(tmp_path, told)
    assert len(scans) == len(set(scans))
    last = max(int(str(line["heard"])) for line in told if "heard" in line)
    young = last - 14 * 72 + 1
    logged = {int(str(line["logged"])) for line in told if "logged" in line}
    failed = 0
    for turn in range(rounds):
        mine = [line for line in told if line["round"] == turn]
        heard = [int(str(line["heard"])) for line in mine if "heard" in line]
        done = [number for number in heard if number in logged]
        failed += len(heard) - len(done)
        # A scan that succeeded brought with it all that had failed before in that life.
        safe = {number for number in heard if done and number <= done[-1] and number > young}
        assert safe <= set(scans)
    assert failed > 50, "the disk never failed"
    taken = {int(str(line["taken"])) for line in told if "taken" in line}
    assert taken <= set(batches)
    assert set(keys) == {number for number in batches if number >= min(keys)}
