import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.tracing_core.refusals import check_one_line
from tracing_core.errors import SchemaMismatch, StoreBusy, StoreDamaged, StoreError, StoreFull
from tracing_core.store.migrations import Migrations
from tracing_core.store.sighting import SIGHTING_TABLE, Sighting, select_sightings, write_json_lines
from tracing_core.store.sqlite import (
    beginning_of,
    database_errors,
    open_database,
    open_readonly,
    transaction,
)

NOTES = Migrations("notes")


@NOTES()
def m001_note(db):
    db.execute("CREATE TABLE note (text TEXT NOT NULL)")


LATER_NOTES = Migrations("notes")
LATER_NOTES(name="m001_note")(m001_note)


@LATER_NOTES()
def m002_author(db):
    db.execute("ALTER TABLE note ADD COLUMN author TEXT")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "notes.db"


@pytest.fixture
def db(path):
    db = open_database(path, [NOTES])
    yield db
    db.close()


def notes(db):
    return [row[0] for row in db.conn.execute("SELECT text FROM note ORDER BY rowid")]


def add(db, text):
    db.execute("INSERT INTO note (text) VALUES (?)", [text])


def pragma(db, name):
    return db.conn.execute(f"PRAGMA {name}").fetchone()[0]


def test_durable_and_private(db, path):
    assert pragma(db, "journal_mode") == "wal"
    assert pragma(db, "synchronous") == 2
    assert pragma(db, "secure_delete") == 1
    assert pragma(db, "foreign_keys") == 1
    with transaction(db):
        add(db, "one")
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_others_could_read_becomes_private(path):
    open_database(path, [NOTES]).close()
    path.chmod(0o644)
    open_database(path, [NOTES]).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_bulk_work_may_be_less_durable(path):
    db = open_database(path, [NOTES], synchronous="NORMAL")
    assert pragma(db, "synchronous") == 1
    db.close()


def test_a_transaction_is_whole_or_nothing(db):
    with transaction(db):
        add(db, "kept")

    def fail():
        with transaction(db):
            add(db, "lost")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert notes(db) == ["kept"]
    assert not db.conn.in_transaction


