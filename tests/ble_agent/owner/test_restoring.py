"""All data in one file: into an empty home the same store, into another without doubles."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ble_agent.air.key_ring import KeyRing
from ble_agent.owner.all_rows import tables_of
from ble_agent.owner.carrying import CARRIED
from ble_agent.owner.ledger import RADIO, read_ledger
from ble_agent.owner.restoring import restore
from ble_agent.owner.take_over.kinds import Kind, kind_of
from ble_agent.store import state
from ble_agent.store.database import additions, open_store
from ble_agent.store.importers import import_log
from ble_agent.store.importers.all_data import AllData
from tests.ble_agent.app.page.browser.states import STATES, in_state
from tests.ble_agent.app.test_whom_it_concerns import NOW as THEIR_NOW
from tests.ble_agent.fake_server import FakeServer
from tests.ble_agent.owner.whole_store import (
    DAY,
    NOW,
    SAMPLES,
    VALUES,
    Contents,
    contents,
    exported,
    fill,
    joined,
    new_home,
    sightings,
)
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.protocol.interval import interval_number
from tracing_core.protocol.rolling_proximity_identifier import derive_rpi
from tracing_core.store.sighting import insert_sightings, select_sightings
from tracing_core.store.sqlite import transaction


@pytest.fixture
def home(tmp_path: Path, server: FakeServer) -> Path:
    """A device that has something in every table."""
    made = new_home(tmp_path / "old")
    with open_store(made) as db:
        joined(db, server)
        fill(db)
    return made


@pytest.fixture
def expected(home: Path) -> Contents:
    """What the device has before the export, which notes itself in the ledger."""
    with open_store(home) as db:
        return contents(db)


@pytest.fixture
def file(home: Path, expected: Contents, tmp_path: Path) -> Path:
    return exported(home, tmp_path / "all.html")


def test_no_table_and_no_value_was_forgotten(home: Path) -> None:
    with open_store(home) as db:
        assert set(tables_of(db)) == {*SAMPLES, "sighting", "own_key", "state"}
        assert all(db.table(table).count for table in tables_of(db))
    values = {each.name for each in vars(state).values() if isinstance(each, state.StateValue)}
    assert set(CARRIED) == values == {*VALUES, "membership", "room"}


def test_an_empty_home_becomes_the_same_store(
    home: Path, file: Path, expected: Contents, tmp_path: Path
) -> None:
    new = new_home(tmp_path / "new")
    with open_store(home) as old_db, open_store(new) as db:
        report = restore(db, file, NOW)
        assert contents(db) == expected
        assert list(select_sightings(db)) == list(select_sightings(old_db))
        assert not report.refused
        assert (report.kept, report.keys, report.region) == (6, 3, "VN")
        # The key files stay used, since they were compared with all that is here.
        assert additions(db) == additions(old_db) == 3
        before = contents(db)
        again = restore(db, file, NOW)
        assert not again.adds_anything
        assert contents(db) == before


@pytest.mark.parametrize("name", sorted(set(STATES) - {"newer", "over"}))
def test_a_device_in_any_state_becomes_the_same_store(
    name: str, tmp_path: Path, server: FakeServer
) -> None:
    new = new_home(tmp_path / "new")
    with in_state(STATES[name], tmp_path / "old", server) as device, open_store(new) as db:
        with device.store() as old_db:
            expected = contents(old_db)
        file = exported(device.home, tmp_path / "all.html")
        restore(db, file, THEIR_NOW)
        got = contents(db)
        for table in expected:
            assert got[table] == expected[table], table


def test_without_the_keys_nothing_secret_is_in_the_file(
    home: Path, expected: Contents, tmp_path: Path
) -> None:
    file = exported(home, tmp_path / "all.html", with_keys=False)
    with open_store(home) as old_db:
        secrets = [key.key_data.hex() for key in KeyRing(old_db).keys_to_report(NOW)]
        secrets += [row[0].hex() for row in old_db.conn.execute("SELECT key_data FROM own_key")]
    text = file.read_text() + "\n".join(map(str, AllData(file, file.read_bytes()[:4096]).rows()))
    assert not [secret for secret in (*secrets, "token-of-the-report") if secret in text]
    new = new_home(tmp_path / "new")
    with open_store(new) as db:
        report = restore(db, file, NOW)
        assert report.keys == 0
        found = contents(db)
        assert state.REPORT.get(db) == {"reported_at": NOW - DAY}
        for each in (found, expected):
            each["state"] = [row for row in each["state"] if row[0] != "report"]
        assert found.pop("own_key") == []
        assert len(expected.pop("own_key")) == 3
        assert found == expected
        # This device has a key of its own, and sends at once.
        assert KeyRing(db).next_advertisement(NOW, Metadata(0)) is not None


def test_a_dry_run_counts_the_same_and_changes_nothing(file: Path, tmp_path: Path) -> None:
    new = new_home(tmp_path / "new")
    with open_store(new) as db:
        before = contents(db)
        counts = restore(db, file, NOW, dry_run=True).to_json()
        assert contents(db) == before
        assert not (new / "agent.key").exists()
        assert restore(db, file, NOW).to_json() == counts


def test_another_home_of_the_same_authority_gets_what_it_lacks(
    file: Path, tmp_path: Path, server: FakeServer
) -> None:
    new = new_home(tmp_path / "new")
    with open_store(new) as db:
        joined(db, server)
        with transaction(db):
            insert_sightings(db, [*sightings(2), *sightings(2, first=100)])
            state.LAST_CHECK.set(db, {"at": NOW - 5, "level": "none", "days": 0})
            db.conn.execute("INSERT INTO batch VALUES ('x', 1)")
        report = restore(db, file, NOW)
        assert (report.kept, report.known) == (4, 2)
        assert len(set(select_sightings(db))) == db.table("sighting").count == 7
        # What was found is taken; what was compared is compared again.
        assert db.table("matched_key").count == 1
        assert db.table("batch").count == 0
        assert additions(db) == 1
        assert state.LAST_CHECK.get(db) == {"at": NOW - 5, "level": "none", "days": 0}
        before = contents(db)
        assert not restore(db, file, NOW).adds_anything
        assert contents(db) == before


def test_a_home_of_another_authority_keeps_it(file: Path, tmp_path: Path) -> None:
    new, other = new_home(tmp_path / "new"), FakeServer()
    with open_store(new) as db:
        other.url = "http://127.0.0.1:9"
        joined(db, other)
        mine = state.MEMBERSHIP.get(db)
        report = restore(db, file, NOW)
        assert report.is_other_authority
        assert report.region is None
        assert state.MEMBERSHIP.get(db) == mine
        assert db.table("matched_key").count == db.table("batch").count == 0
        assert state.LAST_CHECK.get(db) is state.REPORT.get(db) is None
        assert db.table("sighting").count == 5


def test_no_identifier_of_a_moved_key_is_sent_here(home: Path, file: Path, tmp_path: Path) -> None:
    new = new_home(tmp_path / "new")
    with open_store(home) as old_db, open_store(new) as db:
        ring, old = KeyRing(db), KeyRing(old_db)
        assert restore(db, file, NOW).is_silent_today
        own = {key.key_data for key in old.keys_to_report(NOW)}
        midnight = NOW // DAY * DAY + DAY
        for at in range(NOW // DAY * DAY, midnight, 600):
            assert ring.next_advertisement(at, Metadata(0)) is None
        assert ring.silent_seconds(NOW) == midnight - NOW
        # The other device goes on with the same key, and only it.
        assert old.next_advertisement(NOW + 600, Metadata(0)) is not None
        sent = ring.next_advertisement(midnight, Metadata(0))
        assert sent is not None
        reported = {key.key_data for key in ring.keys_to_report(midnight)}
        assert own < reported
        (new_key,) = (key for key in ring.keys_to_report(midnight) if key.key_data not in own)
        assert sent.rpi == derive_rpi(new_key, interval_number(midnight))
        # It says of no day that identifiers were sent from here.
        assert [
            entry for day in read_ledger(db) for entry in day.entries if entry["kind"] == RADIO
        ] == [{"date": "2026-12-02", "kind": RADIO, "place": "", "times": 1, "items": 0}]


def test_a_device_with_a_key_of_the_day_goes_on_with_it(file: Path, tmp_path: Path) -> None:
    new = new_home(tmp_path / "new")
    with open_store(new) as db:
        ring = KeyRing(db)
        assert ring.next_advertisement(NOW - 600, Metadata(0)) is not None
        mine = ring.key_of(NOW // DAY * 144)
        report = restore(db, file, NOW)
        assert (report.keys, report.keys_left, report.is_silent_today) == (2, 1, False)
        assert ring.key_of(NOW // DAY * 144) == mine
        assert ring.next_advertisement(NOW, Metadata(0)) is not None
        # The right to change a report goes with the keys that were reported.
        assert state.REPORT.get(db) is None


def test_the_device_s_own_file_gives_back_no_interval(home: Path, file: Path) -> None:
    with open_store(home) as db:
        ring = KeyRing(db)
        assert ring.next_advertisement(NOW + 600, Metadata(0)) is not None
        assert not restore(db, file, NOW + 600).adds_anything
        assert ring.next_advertisement(NOW, Metadata(0)) is None
        assert ring.next_advertisement(NOW + 1200, Metadata(0)) is not None


def test_what_is_old_by_now_stays_out(file: Path, tmp_path: Path) -> None:
    new, later = new_home(tmp_path / "new"), NOW + 15 * DAY
    with open_store(new) as db:
        report = restore(db, file, later)
        assert report.too_old == 5 + 1 + 1 + 3 + 1 + 1 + 1 + 1
        assert report.kept == report.keys == 0
        for table in (
            "sighting",
            "other_sighting",
            "import",
            "own_key",
            "matched_key",
            "heard_day",
            "diary",
            "kept_row",
        ):
            assert db.table(table).count == 0


def test_as_any_log_it_gives_its_sightings(file: Path, tmp_path: Path) -> None:
    new = new_home(tmp_path / "new")
    with open_store(new) as db:
        report = import_log(db, file, NOW)
        assert (report.format, report.kept) == ("all-data", 6)
        assert report.other_protocols == {"bluezone"}
        assert not restore(db, file, NOW).kept


_KILLED = """
import os, signal, sys
from pathlib import Path
from ble_agent.owner import restoring
from ble_agent.store.database import open_store

left = [int(sys.argv[3])]
insert = restoring.insert_sightings

def killed(db, rows, *source):
    insert(db, rows, *source)
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)

restoring.insert_sightings = killed
with open_store(Path(sys.argv[1])) as db:
    restoring.restore(db, Path(sys.argv[2]), float(sys.argv[4]))
"""


@pytest.mark.parametrize("rows", [1, 5])
def test_a_killed_import_added_nothing(file: Path, tmp_path: Path, rows: int) -> None:
    new = new_home(tmp_path / "new")
    command = [sys.executable, "-c", _KILLED, str(new), str(file), str(rows), str(NOW)]
    assert subprocess.run(command, check=False).returncode == -9
    with open_store(new) as db:
        assert not any(db.table(table).count for table in tables_of(db))
        assert restore(db, file, NOW).kept == 6


def test_a_search_for_earlier_apps_finds_it_by_its_content(file: Path) -> None:
    assert kind_of(file.read_bytes()[:4096]) is Kind.ALL_DATA
