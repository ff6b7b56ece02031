"""Database of the agent, HOME/agent.db: opening it, and deleting what is old."""

from __future__ import annotations

import contextlib
import datetime
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from ble_agent.messages.catalogue import say
from ble_agent.store.damage import DATABASE_NAME, damage_noted, damaged, in_use, is_damaged
from ble_agent.store.home import refuse_over
from ble_agent.store.kept_aside import drop_kept
from ble_agent.store.ownership import keep_private
from ble_agent.store.state import (
    ADDITIONS,
    BLUEZONE_LIST,
    COMPACTED_AT,
    DAMAGE,
    EXPOSED,
    HELD_BACK,
    LEDGER,
    NOTIFIED,
    NOTIFY_FAULT,
    REPORT,
    ROOM,
    SEEN,
    TO_COMPACT,
    StateValue,
)
from ble_agent.store.tables import AGENT_TABLES
from ble_agent.store.working_folder import remove_left_folders
from tracing_core.clock import local_date
from tracing_core.errors import StoreBusy, StoreError, StoreFull
from tracing_core.paths import is_folder, is_there
from tracing_core.protocol.interval import INTERVAL_SECONDS, utc_date
from tracing_core.store.compaction import empty_log, rewrite
from tracing_core.store.database import Database
from tracing_core.store.files import file_errors
from tracing_core.store.sighting import SIGHTING_TABLE
from tracing_core.store.sqlite import (
    as_store_error,
    database_errors,
    open_database,
    path_of,
    transaction,
)

_Noted = TypeVar("_Noted")

__all__ = [
    "DATABASE_NAME",
    "DATED_ROWS",
    "DIARY_DAYS",
    "DIARY_ROWS",
    "RETENTION_SECONDS",
    "additions",
    "compact",
    "delete_old",
    "forget",
    "forget_dates",
    "forget_key_files",
    "has_database",
    "make_home",
    "newest_date",
    "note_deletion",
    "open_store",
    "reserve_room",
    "truncate_log",
]

RETENTION_SECONDS = 14 * 86_400
"""Everything older is deleted, since the protocol has no use for it (GAEN: 14 days)."""

DIARY_DAYS = 21
"""Days for which the health diary is kept: those that Vietnam's declaration asks about."""

DATED_ROWS = (
    ("sighting", "seen_at"),
    ("other_sighting", "seen_at"),
    ("import", "imported_at"),
    ("request", "at"),
    ("own_key", f"(rolling_start + rolling_period) * {INTERVAL_SECONDS}"),
    ("kept_row", "kept_at"),
    ("matched_key", f"(rolling_start + rolling_period) * {INTERVAL_SECONDS}"),
)
"""The tables whose rows have a date, and the expression for it (UTC Unix seconds)."""

DIARY_ROWS = ("diary", "day * 86400")
"""The same for the diary, whose days are those of the owner's calendar."""

_LAST_DATE = "9999-12-31"

_COMPACT_EVERY_SECONDS = 86_400

_MOST_IN_MEMORY_BYTES = 24 << 20
_ROOM_BYTES = 64 << 10


def make_home(home: Path) -> None:
    """Create the home folder, readable by its owner only, if it is not there.

    What killed commands left in it is removed.

    Raises
    ------
    StoreError
        When it cannot be created, or other users may write to it.
    """
    with file_errors(home):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    keep_private(home)
    _drop_left(home)


def _drop_left(home: Path) -> None:
    """Remove what killed commands left in a home folder."""
    # A disk that refuses this refuses what follows too, with a better error.
    with contextlib.suppress(StoreError):
        remove_left_folders(home)


def has_database(home: Path) -> bool:
    """Check whether a home folder holds an agent's database, or should hold one.

    Raises
    ------
    NotPossible
        When the last day is over, and all was deleted (``over``).
    StoreError
        When the folder cannot be read.
    """
    refuse_over(home)
    with file_errors(home):
        return is_there(home / DATABASE_NAME) or is_damaged(home)


