"""Plan and press: what is shown is what is added, all of it or nothing, and once."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ble_agent.owner.take_over.copies import Candidate, copied
from ble_agent.owner.take_over.plan import PLAN_SECONDS, Plan, plan, take
from ble_agent.owner.take_over.search import Search
from ble_agent.store.damage import MARK_NAME
from ble_agent.store.database import additions, open_store
from ble_agent.store.recovery import open_recovered
from ble_agent.store.working_folder import WORKING_FOLDERS
from tests.ble_agent.owner.take_over.folders import (
    ADDED,
    NOW,
    REFUSED,
    SEEN,
    every_format,
    lines,
)
from tracing_core.clock import Clock
from tracing_core.errors import NotPossible, StoreFull
from tracing_core.store.database import Database
from tracing_core.store.other_sighting import select_other_sightings
from tracing_core.store.sighting import Sighting, insert_sightings, select_sightings
from tracing_core.store.sqlite import transaction


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return home


@pytest.fixture
def db(home: Path) -> Iterator[Database]:
    with open_store(home) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder


def contents(db: Database) -> tuple[object, ...]:
    return (
        list(select_sightings(db)),
        list(select_other_sightings(db)),
        db.execute("SELECT format, digest, counts FROM import ORDER BY id").fetchall(),
        additions(db),
    )


def candidates_of(paths: Sequence[Path]) -> list[Candidate]:
    return [Candidate(path, path.name) for path in paths]


def summary(planned: Plan) -> list[tuple[object, ...]]:
    return [each.essence() for each in planned.findings]


def test_what_is_shown_is_added_and_again_nothing(db: Database, home: Path, folder: Path) -> None:
    every_format(folder)
    search = Search(Clock(), home)
    search.add_folder(folder)
    search.look()
    empty = contents(db)
    with copied(search, home) as candidates:
        planned = plan(db, candidates, NOW)
        assert contents(db) == empty
        taken = take(db, planned, NOW + 60)
        assert summary(taken) == summary(planned)
        there = db.table("sighting").count + db.table("other_sighting").count
        assert there == planned.kept > 0
        again = plan(db, candidates, NOW)
        assert again.kept == 0
        assert take(db, again, NOW).kept == 0
    assert db.table("sighting").count + db.table("other_sighting").count == there
    assert not list(home.glob(WORKING_FOLDERS))
    found = [each for each in planned.findings if not each.is_of_other_program]
    assert sum(each.report is not None for each in found) == len(ADDED)
    assert planned.other_protocols == ["bluezone", "dp3t"]
    assert planned.is_of_own_protocol
    # The list of checks is JSON that no reader of logs takes.
    assert sum(each.fault is not None for each in planned.findings) == len(REFUSED)


def test_each_log_that_adds_something_is_remembered_and_no_other(
    db: Database, tmp_path: Path
) -> None:
    rows = {name: write(tmp_path / name) for name, write in ADDED.items()}
    planned = plan(db, candidates_of(list(rows.values())), NOW)
    take(db, planned, NOW)
    kept = [
        (each.report.format, each.report.counts(), each.report.digest.digest())
        for each in planned.findings
        if each.report is not None and each.report.kept
    ]
    noted = db.execute("SELECT format, counts, digest, imported_at FROM import ORDER BY id")
    assert [(name, json.loads(counts), digest) for name, counts, digest, _ in noted] == kept
    assert sum(counts["kept"] for _, counts, _ in kept) == planned.kept


@pytest.mark.parametrize("name", ADDED)
def test_each_row_of_every_format_names_its_import(db: Database, tmp_path: Path, name: str) -> None:
    with transaction(db):
        insert_sightings(db, [Sighting(bytes(16), bytes(4), (-60,), NOW)])
    planned = plan(db, candidates_of([ADDED[name](tmp_path / "log")]), NOW)
    assert take(db, planned, NOW).kept > 0
    ((number, kept),) = db.execute("SELECT id, counts ->> 'kept' FROM import")
    sources = [
        source
        for table in ("sighting", "other_sighting")
        for (source,) in db.execute(f"SELECT import FROM {table} ORDER BY rowid")
    ]
    # What the device itself heard comes from no import.
    assert sources == [None, *[number] * kept]
    # A note of an import is kept for 14 days, and rows do not go with it.
    db.execute("DELETE FROM import")
    assert db.execute("SELECT count(*), count(import) FROM sighting").fetchone()[1] == 0


def test_a_home_of_an_older_version_gets_sources_and_is_salvaged_whole(home: Path) -> None:
    older, newer = NOW - 1_000, lines(home.parent / "log", 0, 300)
    with open_store(home) as db:
        # As version 6 of the tables had it: the rows end before the column.
        db.execute("ALTER TABLE sighting DROP COLUMN import")
        db.execute("DELETE FROM _sqlite_migrations WHERE name = 'm007_source'")
        with transaction(db):
            insert_sightings(
                db,
                [Sighting(n.to_bytes(16), bytes(4), (-60,), older) for n in range(5_000, 5_300)],
            )
    with open_store(home) as db:
        take(db, plan(db, candidates_of([newer]), NOW), NOW)
        expected = db.execute("SELECT * FROM sighting ORDER BY id").fetchall()
    assert [row[-1] for row in expected] == [None] * 300 + [1] * 300
    (home / MARK_NAME).touch()
    with open_recovered(home, NOW) as recovered:
        assert recovered.execute("SELECT * FROM sighting ORDER BY id").fetchall() == expected


def test_equal_sightings_of_several_logs_count_once(db: Database, tmp_path: Path) -> None:
    paths = [lines(tmp_path / f"log{number}", 5 * number, 10) for number in range(3)]
    planned = plan(db, candidates_of(paths), NOW)
    assert [each.report and (each.report.kept, each.report.known) for each in planned.findings] == [
        (10, 0),
        (5, 5),
        (5, 5),
    ]
    assert take(db, planned, NOW).kept == planned.kept == 20


def test_a_log_that_breaks_off_adds_nothing_and_the_others_all(
    db: Database, tmp_path: Path
) -> None:
    whole = lines(tmp_path / "whole", 0, 10)
    (tmp_path / "big").mkdir()
    with open_store(tmp_path / "big") as big:
        take(big, plan(big, candidates_of([lines(tmp_path / "many", 50, 2000)]), NOW), NOW)
    damaged = tmp_path / "big" / "agent.db"
    data = bytearray(damaged.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 4096] = bytes(4096)
    damaged.write_bytes(data)
    planned = plan(db, candidates_of([damaged, whole]), NOW)
    assert [each.report is None for each in planned.findings] == [True, False]
    assert take(db, planned, NOW).kept == 10
    assert db.table("sighting").count == 10


def test_something_else_than_shown_is_never_added(db: Database, tmp_path: Path) -> None:
    path = lines(tmp_path / "log", 0, 10)
    empty = contents(db)
    # The same counts, but other sightings.
    for changed in ((path, 20, 10), (path, 0, 11), (path, 0, 9)):
        planned = plan(db, candidates_of([lines(path, 0, 10)]), NOW)
        lines(*changed)
        with pytest.raises(NotPossible, match="has changed since"):
            take(db, planned, NOW)
        path.unlink()
        with pytest.raises(NotPossible, match="has changed since"):
            take(db, planned, NOW)
    assert contents(db) == empty


def test_a_plan_holds_for_ten_minutes_and_rows_do_not_age_meanwhile(
    db: Database, tmp_path: Path
) -> None:
    path = lines(tmp_path / "log", 0, 100, seen=NOW - 14 * 86_400)
    planned = plan(db, candidates_of([path]), NOW)
    assert planned.kept == 100
    for late in (PLAN_SECONDS + 1, -1):
        with pytest.raises(NotPossible, match="has changed since"):
            take(db, planned, NOW + late)
    assert take(db, planned, NOW + PLAN_SECONDS).kept == 100


def test_what_the_device_heard_meanwhile_changes_the_plan(db: Database, tmp_path: Path) -> None:
    path = lines(tmp_path / "log", 0, 10)
    planned = plan(db, candidates_of([path]), NOW)
    take(db, plan(db, candidates_of([lines(tmp_path / "other", 5, 1)]), NOW), NOW)
    with pytest.raises(NotPossible, match="has changed since"):
        take(db, planned, NOW)
    assert db.table("sighting").count == 1


def test_a_full_disk_adds_nothing_of_any_log(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [lines(tmp_path / f"log{number}", 2000 * number, 2000) for number in range(3)]
    planned = plan(db, candidates_of(paths), NOW)
    empty = contents(db)
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages + 30}")
    with pytest.raises(StoreFull):
        take(db, planned, NOW)
    db.execute(f"PRAGMA max_page_count = {1 << 30}")
    assert contents(db) == empty
    assert take(db, planned, NOW).kept == 6000


def mutations(chance: random.Random, data: bytes) -> Iterator[bytes]:
    yield data[: chance.randrange(len(data) + 1)]
    changed = bytearray(data)
    for _ in range(chance.randrange(1, 20)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    yield bytes(changed)
    cut = chance.randrange(len(data))
    yield data[:cut] + chance.randbytes(chance.randrange(5_000)) + data[cut:]


def test_hostile_files_of_every_format_change_no_other_log(
    db: Database, home: Path, folder: Path, tmp_path: Path
) -> None:
    chance = random.Random(20260930)
    originals = tmp_path / "originals"
    originals.mkdir()
    every_format(originals)
    files = sorted(path for path in originals.rglob("*") if path.is_file() and path.stat().st_size)
    for number, path in enumerate(files):
        for version, data in enumerate(itertools.islice(mutations(chance, path.read_bytes()), 3)):
            place = folder / f"{number}-{version}"
            if path.parent.name.startswith("photo") and path.parent != originals:
                place.mkdir()
                for each in path.parent.iterdir():
                    (place / each.name).write_bytes(each.read_bytes())
                place /= path.name
            place.write_bytes(data)
    lines(folder / "good", 7_000, 10)
    search = Search(Clock(), home)
    search.add_folder(folder)
    search.look()
    with copied(search, home) as candidates:
        planned = plan(db, candidates, NOW)
        assert summary(take(db, planned, NOW)) == summary(planned)
    good = next(each for each in planned.findings if each.candidate.name.endswith("/good"))
    assert good.report is not None
    assert good.report.kept == 10
    assert db.table("sighting").count + db.table("other_sighting").count == planned.kept
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    for each in planned.findings:
        assert each.fault is None or "\n" not in str(each.fault)
    assert SEEN < NOW
