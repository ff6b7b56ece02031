"""Recovery from a damaged database: it is set aside, and a fresh one starts with what was readable.

The fresh database is written first, so a full disk, or a library that cannot make the tables,
leaves everything as it was. A process that dies in between is taken up by the next one.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from ble_agent.store.damage import DATABASE_NAME, FRESH_NAME, MARK_NAME, is_damaged, used_alone
from ble_agent.store.database import delete_old, note_deletion, open_store
from ble_agent.store.home import exclusive_use
from ble_agent.store.kept_aside import kept_files, kept_path
from ble_agent.store.salvage import salvage
from ble_agent.store.state import DAMAGE
from ble_agent.store.tables import AGENT_TABLES
from ble_agent.store.vault import open_vault
from ble_agent.store.working_folder import working_folder
from tracing_core.errors import NotPossible, SchemaMismatch, StoreBusy, StoreDamaged
from tracing_core.paths import is_there
from tracing_core.store.compaction import empty_log
from tracing_core.store.database import Database
from tracing_core.store.files import destroy, file_errors, sync_folder
from tracing_core.store.journal import JOURNAL_SUFFIX, WAL_SUFFIX
from tracing_core.store.sighting import SIGHTING_TABLE
from tracing_core.store.sqlite import open_database, transaction
from tracing_core.store.write_ahead_log import lost_commits

__all__ = ["find_lost_commits", "open_recovered", "start_over"]

_MOST_KEPT_BYTES = 64 << 20
_COMPANIONS = (WAL_SUFFIX, JOURNAL_SUFFIX, "-shm")


@contextlib.contextmanager
def open_recovered(home: Path, now: float) -> Iterator[Database]:
    """Open the agent's database for one thread, after a recovery if it is damaged.

    Raises
    ------
    StoreDamaged
        When it is damaged, and a running agent will recover it.
    StoreError
        When it cannot be used.
    """
    with contextlib.ExitStack() as stack:
        try:
            db = stack.enter_context(open_store(home))
        except StoreDamaged:
            # A running agent recovers it when it next changes its identifier.
            with contextlib.suppress(NotPossible), exclusive_use(home):
                start_over(home, now)
            db = stack.enter_context(open_store(home))
        yield db


def find_lost_commits(home: Path) -> None:
    """Mark the database as damaged if its write-ahead log lost commits.

    Raises
    ------
    StoreError
        When the log cannot be read.
    """
    # While a connection is open, the log changes, and its owner looked before.
    with contextlib.suppress(StoreBusy), used_alone(home), file_errors(home):
        if lost_commits(home / f"{DATABASE_NAME}{WAL_SUFFIX}"):
            (home / MARK_NAME).touch(0o600)


def start_over(home: Path, now: float) -> None:
    """Set the damaged database aside, and start a fresh one; the caller holds the home's lock.

    Raises
    ------
    StoreBusy
        When a connection to the database is open.
    SchemaMismatch
        When a newer version wrote the database: it stays where it is.
    StoreError
        When the fresh database cannot be written; the damaged one stays where it is then.
    """
    path, fresh, mark = (home / name for name in (DATABASE_NAME, FRESH_NAME, MARK_NAME))
    with used_alone(home), file_errors(home):
        if not is_damaged(home):
            # Another process recovered it meanwhile, or the damage is read for the first time.
            mark.touch(0o600)
        if is_there(path) or not is_there(fresh):
            _remove(fresh)
            try:
                _write_fresh(home, fresh, now)
            except SchemaMismatch:
                _remove(fresh)
                mark.unlink(missing_ok=True)
                raise
        # Also after a recovery that was killed between the database and its log.
        _set_aside(home, path, now)
        fresh.rename(path)
        sync_folder(home)
        mark.unlink()


def _write_fresh(home: Path, fresh: Path, now: float) -> None:
    db = open_database(fresh, [SIGHTING_TABLE, AGENT_TABLES])
    with contextlib.closing(db.conn), working_folder(home) as folder:
        copy = folder / DATABASE_NAME
        damaged = home / DATABASE_NAME
        # The log may be all that is left.
        copy.touch(0o600)
        for suffix in ("", WAL_SUFFIX):
            # The folder is new, so a file that is missing here is missing there.
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(f"{damaged}{suffix}", f"{copy}{suffix}")
        with transaction(db):
            salvaged = salvage(copy, db, open_vault(home), now)
            DAMAGE.set(
                db,
                {
                    "at": int(now),
                    "sightings": salvaged.sightings,
                    "keys": salvaged.keys,
                    "joined": salvaged.joined,
                },
            )
            note_deletion(db)
            delete_old(db, now)
        empty_log(db.conn)


def _set_aside(home: Path, path: Path, now: float) -> None:
    """Move the damaged database away; only the newest one is kept, and none that is very large."""
    # A database that is missing does not replace the one that is kept.
    for kept in list(kept_files(home)) if is_there(path) else ():
        destroy(kept)
    for suffix in ("", *_COMPANIONS):
        file = Path(f"{path}{suffix}")
        if not is_there(file):
            continue
        if file.stat().st_size > _MOST_KEPT_BYTES or suffix == "-shm":
            destroy(file)
        else:
            file.rename(kept_path(home, now, suffix))


def _remove(fresh: Path) -> None:
    for suffix in ("", *_COMPANIONS):
        Path(f"{fresh}{suffix}").unlink(missing_ok=True)
