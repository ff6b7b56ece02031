"""A log's forms: what it is, its content says; reading it changes nothing."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher import SightingIndex, read_log
from matcher.columns.log import read_columns
from matcher.many.parquet import is_parquet
from tests.matcher.examples import START, heard, key, logs, write_database
from tracing_core.errors import InvalidLog, SchemaMismatch, StoreError
from tracing_core.store.sighting import (
    SIGHTING_TABLE,
    Sighting,
    insert_sightings,
    select_sightings,
    write_json_lines,
)
from tracing_core.store.sqlite import open_database, transaction

LOG = [
    heard(key(), START, rssi=[-60, -61], previous=START * 600),
    heard(key("binh"), START + 7, suspect=True),
]


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    write_json_lines(tmp_path / "a.gz", LOG)
    (tmp_path / "a.gz").rename(tmp_path / "a.db")
    write_json_lines(tmp_path / "b.jsonl", LOG)
    (tmp_path / "b.jsonl").rename(tmp_path / "b.gz")
    write_database(tmp_path / "c.jsonl", LOG)
    for name in ("a.db", "b.gz", "c.jsonl"):
        assert list(read_log(tmp_path / name)) == LOG


def test_reading_writes_nothing(tmp_path: Path) -> None:
    path = write_database(tmp_path / "agent.db", LOG)
    before = path.read_bytes()
    path.chmod(0o400)
    tmp_path.chmod(0o500)
    try:
        assert list(read_log(path)) == LOG
    finally:
        tmp_path.chmod(0o700)
    assert path.read_bytes() == before


LOOSE = (
    "CREATE TABLE sighting"
    " (id INTEGER PRIMARY KEY, rpi, aem, rssi_dbm, seen_at, previous_scan_at, clock_suspect)"
)


@pytest.mark.parametrize("suspect", [0, 1])
@pytest.mark.parametrize(
    ("column", "value"),
    [
        *((name, value) for name in ("rpi", "aem", "rssi_dbm") for value in (5, 5.5, "abcd", None)),
        *(("seen_at", value) for value in (5.5, "five", b"5", None, float("inf"), -5, 2**62)),
        *(("previous_scan_at", value) for value in (5.5, "five", b"5", float("inf"), -5, 2**62)),
    ],
)
def test_a_row_of_other_types_is_named(
    tmp_path: Path, column: str, value: object, suspect: int
) -> None:
    # Our tables are strict; one that somebody else made may hold anything.
    path = write_database(tmp_path / "agent.db", LOG)
    for statement, values in (
        ("UPDATE sqlite_master SET sql = ? WHERE name = 'sighting'", (LOOSE,)),
        (f"UPDATE sighting SET {column} = ?, clock_suspect = ? WHERE id = 2", (value, suspect)),
    ):
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA writable_schema = ON")
            db.execute(statement, values)
            db.commit()
    for read in (read_log, read_columns):
        with pytest.raises(InvalidLog, match=r"^row 2 of the log: "):
            len(list(read(path)) if read is read_log else read(path))


def test_a_pipe_is_no_log(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidLog, match="is a pipe: write it to a file first"):
        list(read_log(tmp_path / "pipe"))


def test_an_empty_log(tmp_path: Path) -> None:
    empty = tmp_path / "log"
    for content in (b"", b"\n \n"):
        empty.write_bytes(content)
        assert list(read_log(empty)) == []
    assert list(read_log(write_database(tmp_path / "agent.db", []))) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PK\x03\x04", "unpack it first"),
        (b"hello", "neither an agent's database nor JSON Lines"),
        (b"\x1f\x8b\x08broken", "damaged"),
        (b"[1]\n", "neither"),
        (b'{"rpi": 1}\n', "line 1: "),
        (b"SQLite format 3\0" + b"\xff" * 4096, "not a readable SQLite database"),
    ],
)
def test_what_is_no_log_is_said_in_a_line(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)
    with pytest.raises((InvalidLog, StoreError), match=says) as caught:
        list(read_log(path))
    assert "\n" not in str(caught.value)


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file"):
        read_log(tmp_path / "none")
    with pytest.raises(InvalidLog, match="it is a folder"):
        read_log(tmp_path)
    sqlite3.connect(tmp_path / "other.db").executescript("CREATE TABLE a (b)").connection.close()
    with pytest.raises(StoreError, match="not a truyvet database"):
        list(read_log(tmp_path / "other.db"))


def test_a_newer_version_s_database_is_refused(tmp_path: Path) -> None:
    path = write_database(tmp_path / "agent.db", LOG)
    db = sqlite3.connect(path)
    with db:
        db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " VALUES ('sighting', 'm999_future', '2030-01-01')"
        )
    db.close()
    with pytest.raises(SchemaMismatch, match="newer version"):
        list(read_log(path))


@given(logs)
def test_the_index_gives_back_what_it_was_given(log: list[Sighting]) -> None:
    index = SightingIndex(log)
    kept = [sighting for sighting in log if not sighting.clock_suspect]
    for rpi in {sighting.rpi for sighting in log}:
        found = [index.sighting(rpi, position) for position in index.positions(rpi)]
        assert found == [sighting for sighting in kept if sighting.rpi == rpi]
    assert index.heard(sighting.rpi for sighting in log) == {sighting.rpi for sighting in kept}
    assert index.last_seen_at == max((sighting.seen_at for sighting in kept), default=None)


@given(
    beginning=st.sampled_from([b"", b"SQLite format 3\0", b"\x1f\x8b\x08", b"PK", b"{", b" {"]),
    rest=st.binary(max_size=200),
)
def test_any_bytes_are_a_log_or_refused(
    tmp_path_factory: pytest.TempPathFactory, beginning: bytes, rest: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_bytes(beginning + rest)
    says = ""
    try:
        list(read_log(path))
    except (InvalidLog, StoreError) as error:
        says = str(error)
    assert "\n" not in says


def test_a_log_that_this_process_has_open_keeps_its_locks(tmp_path: Path) -> None:
    # A descriptor closed anywhere in the process drops them, and then the next process to leave
    # takes itself for the last and removes the write-ahead log under the one here.
    path = tmp_path / "agent.db"
    db = open_database(path, [SIGHTING_TABLE])
    with transaction(db):
        insert_sightings(db, [Sighting(bytes(16), bytes(4), (-60,), 1_700_000_000)])
    assert len(list(read_log(path))) == read_columns(path).count == 1
    assert not is_parquet(path)
    code = (
        "import sys, sqlite3; db = sqlite3.connect(sys.argv[1]);"
        "db.execute('DELETE FROM sighting'); db.commit(); db.close()"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    assert Path(f"{path}-wal").exists()
    assert list(select_sightings(db)) == []
    db.close()
