"""Rollback journals of SQLite that name another file.

A change to several databases at once writes the name of a super-journal at the end of each
database's journal. After it rolled such a journal back, SQLite deletes the file of that name
(``pager_delsuper`` in SQLite's ``pager.c``). Nothing in this project changes several databases at
once. So a journal that names a file is damaged, or was made to have that file deleted.
"""

from __future__ import annotations

import os
from pathlib import Path

from tracing_core.errors import StoreDamaged

__all__ = ["JOURNAL_SUFFIX", "WAL_SUFFIX", "check_journal", "names_a_file"]

JOURNAL_SUFFIX = "-journal"
"""What SQLite adds to a database's name for its rollback journal."""

WAL_SUFFIX = "-wal"
"""What SQLite adds to a database's name for its write-ahead log, which names no file."""

_MAGIC = bytes.fromhex("d9d505f920a163d7")


def names_a_file(journal: Path) -> bool:
    """Return whether a rollback journal ends as one does that names a super-journal.

    SQLite looks only at the last bytes of the file, so nothing before them can name one.

    Raises
    ------
    OSError
        When the journal cannot be read.
    """
    with journal.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - len(_MAGIC)))
        return file.read(len(_MAGIC)) == _MAGIC


def check_journal(database: Path) -> None:
    """Refuse a database beside which lies a journal that names a file.

    Raises
    ------
    StoreDamaged
        When its journal names a file.
    OSError
        When its journal cannot be read.
    """
    journal = Path(f"{database}{JOURNAL_SUFFIX}")
    if journal.is_file() and names_a_file(journal):
        text = f"{journal} names another file, which SQLite would delete: remove the journal"
        raise StoreDamaged(text, str(journal))