def test_a_commit_that_is_refused_leaves_no_transaction_open(db):
    db.execute("CREATE TABLE a (x PRIMARY KEY)")
    db.execute("CREATE TABLE b (x REFERENCES a DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(StoreError, match="FOREIGN KEY"), transaction(db):
        db.execute("INSERT INTO b VALUES (1)")
    assert not db.conn.in_transaction
    assert db.table("b").count == 0


def test_the_write_lock_is_held_from_the_start(db, path):
    other = open_database(path, [NOTES], busy_timeout_seconds=0.01)
    with transaction(db):
        with pytest.raises(StoreBusy, match="another process") as caught, transaction(other):
            pytest.fail("two writers at once")
        check_one_line(caught.value)
        assert notes(other) == []
    with transaction(other):
        add(other, "later")
    other.close()
    assert notes(db) == ["later"]


def test_opening_what_another_process_writes(db, path):
    with transaction(db):
        add(db, "unseen")
        # The tables are there, so nothing has to be written and nobody has to wait.
        other = open_database(path, [NOTES])
        reader = open_readonly(path, [NOTES])
        assert notes(other) == notes(reader) == []
        other.close()
        reader.close()
        with pytest.raises(StoreBusy):
            open_database(path, [LATER_NOTES], busy_timeout_seconds=0.01)


def test_a_second_connection_lets_go_of_no_lock_of_the_first(db, path):
    # SQLite's locks belong to the process: a file descriptor closed anywhere in it drops them, and
    # the next process to leave takes itself for the last and removes the log under the first.
    with transaction(db):
        add(db, "before")
    open_database(path, [NOTES]).close()
    open_readonly(path, [NOTES]).close()
    assert beginning_of(path) == b"SQLite format 3\0"
    code = (
        "import sys, sqlite3; db = sqlite3.connect(sys.argv[1]);"
        "db.execute(\"INSERT INTO note (text) VALUES ('other')\"); db.commit(); db.close()"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert Path(f"{path}-wal").exists()
    with transaction(db):
        add(db, "after")
    reader = open_readonly(path, [NOTES])
    assert notes(reader) == ["before", "other", "after"]
    reader.close()


def test_migrations_are_applied_once_and_upwards(path):
    for _ in range(2):
        db = open_database(path, [NOTES, SIGHTING_TABLE])
        with transaction(db):
            add(db, "x")
        db.close()
    db = open_database(path, [LATER_NOTES])
    assert notes(db) == ["x", "x"]
    assert db.conn.execute("SELECT author FROM note").fetchall() == [(None,)] * 2
    db.close()


@pytest.mark.parametrize("opened", [open_database, open_readonly])
def test_a_database_of_a_newer_version(path, opened):
    open_database(path, [LATER_NOTES]).close()
    with pytest.raises(SchemaMismatch, match="newer version of truyvet: install") as caught:
        opened(path, [NOTES])
    check_one_line(caught.value)


def test_a_migration_that_fails_leaves_nothing(path):
    broken = Migrations("notes")
    broken(name="m001_note")(m001_note)

    @broken()
    def m002_broken(db):
        db.execute("CREATE TABLE half (x)")
        db.execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(StoreError, match="nowhere"):
        open_database(path, [broken])
    db = open_database(path, [NOTES])
    names = db.conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    assert ("half",) not in names.fetchall()
    db.close()


@pytest.mark.slow
def test_many_processes_may_create_it_at_once(path):
    code = (
        "import sys; from pathlib import Path;"
        "from tracing_core.store.sqlite import open_database, transaction;"
        "from tracing_core.store.sighting import SIGHTING_TABLE, Sighting, insert_sightings;"
        "db = open_database(Path(sys.argv[1]), [SIGHTING_TABLE]);\n"
        "with transaction(db): insert_sightings(db, [Sighting(bytes(16), bytes(4), (-60,), 0)])"
    )
    arguments = [sys.executable, "-c", code, str(path)]
    started = [subprocess.Popen(arguments, stderr=subprocess.PIPE) for _ in range(4)]
    assert [process.communicate()[1] for process in started] == [b""] * 4
    db = open_readonly(path, [SIGHTING_TABLE])
    assert db.table("sighting").count == 4
    db.close()


@pytest.mark.parametrize(
    "contents", [b"not a database, " * 100, b"SQLite format 3\0" + b"\xff" * 84]
)
@pytest.mark.parametrize("opened", [open_database, open_readonly])
def test_not_a_database(path, contents, opened):
    path.write_bytes(contents)
    with pytest.raises(StoreError, match="not a readable SQLite database: restore") as caught:
        opened(path, [NOTES])
    check_one_line(caught.value)
    assert path.read_bytes() == contents


def test_a_database_of_somebody_else(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE cookie (x)")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="not a truyvet database"):
        open_readonly(path, [NOTES])


def test_reading_what_is_not_there(path, tmp_path):
    with pytest.raises(StoreError, match="cannot be opened: check that it exists"):
        open_readonly(path, [NOTES])
    assert not path.exists()
    with pytest.raises(StoreError, match="No such file"):
        open_database(tmp_path / "none" / "notes.db", [NOTES])
    with pytest.raises(StoreError, match="cannot be read or written to: check"):
        open_readonly(tmp_path, [NOTES])


def test_a_full_disk_loses_nothing(db):
    with transaction(db):
        add(db, "kept")
    db.execute(f"PRAGMA max_page_count={pragma(db, 'page_count')}")
    with pytest.raises(StoreFull, match="is full: free some space") as caught, transaction(db):
        add(db, "x" * 100_000)
    check_one_line(caught.value)
    assert notes(db) == ["kept"]
    db.execute("PRAGMA max_page_count=1000000")
    with transaction(db):
        add(db, "after")
    assert notes(db) == ["kept", "after"]


@pytest.fixture
def small_disk(tmp_path):
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("only root may mount a small disk to fill")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_full_disk_under_the_database(small_disk):
    path = small_disk / "notes.db"
    (small_disk / "room").write_bytes(bytes(32 << 10))
    with pytest.raises(StoreFull) as caught:
        open_database(path, [NOTES])
    check_one_line(caught.value)
    assert str(path) in str(caught.value)


def test_a_full_disk_under_json_lines(small_disk):
    path = small_disk / "log.jsonl"
    write_json_lines(path, [])
    log = [Sighting(os.urandom(16), bytes(4), (-60,), 0)] * 2000
    with pytest.raises(StoreFull, match="is full: free some space"):
        write_json_lines(path, log)
    assert path.read_bytes() == b""
    assert os.listdir(small_disk) == ["log.jsonl"]


@pytest.fixture
def read_only_folder(tmp_path):
    open_database(tmp_path / "log.db", [SIGHTING_TABLE]).close()
    if os.geteuid() != 0:
        tmp_path.chmod(0o555)
        yield tmp_path
        tmp_path.chmod(0o755)
        return
    # Permissions do not stop root, a read-only mount does.
    mount = ["mount", "-o", "bind,ro", str(tmp_path), str(tmp_path)]
    if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("root may not mount a read-only folder here")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_schema_whose_name_is_no_text(path):
    open_database(path, [NOTES]).close()
    data = path.read_bytes()
    path.write_bytes(data.replace(b"CREATE TABLE note", b"CREATE \x80\x80\x80\x80\x80 note"))
    assert path.read_bytes() != data
    for opened in (open_database, open_readonly):
        with pytest.raises(StoreDamaged, match="restore it") as caught:
            opened(path, [NOTES])
        check_one_line(caught.value)


def test_a_read_only_folder(read_only_folder):
    db = open_readonly(read_only_folder / "log.db", [SIGHTING_TABLE])
    assert list(select_sightings(db)) == []
    db.close()
    with pytest.raises(StoreError, match=r"new.db cannot be opened: check that it exists"):
        open_readonly(read_only_folder / "new.db", [SIGHTING_TABLE])
    for name in ("log.db", "new.db"):
        with pytest.raises(StoreError, match=f"{name} can(not| only) be .*: check") as caught:
            open_database(read_only_folder / name, [SIGHTING_TABLE])
        check_one_line(caught.value)
    with pytest.raises(StoreError, match=r"log.jsonl\S* can(not| only) be .*: check"):
        write_json_lines(read_only_folder / "log.jsonl", [])


def test_a_connection_of_another_thread_is_refused_by_sqlite(db):
    caught = []

    def use():
        try:
            with database_errors("notes.db"):
                notes(db)
        except StoreError as error:
            caught.append(error)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert len(caught) == 1


def test_deleted_rows_leave_the_file(db, path):
    secret = os.urandom(16).hex()
    with transaction(db):
        add(db, secret)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert secret.encode() in path.read_bytes()
    with transaction(db):
        db.execute("DELETE FROM note")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for file in path.parent.iterdir():
        assert secret.encode() not in file.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("before", ["", "import numpy; "])
def test_numpy_is_neither_imported_nor_hidden_from_others(before):
    program = (
        f"{before}import tracing_core.store.sqlite, sys; print('numpy' in sys.modules);"
        " import numpy; print(numpy.int8(1) + 1)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(bool(before)), "2"]


IMPORTS_AT_ONCE = """
import importlib, sys, threading

faults = []

def import_elsewhere():
    try:
        importlib.import_module("numpy")
    except ImportError as error:
        faults.append(str(error))
    else:
        del sys.modules["numpy"]

names = set()

def beside(event, arguments):
    if event == "import" and threading.current_thread() is threading.main_thread():
        thread = threading.Thread(target=import_elsewhere)
        thread.start()
        thread.join()
        names.add(arguments[0])

sys.addaudithook(beside)
import tracing_core.store.sqlite
print("sqlite3" in names, faults)
"""


def test_other_threads_may_import_numpy_meanwhile(tmp_path):
    # A thread imports it at each import that ours makes, as a slow one does by chance.
    (tmp_path / "numpy.py").touch()
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS_AT_ONCE],
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{Path.cwd()}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "True []\n"
