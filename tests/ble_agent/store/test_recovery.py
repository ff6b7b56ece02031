"""A damaged database is set aside, what can be read is kept, and the owner is told (F9)."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ble_agent.air.key_ring import KeyRing
from ble_agent.air.persistence import Persistence
from ble_agent.store.damage import DATABASE_NAME, MARK_NAME, in_use
from ble_agent.store.database import open_store
from ble_agent.store.home import erase_home, exclusive_use
from ble_agent.store.kept_aside import KEPT_FILES
from ble_agent.store.recovery import open_recovered, start_over
from ble_agent.store.state import DAMAGE, MEMBERSHIP
from ble_agent.store.vault import KEY_FILE
from tests.ble_agent.agents import AgentProcess, clock_at
from tests.ble_agent.fake_server import FakeServer
from tests.ble_agent.radio.captures import legacy_report, write_btsnoop
from tests.ble_agent.store.importers.hostile_journals import leave_journal, super_record
from tracing_core.clock import ManualClock
from tracing_core.errors import (
    SchemaMismatch,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
)
from tracing_core.protocol.advertisement import Advertisement
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.protocol.interval import interval_number
from tracing_core.store.database import Database
from tracing_core.store.sighting import Sighting, insert_sightings, select_sightings
from tracing_core.store.sqlite import transaction

DAY = 86_400
NOW = 20_800 * DAY + 50_000
ROWS = 3_000


def sightings(count: int = ROWS) -> list[Sighting]:
    return [
        Sighting(number.to_bytes(16), bytes(4), (-60, -61), NOW - DAY + number, None)
        for number in range(count)
    ]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with recordings, an own key and a membership."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with open_store(home) as db:
        assert KeyRing(db, {}).next_advertisement(NOW, Metadata(0)) is not None
        with transaction(db):
            insert_sightings(db, sightings())
            MEMBERSHIP.set(db, {"line": "line", "documents": [], "config": ""})
    return home


def overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def kept(home: Path) -> list[str]:
    return sorted(path.name for path in home.glob(KEPT_FILES))


def full_page(path: Path) -> int:
    """Where the middle one of the table's pages with many rows begins."""
    data = path.read_bytes()
    leaf = b"\x0d"
    found = [
        at
        for at in range(4096, len(data), 4096)
        if data[at : at + 1] == leaf and int.from_bytes(data[at + 3 : at + 5], "big") > 30
    ]
    return found[len(found) // 2]


DAMAGES: dict[str, tuple[Callable[[Path], Any], int]] = {
    "first 100 bytes": (lambda path: overwrite(path, 0, os.urandom(100)), ROWS),
    "first 16 bytes": (lambda path: overwrite(path, 0, bytes(16)), ROWS),
    "a page in the middle": (
        lambda path: overwrite(path, full_page(path), b"\xa5" * 4096),
        ROWS - 200,
    ),
    "two pages": (lambda path: overwrite(path, 30 * 4096, bytes(8192)), ROWS - 400),
    "cut in the middle": (lambda path: os.truncate(path, 30 * 4096), 100),
    "cut to one page": (lambda path: os.truncate(path, 4096), 0),
    "cut to a few bytes": (lambda path: os.truncate(path, 50), 0),
    "empty": (lambda path: os.truncate(path, 0), 0),
    "missing": (lambda path: path.unlink(), 0),
    "another kind of file": (lambda path: path.write_text("not a database" * 500), 0),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_can_be_read_is_kept_and_sending_goes_on(home: Path, damage: str) -> None:
    # Issue 9, F9: cwa-app-android#642, GmsCore#1347.
    spoil, least = DAMAGES[damage]
    path = home / DATABASE_NAME
    spoil(path)
    is_there = path.exists() and path.stat().st_size
    before = path.read_bytes() if is_there else b""
    clock = ManualClock(NOW)
    told = []
    with Persistence(home, clock, on_recovery=told.append) as store:
        store.open()
        if not told:
            # The damage is found when the rows are read.
            with pytest.raises(StoreDamaged), open_store(home) as db:
                list(select_sightings(db))
        # Never an identifier of the interval in which one was sent.
        silent = store.silent_seconds(NOW)
        advertisement = store.next_advertisement(NOW, Metadata(0))
        if advertisement is None:
            assert silent == 600 * (interval_number(NOW) + 1) - NOW
            clock.advance(600)
            assert store.next_advertisement(NOW + 600, Metadata(0)) is not None
        (note,) = told
        assert note is not None
        assert note["at"] == NOW
        assert least <= note["sightings"] <= ROWS
        assert note["joined"] is (advertisement is None)
    with open_store(home) as db:
        found = list(select_sightings(db))
        assert len(found) == note["sightings"]
        assert set(found) <= set(sightings())
        assert DAMAGE.get(db) == note
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert not (home / MARK_NAME).exists()
    assert not list(home.glob(".working-*"))
    if is_there:
        (name,) = kept(home)
        assert name == "agent.db.damaged-2026-12-13"
        assert (home / name).read_bytes() == before
        assert (home / name).stat().st_mode & 0o777 == 0o600
    assert erase_home(home) == []


def test_only_the_newest_is_kept_and_for_fourteen_days(home: Path) -> None:
    path = home / DATABASE_NAME
    with open_store(home) as db, transaction(db):
        MEMBERSHIP.clear(db)
    for days in (0, 1):
        overwrite(path, 0, bytes(100))
        with open_recovered(home, NOW + days * DAY):
            assert kept(home) == [f"agent.db.damaged-2026-12-{13 + days}"]
    (home / "agent.db.damaged-soon").touch()
    later = NOW // DAY * DAY + 15 * DAY
    with Persistence(home, ManualClock(later)) as store:
        store.open()
        assert kept(home) == ["agent.db.damaged-2026-12-14"]
    with AgentProcess(home, clock_at(later - 600)) as agent:
        assert agent.answer("status")["recordings_damaged_on"] == "2026-12-14"
        assert kept(home) == ["agent.db.damaged-2026-12-14"]
    with AgentProcess(home, clock_at(later + 60)) as agent:
        facts = agent.answer("status")
        assert kept(home) == []
        assert facts["recordings_damaged_on"] == "2026-12-14"
    with Persistence(home, ManualClock(later + 2 * DAY)) as store:
        store.open()
    with open_store(home) as db:
        assert DAMAGE.get(db) is None


def test_the_log_that_a_killed_process_left_is_read_too(tmp_path: Path) -> None:
    home, copied = tmp_path / "home", tmp_path / "copied"
    home.mkdir()
    copied.mkdir()
    with open_store(home) as db:
        with transaction(db):
            insert_sightings(db, sightings(10))
        for name in (DATABASE_NAME, f"{DATABASE_NAME}-wal"):
            (copied / name).write_bytes((home / name).read_bytes())
    overwrite(copied / DATABASE_NAME, 0, bytes(100))
    with contextlib.suppress(StoreDamaged), open_store(copied) as db:
        assert len(list(select_sightings(db))) == 10
        return
    with open_recovered(copied, NOW) as db:
        assert len(list(select_sightings(db))) == 10


@pytest.mark.parametrize(
    ("spoil", "is_damage"),
    [
        (lambda log: None, False),
        (lambda log: overwrite(log, 0, b"\xa5" * 32), True),
        (lambda log: overwrite(log, 32 + 4120 + 500, b"\xa5" * 50), True),
        (lambda log: os.truncate(log, log.stat().st_size - 2000), False),
        (lambda log: overwrite(log, log.stat().st_size - 2000, b"\xa5" * 50), False),
        (lambda log: os.truncate(log, 20), False),
        (lambda log: overwrite(log, 0, bytes(log.stat().st_size)), False),
    ],
    ids=["whole", "header", "a frame", "torn", "last frame", "cut in its header", "zeros"],
)
def test_a_damaged_log_is_noticed_and_a_torn_commit_is_not_damage(
    tmp_path: Path, spoil: Callable[[Path], Any], is_damage: bool
) -> None:
    home, copied = tmp_path / "home", tmp_path / "copied"
    home.mkdir()
    copied.mkdir(mode=0o700)
    with open_store(home) as db:
        for part in range(5):
            with transaction(db):
                insert_sightings(db, sightings(200)[40 * part : 40 * part + 40])
        for name in (DATABASE_NAME, f"{DATABASE_NAME}-wal"):
            (copied / name).write_bytes((home / name).read_bytes())
    spoil(copied / f"{DATABASE_NAME}-wal")
    told: list[object] = []
    with Persistence(copied, ManualClock(NOW), on_recovery=told.append) as store:
        store.open()
    assert bool(told) is is_damage
    with open_store(copied) as db:
        assert (DAMAGE.get(db) is not None) is is_damage


def test_a_newer_database_stays_where_it_is(home: Path) -> None:
    with open_store(home) as db:
        db.execute("INSERT INTO _sqlite_migrations SELECT NULL, 'agent', 'm999_more', 'now'")
        db.conn.commit()
    (home / MARK_NAME).touch()
    before = (home / DATABASE_NAME).read_bytes()
    with pytest.raises(SchemaMismatch, match="newer version"), open_recovered(home, NOW):
        pass
    with pytest.raises(SchemaMismatch, match="newer version"), open_recovered(home, NOW):
        pass
    assert (home / DATABASE_NAME).read_bytes() == before
    assert kept(home) == []
    assert not (home / MARK_NAME).exists()


def refusing(error: StoreError) -> Callable[[Path], contextlib.AbstractContextManager[Database]]:
    @contextlib.contextmanager
    def refuse(_: Path) -> Any:
        raise error
        yield

    return refuse


@pytest.mark.parametrize(
    "error", [StoreError("no permission"), StoreFull("full"), StoreBusy("locked")]
)
def test_what_is_not_damage_moves_nothing(home: Path, error: StoreError) -> None:
    with (
        Persistence(home, ManualClock(NOW), open_database=refusing(error)) as store,
        pytest.raises(type(error)),
    ):
        store.open()
    assert kept(home) == []
    with open_store(home) as db, transaction(db):
        (home / MARK_NAME).touch()
        # A connection is open, and moving the database would take its log away.
        with pytest.raises(StoreBusy), exclusive_use(home):
            start_over(home, NOW)
    assert kept(home) == []


def test_a_file_that_is_the_size_of_the_disk_moves_nothing(home: Path) -> None:
    if os.geteuid() == 0:
        # Root may write everywhere, so the folder cannot refuse it.
        return
    overwrite(home / DATABASE_NAME, 0, bytes(100))
    home.chmod(0o500)
    try:
        with pytest.raises(StoreError), open_recovered(home, NOW):
            pass
    finally:
        home.chmod(0o700)
    assert kept(home) == []


def test_damage_found_while_running_loses_nothing_that_is_heard(home: Path) -> None:
    clock = ManualClock(NOW)
    told: list[object] = []
    heard = Advertisement(b"h" * 16, bytes(4))
    with Persistence(home, clock, on_recovery=told.append) as store:
        store.open()
        overwrite(home / DATABASE_NAME, 20 * 4096, b"\xa5" * 4096 * 4)
        with pytest.raises(StoreDamaged, match="a running agent does so"), open_store(home) as db:
            list(select_sightings(db))
        scan = store.log.begin()
        scan.hear(heard, -60, NOW)
        # A check's connection is still open, so the recovery waits for its end.
        with in_use(home), pytest.raises(StoreBusy):
            store.next_advertisement(NOW, Metadata(0))
        with pytest.raises(StoreFull):
            store.log.commit(scan)
        assert told == []
        clock.advance(1200)
        # What was sent last is only known for sure in the next interval.
        assert store.next_advertisement(NOW + 1200, Metadata(0)) is None
        assert len(told) == 1
        store.log.commit(store.log.begin())
        assert store.next_advertisement(NOW + 1800, Metadata(0)) is not None
    with open_store(home) as db:
        assert [row.rpi for row in select_sightings(db)][-1] == heard.rpi
        assert list(KeyRing(db, {}).keys_to_report(NOW))


def test_run_goes_on_after_damage(home: Path) -> None:
    with open_store(home) as db, transaction(db):
        MEMBERSHIP.clear(db)
    overwrite(home / DATABASE_NAME, 0, os.urandom(100))
    data = Advertisement(b"h" * 16, bytes(4)).encode()
    capture = write_btsnoop(home.parent / "capture", [(NOW, 4, legacy_report((data, -60)))])
    with AgentProcess(home, clock_at(NOW)) as agent:
        done = agent.command("run", "--radio", f"replay:{capture}")
        assert done.returncode == 0
        assert f"{ROWS} sightings could be recovered" in done.stderr
        assert done.stderr.count("found damaged or missing") == 1
        assert len(agent.sightings()) == ROWS + 1
        again = agent.command("run", "--radio", f"replay:{capture}")
        assert "found damaged" not in again.stderr


def test_a_recovery_that_was_killed_is_taken_up(home: Path) -> None:
    overwrite(home / DATABASE_NAME, 0, bytes(100))
    # Killed while it wrote the fresh database,
    (home / "agent.db.new").write_bytes(b"half")
    with open_recovered(home, NOW) as db:
        assert db.table("sighting").count == ROWS
    # and after it had moved the damaged one.
    (home / MARK_NAME).touch()
    (home / DATABASE_NAME).rename(home / "agent.db.new")
    with open_recovered(home, NOW + 1) as db:
        assert db.table("sighting").count == ROWS
        assert DAMAGE.get(db)["at"] == NOW  # type: ignore[index]


def test_a_journal_that_names_a_file_does_not_stop_the_agent(home: Path, tmp_path: Path) -> None:
    victim = tmp_path / "thesis.txt"
    victim.write_text("four years of work")
    path = home / DATABASE_NAME
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    Path(f"{path}-journal").write_bytes(leave_journal(path) + super_record(victim))
    with open_recovered(home, NOW) as db:
        assert db.table("sighting").count == ROWS
    assert victim.exists()
    assert kept(home) == ["agent.db.damaged-2026-12-13", "agent.db.damaged-2026-12-13-journal"]


def test_own_keys_are_kept_without_the_services_credential(home: Path) -> None:
    secret = (home / KEY_FILE).read_bytes()
    (home / KEY_FILE).unlink()
    overwrite(home / DATABASE_NAME, 0, bytes(100))
    with open_recovered(home, NOW) as db:
        assert db.table("own_key").count == 1
    (home / KEY_FILE).write_bytes(secret)
    with open_store(home) as db:
        assert len(KeyRing(db, {}).keys_to_report(NOW)) == 1


def test_the_owner_reads_of_it(tmp_path: Path, server: FakeServer) -> None:
    clock = clock_at(server.clock.now())
    with AgentProcess(tmp_path / "home", clock) as agent:
        agent.answer("join", server.line, "--yes")
        (agent.home / KEY_FILE).write_bytes(os.urandom(32))
        overwrite(agent.home / DATABASE_NAME, 0, os.urandom(100))
        facts = agent.answer("status")
        assert facts["recordings_damaged_on"] is not None
        assert facts["joined"]
        assert "found damaged or missing" in agent.command("status").stdout
        assert "bị hỏng hoặc bị mất" in agent.command("status", lang="vi").stdout
        checked = agent.command("check")
        assert "encounters before then may be missing" in checked.stdout
        (agent.home / DATABASE_NAME).unlink()
        assert "The health authority was lost too" in agent.command("status").stdout
        agent.answer("join", server.line, "--yes")
        said = agent.command("status").stdout
        assert "found damaged or missing" in said
        assert "The health authority was lost too" not in said


def leaves(path: Path) -> list[int]:
    """Return the offsets of the pages of sightings, in the order of ids, as VACUUM leaves them."""
    data = path.read_bytes()
    return [
        at
        for at in range(0, len(data), 4096)
        # A leaf of a table (sqlite.org/fileformat2.html, "B-tree Pages") with many rows.
        if data[at] == 13 and int.from_bytes(data[at + 3 : at + 5]) > 20
    ]


def aged(home: Path) -> Path:
    """Give the sightings the large ids of a device that has been in use for long."""
    path = home / DATABASE_NAME
    db = sqlite3.connect(path)
    db.executescript(
        "UPDATE sighting SET id = -id - 70000; UPDATE sighting SET id = -id; VACUUM;"
        "PRAGMA wal_checkpoint(TRUNCATE)"
    )
    db.close()
    return path


def salvaged(home: Path) -> int:
    (home / MARK_NAME).touch()
    with open_recovered(home, NOW) as db:
        found = list(select_sightings(db))
        assert len(set(found)) == len(found)
        return len(found)


def test_one_bad_page_does_not_take_what_follows_large_numbers(home: Path) -> None:
    path = aged(home)
    overwrite(path, leaves(path)[0], b"\xa5" * 4096)
    assert salvaged(home) >= ROWS - 200


def test_a_page_written_to_the_wrong_place_ends_the_salvage(home: Path) -> None:
    path = aged(home)
    offsets = leaves(path)
    data = path.read_bytes()[offsets[2] :][:4096]
    overwrite(path, offsets[5], data)
    overwrite(path, offsets[6], b"\xa5" * 4096)
    assert salvaged(home) >= ROWS - 600


def test_a_recovery_killed_before_the_log_was_moved_is_taken_up(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home / DATABASE_NAME
    with open_store(home) as db:
        with transaction(db):
            insert_sightings(db, sightings()[:40])
        log = Path(f"{path}-wal").read_bytes()
    Path(f"{path}-wal").write_bytes(log)
    rename = Path.rename

    def dies(self: Path, target: Path) -> Path:
        if self.name.endswith("-wal"):
            raise OSError("killed here")
        return rename(self, target)

    (home / MARK_NAME).touch()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", dies)
        with pytest.raises(StoreError):
            start_over(home, NOW)
    assert not path.exists()
    start_over(home, NOW)
    assert not Path(f"{path}-wal").exists()
    with open_store(home) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert len(list(select_sightings(db))) >= ROWS


def test_importing_what_was_kept_aside_does_not_condemn_the_database(home: Path) -> None:
    path = aged(home)
    overwrite(path, leaves(path)[3], b"\xa5" * 4096)
    (home / MARK_NAME).touch()
    with open_recovered(home, NOW):
        (name,) = kept(home)
    before = (home / name).read_bytes()
    with AgentProcess(home, clock_at(NOW)) as agent:
        assert agent.command("import", str(home / name)).returncode == 1
    assert not (home / MARK_NAME).exists()
    assert kept(home) == [name]
    assert (home / name).read_bytes() == before