@contextlib.contextmanager
def open_store(home: Path) -> Iterator[Database]:
    """Open the agent's database for one thread, and close it at the end.

    Raises
    ------
    NotPossible
        When the last day is over (``over``).
    StoreDamaged
        When the database is damaged, or missing although there is a key for it.
    StoreError
        When the home folder is missing, other users may write to it, or the database cannot be
        used.
    """
    with file_errors(home):
        has_folder = is_folder(home)
    if not has_folder:
        text = f"there is no agent in {home}: run `truyvet agent join` first"
        error = StoreError(text, str(home))
        error.vi = f"{home}: {say('error_no_home', 'vi')}"
        raise error
    refuse_over(home)
    keep_private(home)
    _drop_left(home)
    with in_use(home), damage_noted(home):
        # A removal may have started before this process could keep it away.
        refuse_over(home)
        if is_damaged(home):
            raise damaged(home)
        db = open_database(home / DATABASE_NAME, [SIGHTING_TABLE, AGENT_TABLES])
        try:
            # By default the log grows to 4 MB and keeps that size.
            db.conn.execute("PRAGMA wal_autocheckpoint = 250")
            db.conn.execute(f"PRAGMA journal_size_limit = {1 << 20}")
            yield db
        except sqlite3.Error as error:
            # This is an error of reading; writing translates its own.
            raise as_store_error(error, home / DATABASE_NAME) from error
        finally:
            db.conn.close()


def delete_old(db: Database, now: float) -> int:
    """Delete what is older than 14 days, in the caller's transaction.

    The diary is kept for 21 days.

    The bytes are overwritten where the rows were. They stay in the write-ahead log until
    `truncate_log`, and may stay elsewhere in the file until `compact`.

    Returns
    -------
    int
        Number of rows deleted, and of named values of which anything was.
    """
    oldest = int(now) - RETENTION_SECONDS
    count = _forget_report(db, oldest)
    count += forget_dates(db, utc_date(oldest).isoformat(), _LAST_DATE)
    damage = DAMAGE.get(db)
    if damage and damage["at"] < oldest:
        DAMAGE.clear(db)
        count += 1
    # An update set them aside, and knew no time.
    db.conn.execute("UPDATE kept_row SET kept_at = ? WHERE kept_at = 0", [max(1, int(now))])
    count += sum(
        db.conn.execute(f"DELETE FROM {table} WHERE {moment} < ?", [oldest]).rowcount  # noqa: S608
        for table, moment in DATED_ROWS
    )
    count += _forget_diary(db, local_date(now))
    if count:
        note_deletion(db)
    return count


def _forget_report(db: Database, oldest: int) -> int:
    report = REPORT.get(db)
    if not report or oldest <= max(
        report.get("attempted_at", 0), report.get("verified_at", 0), report.get("reported_at", 0)
    ):
        return 0
    REPORT.clear(db)
    return 1


def _forget_diary(db: Database, today: datetime.date) -> int:
    """Forget entries of the diary, and an exposure to isolate for, from more than 21 days ago."""
    oldest = today - datetime.timedelta(DIARY_DAYS)
    exposed = EXPOSED.get(db)
    is_old = exposed is not None and exposed["date"] < oldest.isoformat()
    if is_old:
        EXPOSED.clear(db)
    day = (oldest - datetime.date(1970, 1, 1)).days
    return is_old + db.conn.execute("DELETE FROM diary WHERE day < ?", [day]).rowcount


def newest_date(db: Database) -> str:
    """Return the newest day (YYYY-MM-DD) that a named value notes; "" without any."""
    bluezone, fault, exposed = BLUEZONE_LIST.get(db), NOTIFY_FAULT.get(db), EXPOSED.get(db)
    dates = [
        *(NOTIFIED.get(db) or ()),
        *(SEEN.get(db) or ()),
        *(HELD_BACK.get(db) or ()),
        *(entry["date"] for entry in LEDGER.get(db) or ()),
        *(() if bluezone is None else bluezone["days"]),
        *(() if fault is None else fault["days"]),
        *(() if exposed is None else [exposed["date"]]),
    ]
    return max(dates, default="")


