import os

import pytest

from tracing_core.store.compaction import empty_log, rewrite
from tracing_core.store.migrations import Migrations
from tracing_core.store.sqlite import open_database, transaction

NOTES = Migrations("notes")


@NOTES()
def m001_note(db):
    db.execute("CREATE TABLE note (text TEXT NOT NULL)")


@pytest.fixture
def db(tmp_path):
    db = open_database(tmp_path / "notes.db", [NOTES])
    # Without this, deleted rows stay until the file is rewritten, so that a rewrite can be seen.
    db.execute("PRAGMA secure_delete = OFF")
    yield db
    db.close()


@pytest.mark.parametrize("most_in_memory", [0, 1 << 30])
def test_nothing_of_a_deleted_row_is_left(db, tmp_path, most_in_memory):
    path, secret = tmp_path / "notes.db", os.urandom(16).hex()
    with transaction(db):
        db.execute("INSERT INTO note VALUES (?), ('kept')", [secret])
    with transaction(db):
        db.execute("DELETE FROM note WHERE text = ?", [secret])
    assert empty_log(db.conn)
    assert secret.encode() in path.read_bytes()
    before = db.execute("PRAGMA temp_store").fetchone()
    rewrite(db.conn, path, most_in_memory=most_in_memory)
    assert empty_log(db.conn)
    assert all(secret.encode() not in file.read_bytes() for file in tmp_path.iterdir())
    assert db.execute("SELECT text FROM note").fetchall() == [("kept",)]
    assert db.execute("PRAGMA temp_store").fetchone() == before


def test_a_reader_keeps_the_log(db, tmp_path):
    other = open_database(tmp_path / "notes.db", [NOTES])
    other.execute("BEGIN")
    other.execute("SELECT * FROM note").fetchall()
    with transaction(db):
        db.execute("INSERT INTO note VALUES ('later')")
    db.execute("PRAGMA busy_timeout = 10")
    assert not empty_log(db.conn)
    other.close()
    assert empty_log(db.conn)
