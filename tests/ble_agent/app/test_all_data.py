"""The archive of all data: whole, without a key or secret, in bounded memory."""

from __future__ import annotations

import base64
import json
import os
import tomllib
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ble_agent.air.key_ring import KeyRing
from ble_agent.app.all_data import HELD, all_data_to_download, export_all
from ble_agent.config import AgentConfig
from ble_agent.owner.health.diary import DiaryEntry, Sign, TestResult, note_entry
from ble_agent.store import state
from ble_agent.store.database import open_store
from ble_agent.store.home import erase_home
from ble_agent.store.working_folder import WORKING_FOLDERS
from tests.ble_agent.agents import AgentProcess
from tests.ble_agent.fake_server import FakeServer
from tests.fixtures import old_homes
from tracing_core.clock import ManualClock, local_date
from tracing_core.errors import FileIsThere, InvalidLog, NotPossible
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.store.database import Database
from tracing_core.store.sighting import Sighting, insert_sightings, read_json_lines
from tracing_core.store.sqlite import transaction

DAY = 86_400
NOW = 20_700 * DAY + 50_000
KEY = bytes(range(100, 116))
SECRETS = {
    "attempt_secret": "attempt-secret-of-the-report",
    "code": "84729183",
    "token": "token-of-the-report",
    "certificate": "certificate-of-the-report",
    "secret": base64.b64encode(b"secret-of-the-mac-key-of-32-byte").decode(),
    "revision_token": "revision-token-of-the-report",
}


def rows(count: int) -> Iterator[Sighting]:
    for at in range(count):
        yield Sighting(at.to_bytes(16, "big"), b"aem!", (-60,), NOW - at)


