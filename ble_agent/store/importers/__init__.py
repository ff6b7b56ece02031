"""Import of other apps' logs into the agent's own: one reader per format, chosen by content.

A log is added whole or not at all, apart from single lines that cannot be read, which are counted.
Sightings that the agent's log has already are left alone, so importing the same log again, or a
later copy of it, adds only what is new. Addresses and places are never read. Sightings of other
protocols go into a table of their own, and each import that adds something is remembered.
"""

from __future__ import annotations

import array
import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ble_agent.store.database import RETENTION_SECONDS, forget_key_files
from ble_agent.store.importers.all_data import AllData, is_all_data
from ble_agent.store.importers.bluezone import (
    BLUEZONE_COLUMNS,
    BLUEZONE_TABLE,
    Bluezone,
    BluezoneTrace,
    is_bluezone_trace,
)
from ble_agent.store.importers.leveldb import is_leveldb
from ble_agent.store.importers.microg import MICROG_COLUMNS, MICROG_TABLE, MicroG
from ble_agent.store.importers.own_log import own_database, own_lines
from ble_agent.store.importers.play_services import PlayServices
from ble_agent.store.importers.ramble import RAMBLE_COLUMNS, Ramble
from ble_agent.store.importers.remembered import ImportNote, LogDigest
from ble_agent.store.importers.source import Refusal, Source, Tally
from ble_agent.store.importers.sqlite_source import columns_of, opened_database
from ble_agent.store.importers.unusable import foreign_file, unusable_database
from tracing_core.errors import InvalidLog, LogFault
from tracing_core.export_file.file_kind import FileKind, advice_for_log, file_kind
from tracing_core.paths import is_folder
from tracing_core.store.database import Database
from tracing_core.store.files import file_errors
from tracing_core.store.other_sighting import OtherSighting, insert_other_sightings
from tracing_core.store.sighting import Sighting, insert_sightings
from tracing_core.store.sqlite import beginning_of, database_errors, path_of, transaction

__all__ = [
    "FUTURE_SECONDS",
    "ImportReport",
    "Refusal",
    "Source",
    "Tally",
    "add_source",
    "import_log",
    "open_source",
    "other_is_known",
    "sighting_is_known",
]

FUTURE_SECONDS = 7_200
"""A sighting this long after this device's time is refused: two hours, by which clocks may differ.

A later one would not be deleted after 14 days.
"""

_SQLITE = b"SQLite format 3\0"
_GZIP = b"\x1f\x8b"
_WHAT_IS_KNOWN = "see `truyvet agent import --help`"


