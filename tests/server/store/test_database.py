import contextlib
import sqlite3
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import NullPool, create_engine

import server.export.store
import server.verification.store  # noqa: F401  (every store defines its tables)
from server.config import SETTINGS_FILE, load_settings
from server.context import Server
from server.store.database import Database, DatabaseLimits, metadata
from server.store.diagnosis_keys import NewKey, find_keys, insert_keys
from tests.server.homes import NOW, make_home, make_settings
from tracing_core.clock import ManualClock
from tracing_core.errors import SchemaMismatch, StoreBusy, StoreError, StoreFull
from tracing_core.protocol.diagnosis_key import DiagnosisKey

KEY = DiagnosisKey(bytes(range(16)), 2_800_000)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(f"sqlite:///{tmp_path / 'server.db'}")
    database.migrate()
    return database


def test_the_migrations_make_the_tables_that_the_stores_use(database: Database) -> None:
    with database.read() as conn:
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []


def test_keys_stored_by_an_earlier_version_are_there(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'earlier.db'}"
    config = Config()
    config.set_main_option("script_location", "server:migrations")
    config.set_main_option("path_separator", "os")
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, "0003")
        conn.exec_driver_sql(
            "INSERT INTO diagnosis_key VALUES "
            "(7, ?, 'VN', 2800000, 144, 2, 1, 3, 5, NULL, NULL, NULL, NULL, 0, 1)",
            (KEY.key_data,),
        )
    database = Database(url)
    database.migrate()
    with database.read() as conn:
        assert compare_metadata(MigrationContext.configure(conn), metadata) == []
        found = find_keys(conn, [KEY.key_data])[KEY.key_data]
    assert (found.created_at, found.key.days_since_onset_of_symptoms) == (5, 3)


def test_migrating_twice_changes_nothing(database: Database) -> None:
    database.migrate()
    database.migrate()


def test_the_file_is_private_and_every_commit_durable(database: Database, tmp_path: Path) -> None:
    assert (tmp_path / "server.db").stat().st_mode & 0o777 == 0o600
    with database.read() as conn:
        pragmas = {
            name: conn.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in (
                "journal_mode",
                "synchronous",
                "secure_delete",
                "foreign_keys",
                "temp_store",
            )
        }
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "secure_delete": 1,
        "foreign_keys": 1,
        "temp_store": 2,
    }


def test_a_block_that_fails_leaves_nothing(database: Database) -> None:
    def fail() -> None:
        with database.begin() as conn:
            insert_keys(conn, "VN", [NewKey(KEY, 0)])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with database.read() as conn:
        assert not find_keys(conn, [KEY.key_data])


def test_an_error_shows_no_key(database: Database) -> None:
    with database.begin() as conn:
        insert_keys(conn, "VN", [NewKey(KEY, 0)])
    with pytest.raises(StoreError) as caught, database.begin() as conn:
        insert_keys(conn, "VN", [NewKey(KEY, 0)])
    assert "\\x0b" not in str(caught.value)
    assert caught.value.__cause__ is None or "\\x0b" not in str(caught.value.__cause__)


def test_a_lock_held_elsewhere_is_one_line(database: Database, tmp_path: Path) -> None:
    limits = DatabaseLimits(busy_seconds=0.05)
    impatient = Database(f"sqlite:///{tmp_path / 'server.db'}", limits)
    holder = sqlite3.connect(tmp_path / "server.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy, match="in use by another process"), impatient.begin():
        pass
    with impatient.read() as conn:
        assert find_keys(conn, [KEY.key_data]) == {}
    holder.close()


def test_a_newer_database_is_one_line(database: Database) -> None:
    with database.begin() as conn:
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaMismatch, match="newer version of truyvet"):
        database.migrate()


