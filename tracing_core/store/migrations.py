"""Migrations: the steps by which a set of tables came to be, recorded in the database itself.

The record is the table ``_sqlite_migrations`` as sqlite-utils 4 makes it. Databases that were made
through that library go on here, and it goes on with ours. The library itself is not used: it takes
a quarter of a second and 18 MB to import, and imports numpy and pandas where it finds them.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import TypeAlias

from tracing_core.store.database import Database

__all__ = ["Migrations"]

_Step: TypeAlias = Callable[[Database], None]

_TABLE = (
    'CREATE TABLE IF NOT EXISTS "_sqlite_migrations" ('
    '"id" INTEGER PRIMARY KEY, "migration_set" TEXT, "name" TEXT, "applied_at" TEXT)'
)
_INDEX = (
    'CREATE UNIQUE INDEX IF NOT EXISTS "idx__sqlite_migrations_migration_set_name"'
    ' ON "_sqlite_migrations" ("migration_set", "name")'
)


class Migrations:
    """A named set of steps, applied in the order of their definition.

    Call it to decorate a step::

        NOTES = Migrations("notes")

        @NOTES()
        def m001_note(db: Database) -> None:
            db.execute("CREATE TABLE note (text TEXT NOT NULL)")
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._steps: dict[str, _Step] = {}

    def __call__(self, *, name: str | None = None) -> Callable[[_Step], _Step]:
        """Return a decorator that adds a function as the next step.

        Parameters
        ----------
        name
            What the database remembers the step by; None is the function's name.
        """

        def add(step: _Step) -> _Step:
            key = name or step.__name__
            if key in self._steps:
                raise ValueError(f"the set {self.name} has two steps named {key}")
            self._steps[key] = step
            return step

        return add

    def applied(self, db: Database) -> list[str]:
        """Return the names of the steps that a database has taken, in their order."""
        names = {str(row[0]) for row in db.execute("SELECT name FROM sqlite_master")}
        if "_sqlite_migrations" not in names:
            return []
        rows = db.execute(
            "SELECT name FROM _sqlite_migrations WHERE migration_set = ? ORDER BY id", [self.name]
        )
        return [str(row[0]) for row in rows]

    def pending(self, db: Database) -> list[str]:
        """Return the names of the steps that a database has yet to take."""
        applied = set(self.applied(db))
        return [name for name in self._steps if name not in applied]

    def unknown(self, db: Database) -> list[str]:
        """Return the names of the steps taken that this set lacks: a newer version took them."""
        return [name for name in self.applied(db) if name not in self._steps]

    def apply(self, db: Database) -> None:
        """Take every pending step, inside the caller's transaction."""
        db.execute(_TABLE)
        db.execute(_INDEX)
        for name in self.pending(db):
            self._steps[name](db)
            db.execute(
                "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES (?, ?, ?)",
                [self.name, name, str(datetime.datetime.now(datetime.UTC))],
            )
