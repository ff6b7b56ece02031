"""Table of the listed key files that could not be used, so that none is fetched at every check.

A file is tried again when the signed index gives another hash for it, when truyvet's version has
changed, or when the server's marks of it (ETag, date, size) have changed. Otherwise the pauses
between the tries become longer, since a fault may also lie with something on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from ble_agent.authority.caching import FileMark
from ble_agent.authority.listing import Listing
from ble_agent.authority.membership import Membership
from tracing_core.clock import Clock
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction

if TYPE_CHECKING:
    from ble_agent.authority.client import ServerClient

__all__ = ["UnusableFile", "forget_unlisted", "is_due", "note_unusable", "unusable_files"]

_HOUR_SECONDS = 3_600
_DAY_SECONDS = 86_400
_LONGEST_PAUSE_SECONDS = 8 * _DAY_SECONDS
_TRIES_OF_TWINS = 3


@dataclass(frozen=True, slots=True)
class UnusableFile:
    """A key file that could not be used when it was last tried."""

    name: str
    fault: str
    """The word of the fault."""
    mark: FileMark
    listed_sha256: str | None
    """What the signed index gave as its hash; None if there was none."""
    version: str
    """The version of truyvet that tried it."""
    tries: int
    tried_at: int
    """UTC Unix seconds."""


def unusable_files(db: Database) -> dict[str, UnusableFile]:
    """Return the files that could not be used, by name."""
    rows = db.conn.execute(
        "SELECT name, fault, tag, size, listed_sha256, version, tries, tried_at FROM unusable_file"
    )
    return {
        name: UnusableFile(name, fault, FileMark(tag, size), *rest)
        for name, fault, tag, size, *rest in rows
    }


def note_unusable(
    db: Database, name: str, fault: str, mark: FileMark, listing: Listing, clock: Clock
) -> None:
    """Note that a file could not be used."""
    listed = listing.files.get(name)
    with transaction(db):
        db.conn.execute(
            "INSERT INTO unusable_file"
            " (name, fault, tag, size, listed_sha256, version, tries, tried_at)"
            " VALUES (?, ?, ?, ?, ?, ?, 1, ?) ON CONFLICT (name) DO UPDATE SET"
            " fault = excluded.fault, tag = excluded.tag, size = excluded.size,"
            " listed_sha256 = excluded.listed_sha256, version = excluded.version,"
            " tries = tries + 1, tried_at = excluded.tried_at",
            [
                name,
                fault,
                mark.tag,
                mark.size,
                None if listed is None else listed.sha256,
                version("truyvet"),
                int(clock.now()),
            ],
        )


def forget_unlisted(db: Database, listing: Listing) -> None:
    """Forget the files that are no longer listed, and those that were used since."""
    listed = set(listing.names)
    with transaction(db):
        db.conn.execute("DELETE FROM unusable_file WHERE name IN (SELECT name FROM batch)")
        gone = [name for name in unusable_files(db) if name not in listed]
        db.conn.executemany("DELETE FROM unusable_file WHERE name = ?", [(name,) for name in gone])


def is_due(
    file: UnusableFile,
    listing: Listing,
    client: ServerClient,
    membership: Membership,
    clock: Clock,
) -> bool:
    """Return whether to try a file again; for most files the server is asked for its marks."""
    listed = listing.files.get(file.name)
    if file.version != version("truyvet"):
        return True
    if (None if listed is None else listed.sha256) != file.listed_sha256:
        return True
    if file.fault == "file_twice" and file.tries < _TRIES_OF_TWINS:
        # The other name may have its own file by now.
        return True
    waited = clock.now() - file.tried_at
    # A name without a file costs little, and the file may be on its way.
    first = _HOUR_SECONDS if file.fault == "file_missing" else _DAY_SECONDS
    if not 0 <= waited < min(first * 2 ** (file.tries - 1), _LONGEST_PAUSE_SECONDS):
        return True
    if file.fault == "file_missing":
        return False
    mark = client.file_mark(membership.region, file.name, membership.mirrors)
    return mark is not None and file.mark.differs(mark)