def test_a_full_disk_is_one_line(database: Database) -> None:
    with database.begin() as conn:
        pages = conn.exec_driver_sql("PRAGMA page_count").scalar()
        conn.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    keys = [NewKey(DiagnosisKey(n.to_bytes(16), 2_800_000), 0) for n in range(5000)]
    with pytest.raises(StoreFull, match="is full"), database.begin() as conn:
        insert_keys(conn, "VN", keys)


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" * 100])
def test_a_damaged_file_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "server.db").write_bytes(content)
    with pytest.raises(StoreError, match="not a readable SQLite database"):
        Database(f"sqlite:///{tmp_path / 'server.db'}").migrate()


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        Database(f"sqlite:///{tmp_path / 'none' / 'server.db'}")


@pytest.mark.parametrize(
    "url", ["nonsense", "oracle://x/y", "nosuch://x/y", "sqlite://", "sqlite:///:memory:"]
)
def test_another_kind_of_database_is_one_line(url: str) -> None:
    with pytest.raises(StoreError, match=r"sqlite|SQLite") as caught:
        Database(url)
    assert "\n" not in str(caught.value)


def test_many_threads_write_in_turn(database: Database) -> None:
    def write(number: int) -> None:
        for turn in range(10):
            with database.begin() as conn:
                conn.exec_driver_sql("SELECT count(*) FROM diagnosis_key").scalar()
                data = (number * 100 + turn).to_bytes(16)
                insert_keys(conn, "VN", [NewKey(DiagnosisKey(data, 2_800_000), 0)])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM diagnosis_key").scalar() == 160


@pytest.mark.parametrize("name", ["who?mode=ro", "100%25", "a#b", "a b"])
def test_the_database_is_in_its_home_whatever_that_is_called(tmp_path: Path, name: str) -> None:
    home = make_home(tmp_path / name)
    Server.open(make_settings(home), ManualClock(NOW)).close()
    assert (home / "server.db").stat().st_size
    assert list(tmp_path.iterdir()) == [home]


def test_a_home_never_set_up_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="truyvet server init"):
        Server.open(make_settings(tmp_path), ManualClock(NOW))


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("region = 5\n", "region"),
        ('region = "../x"\n', "region"),
        ('regoin = "VN"\n', "regoin"),
        ("[[[\n", "cannot be read"),
        ('url = "ftp://x"\n', "url"),
        ('mirrors = ["http://mirror.example"]\n', "mirrors: http://mirror.example: plain http"),
        (f"mirrors = {[f'https://{n}.example' for n in range(11)]}\n", "mirrors: .*at most 10"),
        (f"mirrors = ['https://{'a' * 2000}']\n", "mirrors: https://a.*: the server's address"),
        ("export_period_seconds = 10\n", "export_period_seconds"),
        ("export_max_keys_per_file = 3_000_000\n", "export_max_keys_per_file"),
        ("retention_seconds = 1_296_000\n", "retention_seconds"),
        ("code_digits = 3\n", "code_digits"),
        ("export_padding_report_types = {likely = inf}\n", "export_padding_report_types.likely"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(tmp_path: Path, text: str, word: str) -> None:
    home = make_home(tmp_path / "home")
    (home / SETTINGS_FILE).write_text(text)
    with pytest.raises(StoreError, match=word) as caught:
        load_settings(home)
    assert "\n" not in str(caught.value)


def test_a_wrong_variable_is_not_told_as_the_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUYVET_SERVER_MIRRORS", "[x")
    with pytest.raises(StoreError, match="or the environment cannot be read"):
        load_settings(make_home(tmp_path / "home"))


def test_more_readers_than_a_pool_commonly_has(database: Database) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(database.read()).exec_driver_sql("SELECT 1")


def test_the_environment_comes_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = make_home(tmp_path / "home")
    monkeypatch.setenv("TRUYVET_SERVER_CODE_DIGITS", "10")
    settings = load_settings(home)
    assert (settings.region, settings.code_digits, settings.code_seconds) == ("VN", 10, 900)
