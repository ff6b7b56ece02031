"""One bad page of a database takes its own rows and no others, wherever it is."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ble_agent.air.key_ring import KeyRing
from ble_agent.store.damage import DATABASE_NAME, is_damaged
from ble_agent.store.database import open_store
from ble_agent.store.recovery import open_recovered
from ble_agent.store.salvage import NOT_SALVAGED, salvage
from ble_agent.store.state import MEMBERSHIP
from ble_agent.store.tables import AGENT_TABLES
from ble_agent.store.vault import open_vault
from tests.ble_agent.owner import whole_store
from tracing_core.errors import StoreDamaged
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.store.damaged.leaf_pages import LeafPages
from tracing_core.store.damaged.scattered_rows import table_shapes
from tracing_core.store.database import Database
from tracing_core.store.other_sighting import OtherSighting, insert_other_sightings
from tracing_core.store.sighting import SIGHTING_TABLE, Sighting, insert_sightings
from tracing_core.store.sqlite import transaction

DAY = 86_400
NOW = 20_800 * DAY + 50_000
ROWS = 300
LATER = 100
PAGE = 4096
LINE = "line " * 2_000
"""As long as to need pages of its own."""

Damage = Callable[[bytearray, int], bytes]


def sightings(first: int, count: int) -> list[Sighting]:
    samples = {7: (-60,) * 9_000, 8: (-61, -62)}
    return [
        Sighting(number.to_bytes(16), bytes(4), samples.get(number % 150, (-60,)), NOW - number)
        for number in range(first, first + count)
    ]


def fill(db: Database) -> None:
    """Write to every table that a salvage keeps."""
    assert KeyRing(db, {}).next_advertisement(NOW, Metadata(0)) is not None
    with transaction(db):
        MEMBERSHIP.set(db, {"line": LINE, "documents": [], "config": ""})
        insert_sightings(db, sightings(0, ROWS))
        db.execute("INSERT INTO import VALUES (7, 'bluezone', zeroblob(32), ?, '{}')", [NOW])
        others = [
            OtherSighting("bluezone", number.to_bytes(12), -60, None, NOW - number)
            for number in range(150)
        ]
        insert_other_sightings(db, others, 7)
        db.execute(
            "INSERT INTO matched_key VALUES (zeroblob(16), ?, 144, 1, NULL, 2, 0, 0)",
            [NOW // 600],
        )


# The schema of a later version, over several pages.
def enlarge_schema(db: Database) -> None:
    for number in range(9):
        columns = ", ".join(f"a_column_of_a_later_version_{each} TEXT" for each in range(15))
        db.execute(f"CREATE TABLE later_{number} ({columns}) STRICT")


@pytest.fixture(scope="module", params=["file", "write-ahead log"])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home, all of whose rows are in the file, or still in the log beside it."""
    home, copied = (tmp_path_factory.mktemp(name) for name in ("home", "whole"))
    with open_store(home) as db:
        enlarge_schema(db)
        fill(db)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        db.execute("PRAGMA wal_autocheckpoint = 0")
        with transaction(db):
            insert_sightings(db, sightings(ROWS, LATER))
        if request.param == "file":
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        shutil.copytree(home, copied, dirs_exist_ok=True)
    return copied


def rows(db: Database) -> dict[str, set[tuple[object, ...]]]:
    tables = ("sighting", "own_key", "import", "matched_key")
    found = {table: set(db.execute(f"SELECT * FROM {table}")) for table in tables}
    # Which import a row comes from is known as long as that row is.
    found["other_sighting"] = set(
        db.execute("SELECT protocol, identifier, seen_at FROM other_sighting")
    )
    found["state"] = set(db.execute("SELECT * FROM state WHERE name = 'membership'"))
    return found


def pages_of(path: Path, root: int) -> Iterator[int]:
    """Yield the pages of a table's tree (sqlite.org/fileformat2.html, 1.6)."""
    data = path.read_bytes()[(root - 1) * PAGE :][:PAGE]
    yield root
    head = data[100:] if root == 1 else data
    if head[0] == 5:
        cells = [int.from_bytes(head[at : at + 2]) for at in range(12, 12 + 2 * head[4], 2)]
        children = [int.from_bytes(data[at : at + 4]) for at in cells]
        for child in (*children, int.from_bytes(head[8:12])):
            yield from pages_of(path, child)


def zeros(data: bytearray, number: int) -> bytes:
    return bytes(PAGE)


def noise(data: bytearray, number: int) -> bytes:
    return b"\xa5" * PAGE


def a_leaf_without_rows(data: bytearray, number: int) -> bytes:
    return b"\x0d\0\0\0\0\x10\0\0".ljust(PAGE, b"\0")


def another_page(data: bytearray, number: int) -> bytes:
    """Return the last page of sightings, as if it had been written to the wrong place."""
    (*_, last) = (at for at in range(0, len(data), PAGE) if data[at] == 13 and data[at + 4] > 20)
    return bytes(data[last : last + PAGE])


