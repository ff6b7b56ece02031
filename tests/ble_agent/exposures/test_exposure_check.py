from __future__ import annotations

import datetime
import random
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ble_agent.air.encounter_log import EncounterLog
from ble_agent.app.commands import export_log
from ble_agent.app.status import status
from ble_agent.authority.client import ServerClient
from ble_agent.authority.membership import join, load_membership
from ble_agent.config import AgentConfig
from ble_agent.exposures.advice import owner_text
from ble_agent.exposures.check import CheckResult, check, recall
from ble_agent.exposures.files.key_files import KeyFile
from ble_agent.exposures.matched_keys import find_matches, take_key_file, write_matches
from ble_agent.messages.explanation import explain
from ble_agent.messages.language import date_text
from ble_agent.store.damage import DATABASE_NAME
from ble_agent.store.database import open_store
from ble_agent.store.importers import import_log
from matcher import SightingIndex
from tests.ble_agent.agents import COMMAND, clock_at, environment
from tests.ble_agent.fake_server import Answer, FakeServer, fake_server, new_key
from tracing_core.clock import Clock, ManualClock
from tracing_core.configuration.env2 import Classification, ExposureConfiguration
from tracing_core.errors import InvalidSignature, ServerRefused, ServerUnreachable
from tracing_core.export_file import ExportFile, Signer, export_pb2
from tracing_core.export_file.archive import pack
from tracing_core.export_file.contents import HEADER
from tracing_core.export_file.signature import write_signatures
from tracing_core.protocol.associated_encrypted_metadata import Metadata, encrypt_aem
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType
from tracing_core.protocol.interval import interval_start
from tracing_core.protocol.rolling_proximity_identifier import rpis_of
from tracing_core.protocol.temporary_exposure_key import TemporaryExposureKey, derive_aemk
from tracing_core.store.database import Database
from tracing_core.store.sighting import Sighting, insert_sightings, select_sightings
from tracing_core.store.sqlite import transaction
from tracing_core.trust.join_line import JoinLine

DAY = 86_400
NOW = 1_800_000_000.0
YESTERDAY = int(NOW) // DAY * DAY - DAY


