"""Migrations: the steps that made a set of tables, recorded in the database by sqlite-utils."""

from __future__ import annotations

# Imported first, since it keeps numpy out of what sqlite-utils imports.
from tracing_core.store.database import Database  # isort: skip
from sqlite_utils import migrations

__all__ = ["Migrations"]


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
