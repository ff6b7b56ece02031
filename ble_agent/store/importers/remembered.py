"""Memory of imports: of what, when, and how many rows, so that each has a source."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tracing_core.store.database import Database
from tracing_core.store.other_sighting import OtherSighting
from tracing_core.store.sighting import Sighting

__all__ = ["ImportNote", "LogDigest"]


class LogDigest:
    """Digest of a log: SHA-256 of its sightings in their order, whatever the file's form.

    The file itself is not read for it: closing it would release the locks that SQLite holds on it
    for other connections of this process.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, sighting: Sighting | OtherSighting) -> None:
        """Add the next sighting of the log."""
        if isinstance(sighting, OtherSighting):
            identifier, more = sighting.identifier, (sighting.protocol, sighting.tx_power)
        else:
            identifier, more = sighting.rpi, (sighting.aem.hex(), sighting.clock_suspect)
        moments = (sighting.seen_at, sighting.previous_scan_at)
        self._hash.update(f"{identifier.hex()} {sighting.rssi_dbm} {moments} {more}\n".encode())

    def digest(self) -> bytes:
        """Return the 32 bytes."""
        return self._hash.digest()


class ImportNote:
    """Note of one import, written in the caller's transaction once the import adds something.

    Parameters
    ----------
    db
        The agent's database.
    name
        The format of the log.
    now
        This device's time (UTC Unix seconds).
    """

    def __init__(self, db: Database, name: str, now: float) -> None:
        self._db = db
        self._name = name
        self._now = now
        self._number: int | None = None

    def number(self) -> int:
        """Return the number of the import, by which rows name it."""
        if self._number is None:
            cursor = self._db.conn.execute(
                "INSERT INTO import (format, digest, imported_at, counts)"
                " VALUES (?, zeroblob(32), ?, '{}')",
                [self._name, int(self._now)],
            )
            self._number = cursor.lastrowid
            assert self._number is not None
        return self._number

    def finish(self, digest: LogDigest, counts: Mapping[str, Any]) -> None:
        """Note what the import came to."""
        self._db.conn.execute(
            "UPDATE import SET digest = ?, counts = ? WHERE id = ?",
            [digest.digest(), json.dumps(counts), self.number()],
        )