def met(db: Database, *, scans: int = 4, rssi_dbm: int = -50, day: int = YESTERDAY) -> DiagnosisKey:
    """Log some scans near a device, and return the key it would publish."""
    tek = TemporaryExposureKey.generate(day // 600)
    rpi = rpis_of(tek)[60]
    first = interval_start(tek.rolling_start_interval_number + 60)
    aem = encrypt_aem(derive_aemk(tek.key_data), rpi, Metadata(0))
    moments = [first + 240 * scan for scan in range(scans)]
    with transaction(db):
        insert_sightings(db, [Sighting(rpi, aem, (rssi_dbm,) * 9, at, at - 240) for at in moments])
    return DiagnosisKey(
        tek.key_data, tek.rolling_start_interval_number, 144, ReportType.SELF_REPORT, 0
    )


def stranger() -> DiagnosisKey:
    tek = TemporaryExposureKey.generate(YESTERDAY // 600)
    return DiagnosisKey(tek.key_data, tek.rolling_start_interval_number)


def spoil_a_row(db: Database) -> None:
    with transaction(db):
        insert_sightings(db, [Sighting(bytes(16), bytes(4), (-50,), YESTERDAY)])
        # As a database that somebody else made may have it.
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute("UPDATE sighting SET previous_scan_at = -1 WHERE id = last_insert_rowid()")


def checked(
    db: Database, server: FakeServer, clock: Clock | None = None, *, url: str = ""
) -> CheckResult:
    """Check by the server's clock, or by another one of the device."""
    clock = clock or server.clock
    with ServerClient(url or server.url, clock) as client:
        return check(db, client, clock)


def test_an_empty_log_is_named_and_does_not_pass_for_no_exposure(
    db: Database, server: FakeServer
) -> None:
    server.add_file("1-2-00001.zip", [stranger()])
    result = checked(db, server)
    assert (result.key_files, result.sightings, result.days) == (1, 0, ())
    text = owner_text(result, load_membership(db), "en")
    assert text.startswith("This device has recorded no signal of another device")
    assert "No exposure found" not in text


def test_nothing_recorded_is_said_without_claiming_safety(db: Database, server: FakeServer) -> None:
    met(db)
    server.add_file("1-2-00001.zip", [stranger(), stranger()])
    result = checked(db, server)
    assert (result.key_files, result.days, result.level) == (1, (), "none")
    text = owner_text(result, load_membership(db), "en")
    assert text.startswith("No exposure found: this device recorded no one nearby")
    assert "may still have been exposed" in text


def test_an_exposure_is_told_by_day_and_strength_with_what_to_do(
    db: Database, server: FakeServer
) -> None:
    server.add_file("1-2-00001.zip", [stranger(), met(db), stranger()])
    result = checked(db, server)
    (day,) = result.days
    assert day.date == datetime.datetime.fromtimestamp(YESTERDAY, datetime.UTC).date()
    assert day.minutes == 16
    assert day.score_seconds == 16 * 60 * 1.75
    assert result.level == day.level == "high"
    membership = load_membership(db)
    english = owner_text(result, membership, "en")
    assert f"{date_text(day.date, 'en')}: about 16 minutes, risk: high" in english
    assert "Stay home and call us." in english
    assert "Health Centre, 1900 9095" in english
    vietnamese = owner_text(result, membership, "vi")
    assert f"{day.date:%d/%m/%Y}: khoảng 16 phút, mức nguy cơ: cao" in vietnamese
    assert "Ở nhà và gọi cho chúng tôi." in vietnamese


def test_what_is_below_the_threshold_is_told_without_alarm(
    db: Database, server: FakeServer
) -> None:
    server.add_file("1-2-00001.zip", [met(db, rssi_dbm=-100)])
    result = checked(db, server)
    assert (len(result.days), result.level) == (1, "none")
    english = owner_text(result, load_membership(db), "en")
    assert "too brief or too far away to count" in english
    assert "risk: below the warning threshold" in english
    assert "Health Centre, 1900 9095" in english
    assert "you were near" not in english
    assert "Stay home" not in english
    vietnamese = owner_text(result, load_membership(db), "vi")
    assert "chưa tính là tiếp xúc gần (phơi nhiễm)" in vietnamese
    assert "Ở nhà" not in vietnamese


def odd_file(server: FakeServer, *keys: DiagnosisKey, **odd: int) -> bytes:
    """Return a signed key file of these keys, the last of which has other values."""
    file = export_pb2.TemporaryExposureKeyExport()
    for key in keys:
        file.keys.add(
            key_data=key.key_data,
            rolling_start_interval_number=key.rolling_start_interval_number,
            report_type=key.report_type.value,  # type: ignore[arg-type]
            days_since_onset_of_symptoms=0,
        )
    for name, value in odd.items():
        setattr(file.keys[-1], name, value)
    export_bin = HEADER + file.SerializeToString()
    signer = Signer(server.export_key, "452", "v1")
    return pack(export_bin, write_signatures(export_bin, ExportFile(0, 0, ""), [signer]))


def test_one_key_that_cannot_be_used_does_not_keep_the_others_from_the_owner(
    db: Database, server: FakeServer
) -> None:
    # efgs-federation-gateway PR 169: one of 22 keys had a transmission risk of 2147483647.
    strangers = [stranger() for _ in range(20)]
    near = met(db)
    server.files["1-2-00001.zip"] = odd_file(
        server, *strangers, near, transmission_risk_level=2**31 - 1
    )
    result = checked(db, server)
    assert (result.key_files, result.skipped_keys, result.level) == (1, 0, "high")

    server.files["2-3-00001.zip"] = odd_file(server, *strangers, met(db), near, rolling_period=145)
    result = checked(db, server)
    assert (result.key_files, result.skipped_keys, result.faults) == (1, 1, ())
    assert result.to_json("")["skipped_keys"] == 1
    membership = load_membership(db)
    assert "1 of your health authority's new keys is damaged" in owner_text(
        result, membership, "en"
    )
    assert "1 khóa mới của cơ quan y tế bị hỏng" in owner_text(result, membership, "vi")
    assert "damaged" not in owner_text(checked(db, server), membership, "en")


def test_a_row_that_cannot_be_read_does_not_keep_an_exposure_from_the_owner(
    db: Database, server: FakeServer
) -> None:
    # Issue 9, F11: one bad row never takes the good ones with it.
    server.add_file("1-2-00001.zip", [met(db)])
    spoil_a_row(db)
    result = checked(db, server)
    assert (result.level, result.unreadable_sightings) == ("high", 1)
    assert result.to_json("")["unreadable_sightings"] == 1
    assert result.failure is not None
    assert "1 recording on this device cannot be read (row 5)" in explain(result.failure, "en")
    assert "1 lượt ghi nhận trên thiết bị này không đọc được" in explain(result.failure, "vi")
    again = recall(db, server.clock, ServerUnreachable("no answer"))
    assert (again.level, again.unreadable_sightings) == ("high", 1)
    text = owner_text(again, load_membership(db), "en")
    assert "Also wrong: 1 recording on this device cannot be read" in text


def test_the_status_and_an_export_name_a_row_that_cannot_be_read(
    db: Database, server: FakeServer, tmp_path: Path
) -> None:
    server.add_file("1-2-00001.zip", [met(db)])
    checked(db, server)
    spoil_a_row(db)
    config = AgentConfig(tmp_path, "en")
    shown = status(config, server.clock)
    (probe,) = [each for each in shown.facts["checks"] if each["name"] == "check"]
    assert not probe["ok"]
    assert "something was missing: 1 recording on this device cannot be read" in probe["text"]
    assert len(shown.facts["days"]) == 1
    exported = export_log(config, server.clock, tmp_path / "log.jsonl", overwrite=False)
    assert exported.facts == {"exported": 4}
    assert "(row 5)" in str(exported.failure)


def test_a_log_without_a_readable_row_still_takes_new_key_files(
    db: Database, server: FakeServer
) -> None:
    spoil_a_row(db)
    server.add_file("1-2-00001.zip", [stranger()])
    result = checked(db, server)
    assert (result.key_files, result.unreadable_sightings, len(result.faults)) == (1, 1, 1)


def test_a_level_of_the_authoritys_own_is_shown_as_it_names_it(
    db: Database, server: FakeServer
) -> None:
    level = Classification("cam", per_day_sum_erv_seconds=1)
    server.configure(2, risk=replace(ExposureConfiguration.default(), classifications=(level,)))
    server.add_file("1-2-00001.zip", [met(db)])
    text = owner_text(checked(db, server), load_membership(db), "vi")
    assert "mức nguy cơ: cam" in text


def test_each_key_file_is_fetched_and_matched_once(db: Database, server: FakeServer) -> None:
    server.add_file("1-2-00001.zip", [met(db)])
    assert checked(db, server).key_files == 1
    server.add_file("2-3-00001.zip", [stranger()])
    server.asked.clear()
    again = checked(db, server)
    assert again.key_files == 1
    assert len(again.days) == 1
    files = [path for _, path, _ in server.asked if path.endswith(".zip")]
    assert files == ["/exports/VN/2-3-00001.zip"]


def test_names_that_begin_with_the_region_are_as_googles_server_lists_them(
    db: Database, server: FakeServer
) -> None:
    server.add_file("1-2-00001.zip", [met(db)])
    server.special["/exports/VN/index.txt"] = lambda: (200, {}, b"VN/1-2-00001.zip")
    assert checked(db, server).level == "high"


def test_a_revision_that_another_process_takes_meanwhile_stays(
    db: Database, server: FakeServer, tmp_path: Path
) -> None:
    key = met(db)
    sightings = SightingIndex(select_sightings(db))
    first = ExportFile(0, 1, "VN", (key,), ())
    second = ExportFile(1, 2, "VN", (), (replace(key, report_type=ReportType.REVOKED),))
    found = find_matches(db, first, sightings)
    with open_store(tmp_path) as other:
        take_key_file(other, KeyFile("1.zip", first, "1" * 64, "1" * 64), sightings, server.clock)
        take_key_file(other, KeyFile("2.zip", second, "2" * 64, "2" * 64), sightings, server.clock)
    assert write_matches(db, KeyFile("1.zip", first, "1" * 64, "1" * 64), found, server.clock)
    ((report_type, revised),) = db.execute("SELECT report_type, revised FROM matched_key")
    assert (report_type, revised) == (ReportType.REVOKED, 1)


def test_what_is_imported_during_a_check_is_compared_with_its_files_too(
    db: Database, server: FakeServer, tmp_path: Path
) -> None:
    log = tmp_path / "other"
    log.mkdir()
    with open_store(log) as other:
        key = met(other)
    server.add_file("1.zip", [key])

    def index() -> Answer:
        with open_store(tmp_path) as importing:
            import_log(importing, log / DATABASE_NAME, NOW)
        return 200, {}, b"1.zip"

    server.special["/exports/VN/index.txt"] = index
    assert checked(db, server).level == "high"
    del server.special["/exports/VN/index.txt"]
    assert checked(db, server).key_files == 0


def test_an_unreachable_server_and_a_clock_far_ahead_delete_nothing(
    db: Database, server: FakeServer
) -> None:
    met(db)
    clock = ManualClock(NOW)
    log = EncounterLog(db, clock)
    log.commit(log.begin())
    before = db.table("sighting").count
    clock.jump(NOW + 60 * DAY)
    log.commit(log.begin())
    with ServerClient("http://127.0.0.1:9", clock) as client, pytest.raises(ServerUnreachable):
        check(db, client, clock)
    assert db.table("sighting").count == before
    clock.advance(DAY + 1)
    log.commit(log.begin())
    assert db.table("sighting").count == 0


@pytest.mark.parametrize("same_file", [True, False], ids=["in one file", "in a later file"])
def test_a_revoked_key_is_not_told_any_more(
    db: Database, server: FakeServer, same_file: bool
) -> None:
    key = met(db)
    revoked = replace(key, report_type=ReportType.REVOKED)
    if same_file:
        server.add_file("1-2-00001.zip", [key], [revoked])
    else:
        server.add_file("1-2-00001.zip", [key])
        assert checked(db, server).days
        server.add_file("2-3-00001.zip", [], [revoked])
    assert checked(db, server).days == ()
    server.add_file("3-4-00001.zip", [], [replace(key, report_type=ReportType.CONFIRMED_TEST)])
    assert checked(db, server).days == ()


def test_a_key_is_revised_once_and_only_to_what_is_better_known(
    db: Database, server: FakeServer
) -> None:
    key = met(db)
    types = ReportType
    steps = [types.SELF_REPORT, types.UNKNOWN, types.CONFIRMED_CLINICAL_DIAGNOSIS, types.REVOKED]
    stored = []
    for number, report_type in enumerate(steps):
        server.add_file(f"{number}.zip", [], [replace(key, report_type=report_type)])
        checked(db, server)
        stored.append(db.execute("SELECT report_type, revised FROM matched_key").fetchall())
    assert stored == [[(3, 0)], [(3, 0)], [(2, 1)], [(2, 1)]]


def test_a_wrongly_signed_file_is_not_used_and_the_others_are(
    db: Database, server: FakeServer
) -> None:
    key = met(db)
    server.add_file("1.zip", [met(db, day=YESTERDAY - DAY)], signer=new_key())
    server.add_file("2.zip", [key])
    result = checked(db, server)
    assert isinstance(result.failure, InvalidSignature)
    assert (result.key_files, len(result.days)) == (1, 1)
    server.files.pop("1.zip")
    server.add_file("1.zip", [stranger()])
    assert checked(db, server).failure is None


def test_a_file_that_is_gone_does_not_stop_the_others(db: Database, server: FakeServer) -> None:
    server.add_file("2.zip", [met(db)])
    server.special["/exports/VN/index.txt"] = lambda: (200, {}, b"1.zip\n2.zip")
    result = checked(db, server)
    assert isinstance(result.failure, ServerRefused)
    assert result.level == "high"


def test_matched_keys_and_names_of_files_go_after_fourteen_days(
    db: Database, server: FakeServer, tmp_path: Path
) -> None:
    key = met(db)
    server.add_file("1.zip", [key])
    server.add_file("2.zip", [stranger()])
    checked(db, server)
    clock = server.clock
    assert isinstance(clock, ManualClock)
    raw = (tmp_path / DATABASE_NAME).read_bytes() + (tmp_path / "agent.db-wal").read_bytes()
    assert key.key_data in raw
    clock.advance(16 * DAY)
    server.files.pop("1.zip")
    assert checked(db, server).days == ()
    raw = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert key.key_data not in raw
    assert db.execute("SELECT name FROM batch").fetchall() == [("2.zip",)]


def test_a_check_killed_at_any_moment_matches_each_file_exactly_once(tmp_path: Path) -> None:
    clock = clock_at(NOW)
    with fake_server(clock=clock) as server:
        with open_store(tmp_path) as db:
            with ServerClient(server.url, clock) as client:
                join(db, client, JoinLine.parse(server.line), NOW)
            keys = [met(db, scans=1) for _ in range(40)]
        for number, key in enumerate(keys):
            server.add_file(f"{number:03}.zip", [stranger(), key])
        command = [*COMMAND, "agent", "--home", str(tmp_path), "check", "--json"]
        moments = random.Random(5)
        kills = 0
        for _ in range(12):
            before = len(server.asked)
            process = subprocess.Popen(
                command,
                env=environment(clock),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            while len(server.asked) < before + 4 and process.poll() is None:
                time.sleep(0.002)
            time.sleep(moments.uniform(0, 0.05))
            process.kill()
            kills += process.wait() < 0
            with open_store(tmp_path) as db:
                done = {name for (name,) in db.execute("SELECT name FROM batch")}
                stored = {data for (data,) in db.execute("SELECT key_data FROM matched_key")}
            matched = {f"{at:03}.zip" for at, key in enumerate(keys) if key.key_data in stored}
            assert done == matched
        assert kills > 2
        last = subprocess.run(command, env=environment(clock), capture_output=True, check=False)
        assert (last.returncode, last.stderr) == (1, b"")
        with open_store(tmp_path) as db:
            assert db.table("matched_key").count == len(keys)
            assert db.table("batch").count == len(keys)
