"""The end of use: after the last day nothing is published or answered, and all is deleted."""

# Two clocks decide. What can be undone goes by the clock that the server shows: it answers 410 and
# publishes nothing as soon as that clock is past the last day. What cannot be undone goes by the
# known time (`server.store.known_time`), which no clock that leapt is part of, and only after the
# server has run for a day since. So an operator has a day to notice a time server that is wrong.

from __future__ import annotations

import contextlib
import datetime
import math
from pathlib import Path

from sqlalchemy import Connection, MetaData, delete, text

from server.config import Settings
from server.context import Server
from server.store.database import Database
from server.store.ended import Ended, note_ended, read_ended
from server.store.known_time import KnownTime
from server.trust.chain import chain_last_day
from tracing_core.errors import StoreError
from tracing_core.store.files import destroy, file_errors
from tracing_core.trust.last_day import end_of_day

__all__ = ["EndOfUse", "check_not_ended", "empty", "is_emptied", "is_over", "known_last_day"]

_DOUBTED_SECONDS = 86_400
_VERSIONS = "alembic_version"
_FOLDERS = ("exports", "keys")
_FILES = ("join.txt",)


def known_last_day(server: Server) -> datetime.date | None:
    """Return the last day; None if the deployment has none.

    Raises
    ------
    StoreError
        When it cannot be read.
    """
    ended = read_ended(server.settings.home)
    return chain_last_day(server.keys.manifest()) if ended is None else ended.last_day


def is_over(last_day: datetime.date | None, now: float) -> bool:
    """Return True if a moment (UTC Unix seconds) is after the last day."""
    return last_day is not None and now >= end_of_day(last_day)


def check_not_ended(server: Server) -> None:
    """Check that codes and keys may be published by the clock.

    Raises
    ------
    StoreError
        When the last day is over.
    """
    last_day = known_last_day(server)
    if is_over(last_day, server.clock.now()):
        raise StoreError(
            f"the last day was {last_day}, so nothing is published any more: if that is wrong, set"
            " the clock right"
        )


class EndOfUse:
    """What one process does about the end of use."""

    def __init__(self) -> None:
        self._certain_since = math.inf

    def reached(self, server: Server) -> bool:
        """Return True if the last day is over by the clock.

        Raises
        ------
        StoreError
            When that cannot be known.
        """
        if is_over(known_last_day(server), server.clock.now()):
            return True
        # A clock that was set back begins the day again.
        self._certain_since = math.inf
        return False

    def work(self, server: Server, time: KnownTime) -> None:
        """Delete everything if the last day has been over for certain for a day.

        Raises
        ------
        StoreError
            When something cannot be deleted; the next call goes on.
        """
        last_day = known_last_day(server)
        if last_day is None or not is_over(last_day, time.certain):
            self._certain_since = math.inf
            return
        monotonic = server.clock.monotonic()
        self._certain_since = min(self._certain_since, monotonic)
        if monotonic - self._certain_since >= _DOUBTED_SECONDS:
            empty(server.settings, last_day, server.database)


def is_emptied(home: Path) -> bool:
    """Return True if everything was deleted."""
    ended = read_ended(home)
    return ended is not None and ended.is_emptied


def empty(settings: Settings, last_day: datetime.date, database: Database | None = None) -> None:
    """Delete every row, key file and private key; a later call finishes what was started.

    Parameters
    ----------
    settings
        The settings of the home folder.
    last_day
        The last day, which is over for certain.
    database
        The server's database; None opens it.

    Raises
    ------
    StoreError
        When something cannot be deleted.
    """
    home = settings.home
    if is_emptied(home):
        return
    note_ended(home, Ended(last_day, False))
    with contextlib.ExitStack() as closing:
        if database is None:
            database = Database(settings.database)
            closing.callback(database.close)
        with database.begin() as conn:
            _delete_rows(conn)
            database.note_deletion(conn)
        database.compact()
    with file_errors(home):
        for name in _FOLDERS:
            _destroy_folder(home / name)
        for name in _FILES:
            destroy(home / name)
    note_ended(home, Ended(last_day, True))


def _delete_rows(conn: Connection) -> None:
    """Empty every table, also those that this version does not know."""
    known = MetaData()
    known.reflect(conn)
    tables = [table for table in known.sorted_tables if table.name != _VERSIONS]
    if conn.dialect.name == "postgresql" and tables:
        quote = conn.dialect.identifier_preparer.format_table
        # Deleted rows would stay in the files until a vacuum.
        conn.execute(text(f"TRUNCATE {', '.join(map(quote, tables))}"))
        return
    for table in reversed(tables):
        conn.execute(delete(table))


def _destroy_folder(folder: Path) -> None:
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            _destroy_folder(path)
        else:
            destroy(path)
    folder.rmdir()
