"""Migrations: the steps that made a set of tables, recorded in the database by sqlite-utils."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Imported first, since it keeps numpy out of what sqlite-utils imports.
from tracing_core.store.database import Database  # isort: skip
from sqlite_utils import migrations

from tracing_core.errors import StoreFull

__all__ = ["Migrations", "check_room", "rebuild_tables"]

# The write-ahead log takes the new rows and the zeros over the old ones; then the file grows.
_TIMES_THE_SIZE = 3
_MARGIN_BYTES = 1 << 20


class Migrations(migrations.Migrations):
    """A named set of steps, applied in the order of their definition.

    Call it to decorate a step::

        NOTES = Migrations("notes")

        @NOTES()
        def m001_note(db: Database) -> None:
            db.execute("CREATE TABLE note (text TEXT NOT NULL)")
    """

    @property
    def steps(self) -> frozenset[str]:
        """The names of all steps of the set."""
        return frozenset(step.name for step in self._migrations)

    def unknown(self, db: Database) -> list[str]:
        """Return the names of applied steps that this set lacks: a newer version applied them."""
        known = self.steps
        return [step.name for step in self.applied(db) if step.name not in known]


def check_room(db: Database) -> None:
    """Check that the disk has room to make every table of a database again.

    Raises
    ------
    StoreFull
        When it has not.
    OSError
        When the disk cannot be asked.
    """
    path = db.conn.execute("PRAGMA database_list").fetchone()[2]
    if not path:
        return
    log = Path(f"{path}-wal")
    size = Path(path).stat().st_size + (log.stat().st_size if log.exists() else 0)
    disk = os.statvfs(path)
    needed, free = _TIMES_THE_SIZE * size + _MARGIN_BYTES, disk.f_bavail * disk.f_frsize
    if free < needed:
        text = (
            f"{path} must be rewritten once for this version, which needs {needed >> 20} MB on"
            f" its disk, and {free >> 20} MB are free: free some space; nothing was lost"
        )
        raise StoreFull(text, path)


def rebuild_tables(
    db: Database, statements: Mapping[str, str], replaced: Mapping[str, str] | None = None
) -> None:
    """Make tables again with narrower constraints, in the caller's transaction; keep every row.

    A row that violates a constraint goes to the table ``kept_row`` as it was. What refers to the
    tables goes on doing so (sqlite.org/lang_altertable.html, 7).

    Parameters
    ----------
    db
        The database, with the table ``kept_row``, and whose ``foreign_keys`` are off.
    statements
        The statement that makes each table, by its name; one that refers to another comes later.
    replaced
        Expressions that columns are copied by, by name.
    """
    further = [
        (kind, name, sql)
        for table in statements
        for kind, name, sql in db.conn.execute(
            "SELECT type, name, sql FROM sqlite_master"
            " WHERE tbl_name = ? AND type IN ('index', 'trigger') AND sql IS NOT NULL",
            [table],
        ).fetchall()
    ]
    for kind, name, _ in further:
        db.conn.execute(f"DROP {kind} {name}")
    # Else a new name would be written into the tables and triggers that name the old one.
    db.conn.execute("PRAGMA legacy_alter_table = ON")
    old = []
    for table, statement in statements.items():
        if db.conn.execute(f"SELECT 1 FROM {table}").fetchone() is None:  # noqa: S608
            db.conn.execute(f"DROP TABLE {table}")
            db.conn.execute(statement)
            continue
        # The old table gives way, so that what refers to it never sees it empty.
        db.conn.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
        db.conn.execute(statement)
        _copy(db, table, replaced or {})
        old.append(table)
    for table in reversed(old):
        db.conn.execute(f"DROP TABLE old_{table}")
    for _, _, sql in further:
        db.conn.execute(sql)
    db.conn.execute("PRAGMA legacy_alter_table = OFF")


def _copy(db: Database, table: str, replaced: Mapping[str, str]) -> None:
    info = db.conn.execute("SELECT name, pk, type FROM pragma_table_info(?)", [table]).fetchall()
    names = [name for name, _, _ in info]
    keys = [kind for _, in_key, kind in info if in_key]
    # A number of its own is kept too, since the order of rows may matter.
    numbered = names if keys == ["INTEGER"] else ["rowid", *names]
    values = ", ".join(replaced.get(name, name) for name in numbered)
    copied = db.conn.execute(
        f"INSERT OR IGNORE INTO {table} ({', '.join(numbered)})"  # noqa: S608
        f" SELECT {values} FROM old_{table} ORDER BY rowid"
    ).rowcount
    (count,) = db.conn.execute(f"SELECT count(*) FROM old_{table}").fetchone()  # noqa: S608
    if copied == count:
        return
    kept = db.conn.execute(
        f"SELECT {', '.join(names)} FROM old_{table}"  # noqa: S608
        f" WHERE rowid NOT IN (SELECT rowid FROM {table})"
    )
    for row in kept:
        content = {name: _plain(value) for name, value in zip(names, row, strict=True)}
        db.conn.execute(
            "INSERT INTO kept_row (source, kept_at, content) VALUES (?, 0, ?)",
            [table, json.dumps(content).encode()],
        )


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; bytes as their hex digits."""
    return {"hex": value.hex()} if isinstance(value, bytes) else value