def fill(db: Database) -> None:
    with transaction(db):
        insert_sightings(db, rows(3))
        state.REPORT.set(
            db,
            {
                **SECRETS,
                "test_type": "confirmed",
                "onset": (NOW - 2 * DAY) // 600,
                "own_onset": (NOW - 3 * DAY) // 600,
                "verified_at": NOW,
                "certified_at": NOW,
                "attempted_at": NOW,
                "reported_at": NOW - DAY,
                "starts": [NOW // 600],
            },
        )  # type: ignore[typeddict-item]
        db.conn.execute(
            "INSERT INTO matched_key VALUES (?, ?, 144, 1, 0, 0, 0, 0)", [KEY, NOW // DAY * 144]
        )
    KeyRing(db).next_advertisement(NOW, Metadata(0, 1))
    day = local_date(NOW)
    note_entry(db, DiaryEntry(day, frozenset({Sign.COUGH}), test=TestResult.NEGATIVE), day)


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def forms(secret: bytes) -> list[bytes]:
    return [secret, secret.hex().encode(), base64.b64encode(secret), str(list(secret)).encode()]


def test_everything_is_in_it_but_keys_and_secrets(
    tmp_path: Path, db: Database, server: FakeServer
) -> None:
    clock = ManualClock(NOW)
    fill(db)
    settings = 'lang = "vi"\n# chú thích\n'
    (tmp_path / "agent.toml").write_text(settings)
    file = tmp_path / "all.zip"
    outcome = export_all(AgentConfig(tmp_path, "vi"), clock, file, overwrite=False)
    assert file.stat().st_mode & 0o7777 == 0o600
    found = contents(file)
    assert list(found) == outcome.facts["files"]
    assert list(found)[:2] == ["README.vi.txt", "README.en.txt"]
    (tmp_path / "log.jsonl").write_bytes(found["sightings.jsonl"])
    assert list(read_json_lines(tmp_path / "log.jsonl")) == list(rows(3))
    assert outcome.facts["exported"] == 3
    assert found["settings.toml"].decode() == settings
    values: dict[str, Any] = {
        name: json.loads(data) for name, data in found.items() if name.endswith(".json")
    }
    assert values["authority.json"]["membership"]["line"] == server.line
    today = "2026-09-04"
    assert values["found.json"]["matched_keys"] == [
        {"date": today, "report_type": "confirmed_test"}
    ]
    assert values["reports.json"] == {
        "reported_on": "2026-09-03",
        "taken_back": False,
        "code_accepted_on": today,
        "test_type": "confirmed",
        "taken_back_on": None,
        "tested_on": None,
        "symptoms_began_on": "2026-09-02",
        "symptoms_sent": "2026-09-01",
        "unfinished": True,
    }
    assert values["health.json"] == {
        "diary": [{"day": today, "signs": ["cough"], "met": [], "test": "negative"}],
        "exposed": None,
    }
    assert values["counts.json"] == {
        "identifiers_by_day": {today: 3},
        "days_with_own_key": [today],
        "imports": [],
        "unreadable_sightings": 0,
    }
    everything = b"\n".join(found.values())
    sealed = [row[0] for row in db.conn.execute("SELECT key_data FROM own_key")]
    own = [key.key_data for key in KeyRing(db).keys_to_report(NOW + DAY)]
    assert own
    for secret in (KEY, *sealed, *own, (tmp_path / "agent.key").read_bytes()):
        assert not [form for form in forms(secret) if form in everything]
    for text in SECRETS.values():
        assert text.encode() not in everything
    # What left is noted, so the next archive says so.
    export_all(AgentConfig(tmp_path, "en"), clock, file, overwrite=True)
    left = json.loads(contents(file)["left-this-device.json"])
    assert [(each["kind"], each["items"]) for each in left][-1:] == [("everything", 3)]


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_the_readme_names_every_file_and_no_other(tmp_path: Path, lang: str) -> None:
    with open_store(tmp_path):
        (tmp_path / "agent.toml").touch()
    export_all(AgentConfig(tmp_path, lang), ManualClock(NOW), tmp_path / "a.zip", overwrite=False)
    found = contents(tmp_path / "a.zip")
    said = found[f"README.{lang}.txt"].decode().splitlines()
    named = {line for line in said if line.endswith((".json", ".jsonl", ".toml"))}
    assert named == {name for name in found if not name.startswith("README")}
    assert max(map(len, said)) <= 100


def test_nothing_that_the_database_holds_was_forgotten(tmp_path: Path) -> None:
    with open_store(tmp_path) as db:
        tables = {
            row[0]
            for row in db.conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if not row[0].startswith(("sqlite_", "_"))
        }
    values = {each.name for each in vars(state).values() if isinstance(each, state.StateValue)}
    held = (tables - {"state"}) | values
    assert set(HELD) - {"other_sighting"} <= held <= set(HELD)


def test_a_membership_by_file_leaves_out_the_authority_s_device_key(tmp_path: Path) -> None:
    with open_store(tmp_path) as db, transaction(db):
        fields = {"region": "VN", "device_api_key": "key-of-every-device"}
        state.MEMBERSHIP.set(db, {"file": fields})
    file = tmp_path / "a.zip"
    export_all(AgentConfig(tmp_path, "en"), ManualClock(NOW), file, overwrite=False)
    found = contents(file)
    assert json.loads(found["authority.json"])["membership"] == {"file": {"region": "VN"}}
    assert b"key-of-every-device" not in b"".join(found.values())


def test_a_membership_that_was_tampered_with_takes_nothing_else_with_it(tmp_path: Path) -> None:
    with open_store(tmp_path) as db:
        fill(db)
        with transaction(db):
            line = "https://example.org#" + "00" * 32
            state.MEMBERSHIP.set(db, {"line": line, "documents": ["x"], "config": "y"})
    file = tmp_path / "a.zip"
    outcome = export_all(AgentConfig(tmp_path, "en"), ManualClock(NOW), file, overwrite=False)
    assert outcome.facts["exported"] == 3
    found = json.loads(contents(file)["found.json"])
    assert set(found["fault"]) == {"vi", "en"}
    assert found["days"] == []


def test_rows_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    with open_store(tmp_path) as db:
        fill(db)
        with transaction(db):
            # As a database that somebody else made may have it.
            db.conn.execute("PRAGMA ignore_check_constraints = ON")
            db.conn.execute("UPDATE sighting SET previous_scan_at = -1 WHERE id = 2")
    file = tmp_path / "a.zip"
    outcome = export_all(AgentConfig(tmp_path, "en"), ManualClock(NOW), file, overwrite=False)
    assert isinstance(outcome.failure, InvalidLog)
    assert outcome.facts["exported"] == 2
    assert json.loads(contents(file)["counts.json"])["unreadable_sightings"] == 1


def test_a_file_is_replaced_only_when_told_and_never_our_own(tmp_path: Path) -> None:
    config, clock = AgentConfig(tmp_path / "home", "en"), ManualClock(NOW)
    with pytest.raises(NotPossible, match="no agent"):
        export_all(config, clock, tmp_path / "a.zip", overwrite=False)
    (tmp_path / "home").mkdir()
    with open_store(tmp_path / "home"):
        pass
    (tmp_path / "a.zip").write_bytes(b"mine")
    with pytest.raises(FileIsThere):
        export_all(config, clock, tmp_path / "a.zip", overwrite=False)
    assert (tmp_path / "a.zip").read_bytes() == b"mine"
    with pytest.raises(NotPossible, match="own file"):
        export_all(config, clock, tmp_path / "home" / "agent.db", overwrite=True)
    export_all(config, clock, tmp_path / "a.zip", overwrite=True)
    assert "README.en.txt" in contents(tmp_path / "a.zip")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "home"]


def test_for_the_page_it_is_made_in_the_home_and_leaves_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path) as db:
        fill(db)
    with all_data_to_download(AgentConfig(tmp_path, "vi"), ManualClock(NOW)) as (path, outcome):
        assert path.name == "truyvet-2026-09-04.zip"
        assert path.parent.parent == tmp_path
        assert list(contents(path)) == outcome.facts["files"]
        with pytest.raises(NotPossible, match="another command"):
            erase_home(tmp_path)
    assert list(tmp_path.glob(WORKING_FOLDERS)) == []


