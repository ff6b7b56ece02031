"""Logs of this program: the database of another agent, or JSON Lines, gzipped or not.

A database may hold sightings of other protocols too; as JSON Lines they are a file of their own.
"""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from ble_agent.store.importers.source import Refusal, Tally
from tracing_core.errors import InvalidLog
from tracing_core.store.database import Database
from tracing_core.store.left_out import LeftOut
from tracing_core.store.other_sighting import (
    OtherSighting,
    read_other_lines,
    select_other_sightings,
)
from tracing_core.store.sighting import (
    SIGHTING_TABLE,
    Sighting,
    read_json_lines,
    select_sightings,
)
from tracing_core.store.sqlite import check_tables

__all__ = ["OwnLog", "own_database", "own_lines"]

_GZIP = b"\x1f\x8b"
_LINE_BYTES = 4096


class OwnLog:
    """A truyvet log: an SQLite database or JSON Lines.

    Parameters
    ----------
    name, title
        The identifier of the format, and its name in texts.
    read
        Reads the log from its beginning, and counts what cannot be read.
    """

    is_one_per_moment = False

    def __init__(
        self, name: str, title: str, read: Callable[[LeftOut], Iterator[Sighting | OtherSighting]]
    ) -> None:
        self.name = name
        self.title = title
        self._read = read

    def sightings(self, tally: Tally) -> Iterator[Sighting | OtherSighting]:
        """Yield the log's sightings in order; lines and rows that cannot be read are counted.

        Raises
        ------
        InvalidLog
            At the end, if none can be read.
        """
        left_out = LeftOut()
        for sighting in self._read(left_out):
            tally.read += 1
            yield sighting
        if left_out.unreadable:
            tally.read += left_out.unreadable
            tally.refused[Refusal.UNREADABLE] += left_out.unreadable
            tally.first_unreadable = left_out.first_unreadable


def own_lines(path: Path, beginning: bytes) -> OwnLog:
    """Return a log of JSON Lines, gzipped or not.

    Parameters
    ----------
    path
        The log.
    beginning
        Its first bytes, which show whether its sightings are of another protocol.
    """
    name, title = "json-lines", "JSON Lines"
    if beginning.startswith(_GZIP):
        with contextlib.suppress(zlib.error):
            beginning = zlib.decompressobj(wbits=31).decompress(beginning, _LINE_BYTES)
    if b'"protocol"' in beginning.lstrip().partition(b"\n")[0]:
        return OwnLog(name, title, lambda left_out: read_other_lines(path, left_out))
    return OwnLog(name, title, lambda left_out: read_json_lines(path, left_out))


def own_database(path: Path, connection: sqlite3.Connection) -> OwnLog:
    """Return the log in an agent's database that is open.

    Raises
    ------
    SchemaMismatch
        When a newer version wrote the database.
    StoreError
        When it lacks the tables.
    """
    connection.text_factory = str
    db = Database(connection)
    check_tables(db, [SIGHTING_TABLE], path)
    return OwnLog("truyvet", "truyvet", lambda left_out: _all_sightings(db, left_out))


def _all_sightings(db: Database, left_out: LeftOut) -> Iterator[Sighting | OtherSighting]:
    """Yield the sightings of every protocol; unreadable rows of one do not hide the other's.

    Raises
    ------
    InvalidLog
        At the end, if rows cannot be read and none can.
    """
    read = 0
    for reader in (select_sightings, select_other_sightings):
        with contextlib.suppress(InvalidLog):
            for sighting in reader(db, left_out):
                read += 1
                yield sighting
    left_out.check(read)