def garbage_that_leads_everywhere(data: bytearray, number: int) -> bytes:
    """Return a page that says it lies above others."""
    count = 300
    cells = b"".join((each % 40 + 2).to_bytes(4) + b"\x07" for each in range(count))
    first = PAGE - len(cells)
    pointers = b"".join((first + 5 * each).to_bytes(2) for each in range(count))
    head = b"\x05\0\0" + count.to_bytes(2) + first.to_bytes(2) + b"\0" + (9).to_bytes(4)
    return (head + pointers).ljust(first, b"\0") + cells


DAMAGES = (zeros, noise, a_leaf_without_rows, another_page, garbage_that_leads_everywhere)


def spoil(home: Path, number: int, damage: Damage) -> None:
    path = home / DATABASE_NAME
    data = bytearray(path.read_bytes())
    with path.open("r+b") as file:
        file.seek((number - 1) * PAGE)
        file.write(damage(data, number))


def test_the_schema_of_this_test_needs_several_pages(whole: Path) -> None:
    assert len(list(pages_of(whole / DATABASE_NAME, 1))) > 2


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_bad_page_of_the_schema_loses_no_row(whole: Path, tmp_path: Path, damage: Damage) -> None:
    kept = tmp_path / "kept"
    shutil.copytree(whole, kept)
    with open_store(kept) as db:
        expected = rows(db)
    assert {len(found) for found in expected.values()} == {1, 150, ROWS + LATER}
    for number in pages_of(whole / DATABASE_NAME, 1):
        home = tmp_path / f"home-{number}"
        shutil.copytree(whole, home)
        spoil(home, number, damage)
        with open_recovered(home, NOW) as db:
            found = rows(db)
        assert found == expected, number


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_bad_page_anywhere_takes_no_rows_but_its_own(
    whole: Path, tmp_path: Path, damage: Damage
) -> None:
    home = tmp_path / "home"
    shutil.copytree(whole, home)
    with open_store(home) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        expected = rows(db)
    path = home / DATABASE_NAME
    data = bytearray(path.read_bytes())
    with path.open("rb") as file:
        own = [len(list(LeafPages(file).rows(at // PAGE + 1))) for at in range(0, len(data), PAGE)]
    for number, count in enumerate(own, 1):
        copy = tmp_path / "copy.db"
        spoiled = data[: (number - 1) * PAGE] + damage(data, number) + data[number * PAGE :]
        copy.write_bytes(spoiled)
        with closing(fresh_database()) as db:
            salvage(copy, Database(db), open_vault(home), NOW)
            found = rows(Database(db))
        lost = sum(len(expected[table] - found[table]) for table in expected)
        # A page without rows of its own may hold what did not fit of one row.
        assert lost <= max(count, data[(number - 1) * PAGE] == 0), number


def fresh_database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for migrations in (SIGHTING_TABLE, AGENT_TABLES):
        migrations.apply(Database(connection))
    return connection


@pytest.mark.parametrize("damage", [a_leaf_without_rows, another_page])
def test_a_schema_that_lost_a_table_is_damage_and_no_empty_table_takes_its_place(
    whole: Path, tmp_path: Path, damage: Damage
) -> None:
    home = tmp_path / "home"
    shutil.copytree(whole, home)
    _, first, *_ = pages_of(home / DATABASE_NAME, 1)
    spoil(home, first, damage)
    with pytest.raises(StoreDamaged), open_store(home):
        pass
    assert is_damaged(home)


def test_no_row_can_be_one_of_two_tables() -> None:
    shapes = table_shapes([SIGHTING_TABLE, AGENT_TABLES])
    for (one, mine), (other, theirs) in itertools.combinations(shapes.items(), 2):
        assert mine.is_apart_from(theirs), f"give {one} and {other} columns of different types"


def test_every_table_is_salvaged_or_listed_with_the_reason(tmp_path: Path) -> None:
    home = whole_store.new_home(tmp_path / "home")
    with open_store(home) as db:
        whole_store.fill(db)
        tables = db.table_names()
        before = {table: set(db.execute(f"SELECT * FROM {table}")) for table in tables}
    assert all(before.values()), "each table must have a row here"
    spoil(home, 1, zeros)
    with open_recovered(home, whole_store.NOW) as db:
        after = {table: set(db.execute(f"SELECT * FROM {table}")) for table in tables}
    # The values of this device or database alone are made anew.
    before["state"] = {row for row in before["state"] if row[0] in ("report", "ledger", "area")}
    lost = {table for table in tables if not before[table] <= after[table]}
    assert lost - {"_sqlite_migrations"} == NOT_SALVAGED.keys() - {"_sqlite_migrations"}


def test_a_log_without_its_database_is_read(whole: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(whole, home)
    (home / DATABASE_NAME).unlink()
    has_log = (home / f"{DATABASE_NAME}-wal").stat().st_size > 0
    with open_recovered(home, NOW) as db:
        count = len(rows(db)["sighting"])
    assert (count >= LATER) is has_log
