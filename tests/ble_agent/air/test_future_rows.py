"""Rows that a clock far ahead has dated: deleted by a confirmed clock, never by a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from ble_agent.air.encounter_log import EncounterLog
from ble_agent.air.future_rows import forget_future
from ble_agent.air.key_ring import KeyRing
from ble_agent.authority.ledger_notes import CHECK, CODE, note
from ble_agent.authority.report_progress import ReportProgress
from ble_agent.owner.health.isolation import note_exposure
from ble_agent.store.database import DATABASE_NAME, open_store
from ble_agent.store.kept_aside import kept_files, kept_path
from ble_agent.store.state import DAMAGE, EXPOSED, FUTURE_SINCE, LEDGER
from tests.ble_agent.exposures.test_exposure_check import DAY, NOW, checked, met, stranger
from tests.ble_agent.fake_server import FakeServer
from tracing_core.clock import ManualClock, local_date
from tracing_core.errors import ServerError
from tracing_core.protocol.advertisement import Advertisement
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.store.database import Database
from tracing_core.store.sqlite import path_of, transaction

HOUR = 3_600
YEAR = 365 * DAY


def clock_of(server: FakeServer) -> ManualClock:
    assert isinstance(server.clock, ManualClock)
    return server.clock


def run_at(db: Database, moment: float, number: int) -> None:
    """Let the device hear and send something while its clock shows a moment."""
    clock = ManualClock(moment)
    log = EncounterLog(db, clock)
    scan = log.begin()
    scan.hear(Advertisement(number.to_bytes(16, "big"), b"aaaa"), -60, moment)
    log.commit(scan)
    assert KeyRing(db).next_advertisement(moment, Metadata(0))


def rows(db: Database) -> tuple[int, int]:
    return db.table("sighting").count, db.table("own_key").count


def test_what_a_clock_a_year_ahead_has_dated_is_gone_a_day_after_it_was_set_right(
    db: Database, server: FakeServer
) -> None:
    run_at(db, NOW - HOUR, 1)
    run_at(db, NOW + YEAR, 2**127 + 2)
    damage = {"at": int(NOW + YEAR), "sightings": 0, "keys": 0, "joined": True}
    with transaction(db):
        DAMAGE.set(db, damage)  # type: ignore[arg-type]
    home = Path(path_of(db)).parent
    for moment in (NOW, NOW + YEAR):
        kept_path(home, moment, "").write_bytes(b"damaged")
    server.add_file("1.zip", [stranger()])
    assert checked(db, server).sightings == 2
    clock_of(server).advance(DAY - 1)
    assert checked(db, server).sightings == 2
    assert (rows(db), DAMAGE.get(db)) == ((2, 2), damage)
    clock_of(server).advance(1)
    assert checked(db, server).sightings == 1
    assert (rows(db), DAMAGE.get(db)) == ((1, 1), None)
    assert FUTURE_SINCE.get(db) is None
    assert list(kept_files(home)) == [kept_path(home, NOW, "")]
    clock_of(server).advance(4 * HOUR)
    checked(db, server)
    raw = b"".join(path.read_bytes() for path in home.glob(f"{DATABASE_NAME}*"))
    assert (2**127 + 2).to_bytes(16, "big") not in raw
    assert (1).to_bytes(16, "big") in raw


def test_a_clock_that_jumped_back_loses_no_row(db: Database, server: FakeServer) -> None:
    """The server contradicts it, or does not answer."""
    run_at(db, NOW - HOUR, 1)
    device = ManualClock(NOW - 30 * DAY)
    for _ in range(3):
        with pytest.raises(ServerError):
            checked(db, server, device)
        with pytest.raises(ServerError):
            checked(db, server, device, url="http://127.0.0.1:9")
        device.advance(DAY)
        clock_of(server).advance(DAY)
    assert rows(db) == (1, 1)
    assert FUTURE_SINCE.get(db) is None


@pytest.mark.parametrize("is_signed", [False, True])
def test_a_server_as_wrong_as_the_device_deletes_nothing_that_a_signature_contradicts(
    db: Database, server: FakeServer, is_signed: bool
) -> None:
    """Both start with an old time, as after a power cut; the server has shown a later one."""
    server.is_signed = is_signed
    server.configure(2)
    server.add_file("1.zip", [met(db)])
    assert checked(db, server).level == "high"
    run_at(db, NOW, 1)
    before = rows(db)
    clock_of(server).jump(NOW - 30 * DAY)
    for _ in range(3):
        # A signed list is older than the one that was seen.
        assert bool(checked(db, server).faults) is is_signed
        clock_of(server).advance(DAY)
    assert rows(db) == before
    assert FUTURE_SINCE.get(db) is None


def test_a_server_that_is_wrong_for_hours_deletes_nothing(db: Database, server: FakeServer) -> None:
    run_at(db, NOW, 1)
    clock_of(server).jump(NOW - 30 * DAY)
    checked(db, server)
    assert FUTURE_SINCE.get(db) == NOW - 30 * DAY
    clock_of(server).jump(NOW + HOUR)
    checked(db, server)
    assert FUTURE_SINCE.get(db) is None
    assert rows(db) == (1, 1)


def test_what_is_dated_up_to_two_days_ahead_is_left_to_retention(
    db: Database, server: FakeServer
) -> None:
    run_at(db, NOW + DAY - HOUR, 1)
    checked(db, server)
    assert FUTURE_SINCE.get(db) is None


def test_notes_of_a_clock_that_ran_ahead_go_and_its_report_is_dated_anew(tmp_path: Path) -> None:
    ahead = NOW + YEAR
    with open_store(tmp_path) as db:
        today = local_date(ahead)
        with transaction(db):
            note(db, NOW, CHECK)
            note(db, ahead, CODE, "host.example")
            note_exposure(db, [today], today)
        progress = ReportProgress().attempting(ahead)
        progress.verified("code", "token", "confirmed", 0, ahead).save(db)
        assert forget_future(db, NOW) == 0
        assert ReportProgress.load(db).verified_at == ahead, "a day of doubt"
        forget_future(db, NOW + DAY)
        assert [entry["kind"] for entry in LEDGER.get(db) or ()] == [CHECK]
        assert EXPOSED.get(db) is None
        report = ReportProgress.load(db)
        assert (report.code, report.verified_at, report.attempted_at) == ("code", NOW, NOW)
        assert not report.has_token("code", NOW + DAY)
        assert FUTURE_SINCE.get(db) is None
        forget_future(db, NOW + DAY)
        assert FUTURE_SINCE.get(db) is None, "nothing is ahead any more"
