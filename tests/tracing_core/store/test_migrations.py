import sqlite3

import pytest

from tracing_core.store.database import Database
from tracing_core.store.migrations import Migrations
from tracing_core.store.sqlite import open_database, open_readonly

# As sqlite-utils 4.2 wrote it for earlier versions of truyvet.
MADE_BEFORE = """
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
INSERT INTO _sqlite_migrations (migration_set, name, applied_at)
    VALUES ('notes', 'm001_note', '2026-11-30 22:23:06.180127+00:00');
CREATE TABLE note (text TEXT NOT NULL);
"""


def names(steps):
    return [step.name for step in steps]


@pytest.fixture
def notes():
    notes = Migrations("notes")

    @notes()
    def m001_note(db):
        db.execute("CREATE TABLE note (text TEXT NOT NULL)")

    return notes


def test_a_database_made_before_goes_on(tmp_path, notes):
    path = tmp_path / "notes.db"
    connection = sqlite3.connect(path)
    connection.executescript(MADE_BEFORE)
    made = connection.execute("PRAGMA table_info(_sqlite_migrations)").fetchall()
    connection.close()
    db = open_readonly(path, [notes])
    assert (names(notes.applied(db)), notes.pending(db), notes.unknown(db)) == (
        ["m001_note"],
        [],
        [],
    )
    db.close()

    @notes()
    def m002_author(db):
        db.execute("ALTER TABLE note ADD COLUMN author TEXT")

    db = open_database(path, [notes])
    assert names(notes.applied(db)) == ["m001_note", "m002_author"]
    assert db.conn.execute("PRAGMA table_info(_sqlite_migrations)").fetchall() == made
    db.close()


def test_a_new_database_is_recorded_as_before(tmp_path, notes):
    db = open_database(tmp_path / "notes.db", [notes])
    before = sqlite3.connect(":memory:")
    before.executescript(MADE_BEFORE)
    for pragma in ("table_info(_sqlite_migrations)", "index_list(_sqlite_migrations)"):
        assert (
            db.conn.execute(f"PRAGMA {pragma}").fetchall()
            == before.execute(f"PRAGMA {pragma}").fetchall()
        )
    before.close()
    db.close()


def test_sets_share_the_record(notes):
    later = Migrations("later")
    later(name="m001_note")(lambda db: db.execute("CREATE TABLE other (text TEXT)"))
    db = Database(sqlite3.connect(":memory:"))
    notes.apply(db)
    assert later.applied(db) == []
    later.apply(db)
    assert names(notes.applied(db)) == names(later.applied(db)) == ["m001_note"]
    assert db.table("other").count == 0
    db.close()