def test_a_home_of_an_older_version_is_exported_too(tmp_path: Path) -> None:
    home, file = old_homes.unpack("sqlite/agent", tmp_path), tmp_path / "a.zip"
    facts = old_homes.agent(home, "export-all", str(file))
    log = tmp_path / "log.jsonl"
    assert old_homes.agent(home, "export", str(log))["exported"] == facts["exported"] > 0
    found = contents(file)
    assert found["sightings.jsonl"] == log.read_bytes()
    shown = old_homes.agent(home, "status")
    days = json.loads(found["found.json"])["days"]
    assert days == shown["days"] != []
    counts = json.loads(found["counts.json"])["identifiers_by_day"]
    assert counts == shown["identifiers_by_day"]
    assert json.loads(found["reports.json"])["reported_on"] == shown["reported_on"]


def test_a_full_log_takes_little_memory(tmp_path: Path) -> None:
    with open_store(tmp_path) as db, transaction(db):
        insert_sightings(db, rows(20_000))
    tracemalloc.start()
    try:
        export_all(
            AgentConfig(tmp_path, "en"), ManualClock(NOW), tmp_path / "a.zip", overwrite=False
        )
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()
    assert contents(tmp_path / "a.zip")["sightings.jsonl"].count(b"\n") == 20_000


def test_the_command_says_where_and_that_it_is_private(tmp_path: Path) -> None:
    agent = AgentProcess(tmp_path / "home")
    agent.home.mkdir()
    with open_store(agent.home):
        pass
    (agent.home / "agent.toml").write_text("scan_seconds = 5.0\n")
    file = tmp_path / "tất cả.zip"
    assert agent.answer("export-all", str(file))["exported"] == 0
    assert tomllib.loads(contents(file)["settings.toml"].decode()) == {"scan_seconds": 5.0}
    assert "choose another name, or replace it with --force" in agent.refusal(
        "export-all", str(file)
    )
    done = agent.command("export-all", str(file), "--force", lang="vi")
    assert done.stdout.startswith(f"Đã ghi toàn bộ dữ liệu về bạn vào {file}, gồm 0 lượt ghi nhận.")
    os.truncate(file, 0)
