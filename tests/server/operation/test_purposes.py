"""What the list of purposes says of each table and column, held against the real databases."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Boolean, Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from server.operation import retention
from server.operation.purposes import SERVER_TABLES
from server.operation.schema import read_schema
from server.store.database import Database
from tests.server.homes import NOW, open_server
from tests.server.postgresql import running_postgresql
from tracing_core.clock import ManualClock
from tracing_core.store.purpose import AnyNumber, TablePurpose

DAY = 86_400


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    with running_postgresql() as url:
        yield url


def emptied(database: Database) -> Database:
    """Drop everything in a PostgreSQL database."""
    with database.begin() as conn:
        conn.exec_driver_sql("DROP SCHEMA public CASCADE")
        conn.exec_driver_sql("CREATE SCHEMA public")
    return database


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'server.db'}")
    else:
        database = emptied(Database(request.getfixturevalue("postgresql")))
    yield database
    database.close()


@pytest.fixture
def database(empty: Database) -> Database:
    empty.migrate()
    return empty


def migrate_to(database: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", "server:migrations")
    config.set_main_option("path_separator", "os")
    with database.begin() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, revision)


def takes(conn: Connection, table: str, values: Mapping[str, Any]) -> bool:
    """Return whether a table takes a row; nothing of it stays."""
    attempt = conn.begin_nested()
    try:
        conn.exec_driver_sql(f"DELETE FROM {table}")
        if table == "export_file":
            conn.exec_driver_sql("DELETE FROM export_batch")
            insert(conn, "export_batch", example(conn, "export_batch"))
        insert(conn, table, values)
    except DBAPIError:
        return False
    finally:
        attempt.rollback()
    return True


def insert(conn: Connection, table: str, values: Mapping[str, Any]) -> None:
    names = ", ".join(f'"{name}"' for name in values)
    marks = ", ".join(f":{name}" for name in values)
    conn.execute(text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), values)


def flags(conn: Connection, table: str) -> set[str]:
    if conn.dialect.name == "sqlite":
        return set()
    columns = inspect(conn).get_columns(table)
    return {each["name"] for each in columns if isinstance(each["type"], Boolean)}


def example(conn: Connection, table: str) -> dict[str, Any]:
    """Return a row of the first allowed value of each column."""
    row = {}
    for name, column in SERVER_TABLES[table].columns.items():
        value = next(iter(column.limit.inside))
        row[name] = bool(value) if name in flags(conn, table) else value
    return row


def faults(database: Database) -> Iterator[str]:
    """Yield how the database differs from what the purposes say of it."""
    with database.begin() as conn:
        found = {name: inspect(conn).get_columns(name) for name in inspect(conn).get_table_names()}
        for name in sorted(found.keys() ^ SERVER_TABLES.keys()):
            yield f"{name} is in one of the two only"
        for name in sorted(found.keys() & SERVER_TABLES.keys()):
            purpose = SERVER_TABLES[name]
            columns = {each["name"]: each for each in found[name]}
            for column in sorted(columns.keys() ^ purpose.columns.keys()):
                yield f"{name}.{column} is in one of the two only"
            yield from limit_faults(conn, name, purpose)


def limit_faults(conn: Connection, table: str, purpose: TablePurpose) -> Iterator[str]:
    row = example(conn, table)
    if not takes(conn, table, row):
        yield f"{table} does not take its own example"
        return
    for name, column in purpose.columns.items():
        is_flag = name in flags(conn, table)
        for value in column.limit.inside:
            inside = bool(value) if is_flag else value
            if not takes(conn, table, row | {name: inside}):
                yield f"{table}.{name} refuses what it is for"
        for value in column.limit.outside:
            if takes(conn, table, row | {name: value}):
                yield f"{table}.{name} takes {value!s:.20} of {len(str(value))}"
        if takes(conn, table, row | {name: None}) != column.or_null and name != "id":
            yield f"{table}.{name} is wrong about null"


def test_every_column_has_a_purpose_and_holds_no_more_than_it_says(database: Database) -> None:
    assert list(faults(database)) == []


@pytest.mark.parametrize(
    ("planted", "fault"),
    [
        ("ALTER TABLE diagnosis_key ADD COLUMN note TEXT", "diagnosis_key.note is in one"),
        ("CREATE TABLE visit (place TEXT)", "visit is in one of the two only"),
        ("ALTER TABLE owner DROP CONSTRAINT owner_folder_limit", "owner.folder takes"),
    ],
    ids=["column", "table", "check"],
)
def test_what_is_planted_is_found(database: Database, planted: str, fault: str) -> None:
    with database.begin() as conn:
        if conn.dialect.name == "sqlite" and "DROP CONSTRAINT" in planted:
            query = "SELECT sql FROM sqlite_schema WHERE name = 'owner'"
            made = conn.exec_driver_sql(query).scalar_one()
            start = made.index(", CONSTRAINT owner_folder_limit")
            conn.exec_driver_sql("DROP TABLE owner")
            conn.exec_driver_sql(f"{made[:start]})")
        else:
            conn.exec_driver_sql(planted)
    assert any(each.startswith(fault) for each in faults(database))


def test_only_numbers_of_rows_are_without_a_limit() -> None:
    for table, purpose in SERVER_TABLES.items():
        for name, column in purpose.columns.items():
            is_number = name in ("id", "batch_id")
            assert isinstance(column.limit, AnyNumber) <= is_number, (table, name)
            assert column.holds.en.endswith(".")
            assert column.holds.vi.endswith(".")


BAD_KEY = {
    "id": 2,
    "key_data": bytes(16),
    "region": "Nguyễn Văn A",
    "rolling_start_interval_number": 2_900_000,
    "rolling_period": 145,
    "transmission_risk_level": 0,
    "report_type": 1,
    "created_at": 1_700_000_000,
    "is_padding": False,
}


@pytest.mark.parametrize("revision", [f"{number:04}" for number in range(1, 9)])
def test_a_row_outside_a_limit_is_kept_aside_and_no_other(empty: Database, revision: str) -> None:
    migrate_to(empty, revision)
    extra = {"traveler": False} if revision < "0004" else {}
    good = BAD_KEY | extra | {"id": 1, "key_data": b"k" * 16, "region": "VN", "rolling_period": 144}
    with empty.begin() as conn:
        insert(conn, "diagnosis_key", good)
        insert(conn, "diagnosis_key", BAD_KEY | extra)
        if revision >= "0002":
            window = {"region": "VN", "start_timestamp": 5, "end_timestamp": 10}
            insert(conn, "export_batch", {"id": 1, **window})
            insert(conn, "export_batch", {"id": 2, **window, "start_timestamp": -5})
            for number, name in enumerate(("VN/a.zip", "VN/a b.zip"), start=1):
                insert(conn, "export_file", {"id": number, "batch_id": 1, "name": name})
            insert(conn, "export_file", {"id": 3, "batch_id": 2, "name": "VN/c.zip"})
    empty.migrate()
    with empty.read() as conn:
        keys = conn.exec_driver_sql("SELECT key_data, region FROM diagnosis_key").all()
        assert [(bytes(data), region) for data, region in keys] == [(b"k" * 16, "VN")]
        kept = {
            (table, fields["id"]): fields
            for table, fields in (
                (table, json.loads(fields))
                for table, fields in conn.exec_driver_sql("SELECT of_table, fields FROM kept_aside")
            )
        }
        expected = {("diagnosis_key", 2)}
        if revision >= "0002":
            expected |= {("export_batch", 2), ("export_file", 2), ("export_file", 3)}
            names = conn.exec_driver_sql("SELECT name FROM export_file").scalars().all()
            assert names == ["VN/a.zip"]
        assert kept.keys() == expected
        assert kept["diagnosis_key", 2]["key_data"] == "00" * 16
        assert kept["diagnosis_key", 2]["region"] == "Nguyễn Văn A"
    counts = {each.name: each.rows for each in read_schema(empty)}
    assert counts["kept_aside"] == len(expected)
    assert list(faults(empty)) == []
    before = snapshot(empty)
    empty.migrate()
    assert snapshot(empty) == before


def snapshot(database: Database) -> list[Any]:
    with database.read() as conn:
        return [
            conn.exec_driver_sql(f"SELECT * FROM {name}").all()
            for name in sorted(SERVER_TABLES)
            if name != "alembic_version"
        ]


def test_a_migration_that_dies_leaves_the_old_tables(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate_to(empty, "0008")
    with empty.begin() as conn:
        insert(conn, "diagnosis_key", BAD_KEY)
    schema = [(each.name, each.rows) for each in read_schema(empty)]

    class DiedError(Exception):
        pass

    def die(*_: object, **__: object) -> None:
        raise DiedError

    with monkeypatch.context() as patch:
        # After everything else of the step.
        patch.setattr("alembic.runtime.migration.HeadMaintainer.update_to_step", die)
        with pytest.raises(DiedError):
            empty.migrate()
    assert [(each.name, each.rows) for each in read_schema(empty)] == schema
    empty.migrate()
    assert list(faults(empty)) == []


def test_what_was_kept_aside_leaves_after_fourteen_days(tmp_path: Path) -> None:
    clock = ManualClock(NOW)
    server = open_server(tmp_path / "home", clock)
    with server.database.begin() as conn:
        row = {"id": 1, "of_table": "owner", "kept_at": int(NOW), "fields": "{}"}
        insert(conn, "kept_aside", row)
    for days, left in ((14, 1), (14 + 1 / DAY, 0)):
        retention.run(server, "VN", now=NOW + days * DAY)
        counts = {each.name: each.rows for each in read_schema(server.database)}
        assert counts["kept_aside"] == left
    server.close()