class ImportReport(Tally):
    """Counts of an imported log: its rows, and the sightings they make."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.format = source.name
        """The format of the log, for programs."""
        self.title = source.title
        """The format of the log, for people."""
        self.kept = 0
        """Sightings added."""
        self.known = 0
        """Sightings that were there already."""
        self.too_old = 0
        """Sightings older than 14 days."""
        self.other_protocols: set[str] = set()
        """Names of the other protocols of which sightings were added."""
        self.is_of_own_protocol = False
        """Whether sightings were added that checks compare with published keys."""
        self.digest = LogDigest()
        """Digest of all that was read of the log."""

    @property
    def adds_anything(self) -> bool:
        """Whether anything is added."""
        return bool(self.kept)

    def to_json(self) -> dict[str, Any]:
        """Return the format and the counts by name."""
        first = self.first_unreadable
        return {
            **({} if first is None else {"first_unreadable": str(first)}),
            "format": self.format,
            **self.counts(),
        }

    def counts(self) -> dict[str, Any]:
        """Return the counts alone."""
        return {
            "read": self.read,
            "kept": self.kept,
            "known": self.known,
            "too_old": self.too_old,
            "refused": {reason.value: count for reason, count in self.refusals()},
        }


class _DryRun(Exception):
    pass


@contextlib.contextmanager
def open_source(path: Path, home: Path) -> Iterator[Source]:
    """Open a log of any known format, chosen by its content.

    Parameters
    ----------
    path
        The log: a file, or a folder.
    home
        The agent's folder. A working copy is made there if one is needed.

    Raises
    ------
    InvalidLog
        When the log is in none of these formats, or its journal names a file.
    StoreError
        When the log cannot be opened.
    """
    with file_errors(path):
        in_folder = is_folder(path)
        beginning = b""
        if not in_folder:
            beginning = beginning_of(path)
    if in_folder and is_leveldb(path):
        yield PlayServices(path)
    elif beginning.startswith(_SQLITE):
        with opened_database(path, home) as connection:
            with database_errors(path):
                source = _database_source(path, connection)
            yield source
    elif file_kind(beginning) is not FileKind.CHECKS and (
        beginning.startswith((_GZIP, b"{")) or not (in_folder or beginning.strip())
    ):
        yield own_lines(path, beginning)
    elif is_all_data(beginning):
        yield AllData(path, beginning)
    elif is_bluezone_trace(beginning):
        yield BluezoneTrace(path)
    else:
        raise _unknown(path, beginning)


def _unknown(path: Path, beginning: bytes) -> InvalidLog:
    foreign = foreign_file(path, beginning)
    if foreign is not None:
        return foreign
    advice = advice_for_log(beginning)
    why = _WHAT_IS_KNOWN if advice is None else advice.en
    is_packed = file_kind(beginning) is FileKind.ARCHIVE
    error = InvalidLog(
        f"{path} is not a log that truyvet can import: {why}",
        LogFault.PACKED if is_packed else LogFault.UNKNOWN,
        path=path,
    )
    if advice is not None and not is_packed:
        error.vi = f"{path}: {advice.vi}"
    return error


def _database_source(path: Path, connection: sqlite3.Connection) -> Source:
    if columns_of(connection, MICROG_TABLE) >= MICROG_COLUMNS:
        return MicroG(path, connection)
    if all(columns_of(connection, table) >= known for table, known in RAMBLE_COLUMNS.items()):
        return Ramble(path, connection)
    if columns_of(connection, "sighting"):
        return own_database(path, connection)
    if columns_of(connection, BLUEZONE_TABLE) >= BLUEZONE_COLUMNS:
        return Bluezone(path, connection)
    unusable = unusable_database(path, connection)
    if unusable is not None:
        raise unusable
    text = f"{path} is not a log that truyvet can import: {_WHAT_IS_KNOWN}"
    raise InvalidLog(text, LogFault.UNKNOWN, path=path)


def import_log(db: Database, path: Path, now: float, *, dry_run: bool = False) -> ImportReport:
    """Add the log of another app or device: all that can be read of it, or nothing.

    If the log of our own protocol has grown, the next check matches every key file again.

    Parameters
    ----------
    db
        The agent's database.
    path
        The log: a file, or a folder.
    now
        This device's time (UTC Unix seconds).
    dry_run
        Count only, and add nothing.

    Raises
    ------
    InvalidLog, StoreError
        When the other log cannot be read, or the agent's own not written; nothing is added then.
    """
    with file_errors(path):
        if path.samefile(path_of(db)):
            text = f"{path} is this device's own log: there is nothing to add"
            raise InvalidLog(text, LogFault.OWN, path=path)
    # Leaving the transaction by an exception undoes it.
    home = Path(path_of(db)).parent
    with open_source(path, home) as source, contextlib.suppress(_DryRun), transaction(db):
        report = add_source(db, source, now)
        if dry_run:
            raise _DryRun
    return report


def add_source(db: Database, source: Source, now: float) -> ImportReport:
    """Add a log that is open, inside the caller's transaction.

    Parameters
    ----------
    db
        The agent's database.
    source
        The log.
    now
        This device's time (UTC Unix seconds).

    Raises
    ------
    InvalidLog, StoreError
        When the log cannot be read to its end. The caller undoes what was added of it.
    sqlite3.Error
        When the agent's database cannot be written.
    """
    report = ImportReport(source)
    note = ImportNote(db, source.name, now)
    for sighting in source.sightings(report):
        report.digest.add(sighting)
        if sighting.seen_at < now - RETENTION_SECONDS:
            report.too_old += 1
        elif sighting.seen_at > now + FUTURE_SECONDS:
            report.refuse(Refusal.FUTURE)
        elif isinstance(sighting, OtherSighting):
            if other_is_known(db, sighting):
                report.known += 1
            else:
                report.kept += 1
                report.other_protocols.add(sighting.protocol)
                insert_other_sightings(db, [sighting], note.number())
        elif _is_known(db, sighting, is_one_per_moment=source.is_one_per_moment):
            report.known += 1
        else:
            report.kept += 1
            report.is_of_own_protocol = True
            insert_sightings(db, [sighting], note.number())
    if report.is_of_own_protocol:
        forget_key_files(db)
    if report.kept:
        note.finish(report.digest, report.counts())
    return report


def other_is_known(db: Database, sighting: OtherSighting) -> bool:
    """Return whether the agent has this sighting of another protocol."""
    found = db.conn.execute(
        "SELECT 1 FROM other_sighting WHERE seen_at = ? AND identifier = ?",
        [sighting.seen_at, sighting.identifier],
    )
    return found.fetchone() is not None


def _is_known(db: Database, sighting: Sighting, *, is_one_per_moment: bool) -> bool:
    return (_moment_is_known if is_one_per_moment else sighting_is_known)(db, sighting)


def _moment_is_known(db: Database, sighting: Sighting) -> bool:
    found = db.conn.execute(
        "SELECT 1 FROM sighting WHERE seen_at = ? AND rpi = ? AND aem = ?",
        [sighting.seen_at, sighting.rpi, sighting.aem],
    )
    return found.fetchone() is not None


def sighting_is_known(db: Database, sighting: Sighting) -> bool:
    """Return whether the agent's log has this sighting, with equal samples."""
    found = db.conn.execute(
        "SELECT 1 FROM sighting WHERE seen_at = ? AND rpi = ? AND aem = ? AND rssi_dbm = ?",
        [
            sighting.seen_at,
            sighting.rpi,
            sighting.aem,
            array.array("b", sighting.rssi_dbm).tobytes(),
        ],
    )
    return found.fetchone() is not None
