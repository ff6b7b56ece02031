"""Every table, column, value and file has a purpose, and holds no more than that says."""

from __future__ import annotations

import fnmatch
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ble_agent.owner.other_purposes import FILES, VALUES
from ble_agent.owner.purposes import TABLES
from ble_agent.store import home as homes
from ble_agent.store import state
from ble_agent.store.database import open_store
from ble_agent.store.tables import AGENT_TABLES
from tests.purposes import faults
from tracing_core.store.database import Database
from tracing_core.store.purpose import ColumnPurpose, PlaceName, Whole
from tracing_core.store.sighting import SIGHTING_TABLE
from tracing_core.texts import Text


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """A database after all steps."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        for migrations in (SIGHTING_TABLE, AGENT_TABLES):
            migrations.apply(Database(opened))
        yield opened


def test_every_table_and_column_holds_what_its_purpose_says_and_no_more(
    connection: sqlite3.Connection,
) -> None:
    assert list(faults(connection, TABLES)) == []


def test_a_table_without_a_purpose_is_found(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE friend (name TEXT) STRICT")
    assert list(faults(connection, TABLES)) == ["friend is only in the schema"]
    connection.execute("DROP TABLE friend")
    connection.execute("DROP TABLE matched_key")
    assert list(faults(connection, TABLES)) == ["matched_key is only in the purposes"]


def test_a_column_without_a_purpose_is_found(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE own_key ADD COLUMN telephone TEXT")
    assert list(faults(connection, TABLES)) == ["own_key.telephone is only in the schema"]


@pytest.mark.parametrize(
    ("table", "check"),
    [
        ("own_key", " CHECK (rolling_period BETWEEN 1 AND 144)"),
        ("own_key", " CHECK (length(key_data) IN (16, 44))"),
        ("sighting", " CHECK (length(rssi_dbm) BETWEEN 1 AND 65536)"),
        ("sighting", " CHECK (clock_suspect IN (0, 1))"),
        ("other_sighting", " CHECK (rssi_dbm BETWEEN -127 AND -1)"),
        ("import", " AND counts <> ''"),
        ("import", " AND format NOT GLOB '*[^a-z0-9_-]*'"),
    ],
)
def test_a_dropped_check_is_found(connection: sqlite3.Connection, table: str, check: str) -> None:
    find = "SELECT sql FROM sqlite_master WHERE name = ?"
    (statement,) = connection.execute(find, [table]).fetchone()
    assert check in statement
    connection.execute(f"DROP TABLE {table}")
    connection.execute(statement.replace(check, ""))
    assert list(faults(connection, TABLES))


def test_free_text_is_only_the_name_of_a_place(connection: sqlite3.Connection) -> None:
    connection.execute(
        "CREATE TABLE visit (id INTEGER PRIMARY KEY,"
        " place TEXT NOT NULL CHECK (length(place) <= 100), note TEXT NOT NULL) STRICT"
    )
    text = Text("", "")
    number = TABLES["sighting"].columns["id"]
    place = ColumnPurpose(text, PlaceName())
    visit = replace(TABLES["sighting"], columns={"id": number, "place": place, "note": place})
    found = list(faults(connection, {**TABLES, "visit": visit}))
    assert [fault[: len("visit.note takes")] for fault in found] == ["visit.note takes"]
    as_number = replace(visit, columns={**visit.columns, "note": ColumnPurpose(text, Whole(0, 1))})
    found = list(faults(connection, {**TABLES, "visit": as_number}))
    assert any("visit.note takes 'Anh" in fault for fault in found)


def test_every_named_value_has_a_purpose() -> None:
    values = (getattr(state, name) for name in state.__all__)
    names = {each.name for each in values if isinstance(each, state.StateValue)}
    assert VALUES.keys() == {*names, "answer NAME"}


def test_every_file_of_a_home_has_a_purpose(tmp_path: Path) -> None:
    with open_store(tmp_path):
        there = {path.name for path in tmp_path.iterdir()}
    patterns = {*homes._OURS, *homes._UNFINISHED, *there}
    without = {
        name for name in patterns if not any(fnmatch.fnmatchcase(name, known) for known in FILES)
    }
    assert without == set()


def test_every_text_is_there_in_both_languages() -> None:
    tables = [each for table in TABLES.values() for each in table.columns.values()]
    texts = [
        *(each.holds for each in tables),
        *(
            text
            for table in (*TABLES.values(), *FILES.values())
            for text in (table.holds, table.why, table.kept, table.readers)
        ),
        *(text for value in VALUES.values() for text in (value.holds, value.kept)),
    ]
    assert all(text.en and text.vi and text.en != text.vi for text in texts)
