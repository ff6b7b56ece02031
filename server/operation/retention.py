"""Retention: the deletion of keys, windows, key files, codes and tokens that are too old."""

from __future__ import annotations

from dataclasses import dataclass

from server.context import Server
from server.export.bluezone_list import retire_list
from server.export.exporter import publish_index
from server.export.store import delete_windows_started_before
from server.store.diagnosis_keys import delete_keys_created_before
from server.store.kept_aside import delete_kept_before
from server.trust.chain import retire_export_keys
from server.verification.store import delete_expired

__all__ = ["Removed", "run"]


@dataclass(frozen=True, slots=True)
class Removed:
    """Numbers of deleted rows."""

    keys: int
    """Published keys and padding."""
    batches: int
    """Exported windows, with their key files."""
    codes: int
    """Codes and tokens."""


def run(server: Server, region: str, *, now: float | None = None) -> Removed:
    """Delete everything that is too old: its rows, its files, and the bytes of both.

    A window is deleted with the oldest key that can first leave in it, so no key file outlives that
    key. A key that was revised in the window is kept in its files for as long again, since a signed
    file is never changed.

    Parameters
    ----------
    server
        The server.
    region
        The region.
    now
        The moment to reckon from (UTC Unix seconds), since nothing deleted comes back if the clock
        was wrong; None for the clock.

    Raises
    ------
    StoreError
        When something cannot be deleted; the next call tries again.
    """
    settings = server.settings
    now = server.clock.now() if now is None else now
    oldest = int(now) - settings.retention_seconds
    with server.database.begin() as conn:
        removed = Removed(
            keys=delete_keys_created_before(conn, oldest),
            batches=delete_windows_started_before(conn, oldest),
            codes=delete_expired(conn, int(now) - settings.forget_codes_seconds),
        )
        delete_kept_before(conn, oldest)
        # Codes expire at any minute and contain no key: their bytes go with the next window's.
        if removed.keys or removed.batches:
            server.database.note_deletion(conn)
    retire_list(server, region, oldest)
    publish_index(server, region)
    retire_export_keys(server.keys, region, now)
    server.database.compact()
    return removed