def forget_dates(db: Database, first: str, last: str) -> int:
    """Forget what named values note of days before or after these, in the caller's transaction.

    Parameters
    ----------
    db
        The agent's database.
    first, last
        The days (YYYY-MM-DD) whose notes are kept, and those between. An exposure to isolate for
        is kept for longer, so only `last` applies to it.

    Returns
    -------
    int
        Number of values of which anything was forgotten.
    """
    before = db.conn.total_changes
    _forget_dates(db, NOTIFIED, first, last)
    _forget_dates(db, SEEN, first, last)
    _forget_dates(db, HELD_BACK, first, last)
    entries = LEDGER.get(db) or ()
    kept = [entry for entry in entries if first <= entry["date"] <= last]
    if len(kept) < len(entries):
        LEDGER.set(db, kept)
    known = BLUEZONE_LIST.get(db)
    if known is not None and not all(first <= date <= last for date in known["days"]):
        days = {date: day for date, day in known["days"].items() if first <= date <= last}
        BLUEZONE_LIST.set(db, {**known, "days": days})
    fault = NOTIFY_FAULT.get(db)
    if fault is not None and not any(first <= date <= last for date in fault["days"]):
        NOTIFY_FAULT.clear(db)
    exposed = EXPOSED.get(db)
    if exposed is not None and exposed["date"] > last:
        EXPOSED.clear(db)
    return db.conn.total_changes - before


def _forget_dates(
    db: Database, value: StateValue[dict[str, _Noted]], first: str, last: str
) -> None:
    days = value.get(db) or {}
    kept = {date: noted for date, noted in days.items() if first <= date <= last}
    if kept != days:
        value.set(db, kept)


def forget_key_files(db: Database) -> None:
    """Mark every key file as unmatched; call it in the transaction that adds old sightings.

    A check that is under way sees by `additions` that its key files must be matched again.
    """
    db.conn.execute("DELETE FROM batch")
    db.conn.execute("DELETE FROM signed_header")
    db.conn.execute("DELETE FROM unusable_file")
    ADDITIONS.set(db, additions(db) + 1)


def additions(db: Database) -> int:
    """Return how often old sightings were added to the log."""
    return ADDITIONS.get(db) or 0


def note_deletion(db: Database) -> None:
    """Note, in the transaction that deletes or replaces, that the file must be compacted."""
    if not TO_COMPACT.get(db):
        TO_COMPACT.set(db, True)


def compact(db: Database) -> bool:
    """Rewrite the file if rows were deleted, so that no byte of them is left in it.

    Returns
    -------
    bool
        False if another process was using the database; then a later call does it.

    Raises
    ------
    StoreFull, StoreError
        When the disk has no room for a second copy, or cannot be written to.
    """
    with database_errors(path_of(db)):
        if not TO_COMPACT.get(db):
            return True
        try:
            rewrite(db.conn, path_of(db), most_in_memory=_MOST_IN_MEMORY_BYTES)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                return False
            raise
    if not truncate_log(db):
        return False
    with transaction(db):
        TO_COMPACT.clear(db)
    return True


def truncate_log(db: Database) -> bool:
    """Move the write-ahead log into the database and empty it.

    Returns
    -------
    bool
        False if another process was reading; then a later call does it.
    """
    with database_errors(path_of(db)):
        return empty_log(db.conn)


def reserve_room(db: Database) -> None:
    """Check that there is room for a few more writes, before something that happens only once.

    Raises
    ------
    StoreBusy, StoreFull, StoreError
        When there is no room.
    """
    with transaction(db):
        ROOM.set(db, "." * _ROOM_BYTES)
    with transaction(db):
        ROOM.clear(db)
    # The database keeps the pages, and the log's blocks become free again.
    truncate_log(db)


def forget(db: Database, now: float) -> int:
    """Delete what `delete_old` does, from the files too, and return the number that it does.

    The file is rewritten at most once per day, to spare an SD card the writes.
    """
    with transaction(db):
        count = delete_old(db, now)
    drop_kept(Path(path_of(db)).parent, now)
    # If another process reads all day, or the disk is full, a later call makes up for it.
    with contextlib.suppress(StoreBusy, StoreFull):
        is_due = not 0 <= now - (COMPACTED_AT.get(db) or 0) < _COMPACT_EVERY_SECONDS
        if is_due and TO_COMPACT.get(db) and compact(db):
            with transaction(db):
                COMPACTED_AT.set(db, int(now))
        elif count:
            truncate_log(db)
    return count
