"""Tables of the key files that were used, by name and by what their signed headers say.

That of the names is called ``batch``, as the first version named it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from ble_agent.authority.listing import Listing
from ble_agent.exposures.files.key_files import KeyFile
from ble_agent.store.database import RETENTION_SECONDS
from tracing_core.clock import Clock
from tracing_core.protocol.interval import utc_day
from tracing_core.store.database import Database
from tracing_core.store.field_values import LATEST_MOMENT
from tracing_core.store.sqlite import transaction

__all__ = ["forget_file", "forget_old_files", "note_used", "twin_of", "unused_names", "windows"]

# Of what a header may hold, as much as the table takes; nothing is decided by a region.
_REGION = re.compile(r"[A-Za-z0-9_.-]{0,32}")


def unused_names(db: Database, listing: Listing) -> list[str]:
    """Return the listed names that were not used, or whose file has changed since."""
    rows = db.conn.execute(
        "SELECT name, file_sha256 FROM batch LEFT JOIN signed_header USING (name)"
    )
    used: dict[str, str | None] = dict(rows.fetchall())
    return [name for name in listing.names if name not in used or _changed(name, used, listing)]


def _changed(name: str, used: dict[str, str | None], listing: Listing) -> bool:
    listed, known = listing.files.get(name), used[name]
    # What an older version used counts as used: it noted no hash.
    return listed is not None and known is not None and listed.sha256 != known


def note_used(db: Database, file: KeyFile, clock: Clock) -> bool:
    """Note in the caller's transaction that a file was used; False if that was noted before."""
    export = file.export
    named = db.conn.execute(
        "INSERT OR IGNORE INTO batch (name, done_on) VALUES (?, ?)",
        [file.name, utc_day(clock.now())],
    )
    described = db.conn.execute(
        "INSERT INTO signed_header VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE"
        " SET region = excluded.region, start_timestamp = excluded.start_timestamp,"
        " end_timestamp = excluded.end_timestamp, batch_num = excluded.batch_num,"
        " batch_size = excluded.batch_size, content_sha256 = excluded.content_sha256,"
        " file_sha256 = excluded.file_sha256 WHERE file_sha256 != excluded.file_sha256",
        [
            file.name,
            export.region if _REGION.fullmatch(export.region) else "",
            *(min(at, LATEST_MOMENT - 1) for at in (export.start_timestamp, export.end_timestamp)),
            *(max(0, number) for number in (export.batch_num, export.batch_size)),
            file.content_sha256,
            file.file_sha256,
        ],
    )
    return named.rowcount > 0 or described.rowcount > 0


def twin_of(db: Database, file: KeyFile, listed: Collection[str]) -> str | None:
    """Return another listed name under which the very same content was used; None if none."""
    rows = db.conn.execute(
        "SELECT name FROM batch JOIN signed_header USING (name)"
        " WHERE content_sha256 = ? AND name != ?",
        [file.content_sha256, file.name],
    )
    return next((name for (name,) in rows if name in listed), None)


def forget_file(db: Database, name: str) -> None:
    """Count a file as unused again."""
    with transaction(db):
        db.conn.execute("DELETE FROM batch WHERE name = ?", [name])
        db.conn.execute("DELETE FROM signed_header WHERE name = ?", [name])


def forget_old_files(db: Database, names: Iterable[str], clock: Clock) -> None:
    """Forget files that the index no longer names and that were used more than 14 days ago."""
    listed = set(names)
    oldest = utc_day(clock.now() - RETENTION_SECONDS) - 1
    with transaction(db):
        rows = db.conn.execute("SELECT name FROM batch WHERE done_on < ?", [oldest]).fetchall()
        db.conn.executemany(
            "DELETE FROM batch WHERE name = ?", [row for row in rows if row[0] not in listed]
        )
        db.conn.execute("DELETE FROM signed_header WHERE name NOT IN (SELECT name FROM batch)")


def windows(db: Database) -> list[int]:
    """Return the different ends of the windows of used files, oldest first (UTC Unix seconds)."""
    rows = db.conn.execute(
        "SELECT DISTINCT end_timestamp FROM signed_header ORDER BY end_timestamp"
    )
    return [end for (end,) in rows]
