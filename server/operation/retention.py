"""Deleting what is older than the settings allow: keys, windows, files, codes and tokens."""

from __future__ import annotations

from dataclasses import dataclass

from server.context import Server
from server.export.exporter import publish_index
from server.export.store import delete_windows_begun_before
from server.store.diagnosis_keys import delete_keys_created_before
from server.trust.chain import retire_export_keys
from server.verification.store import delete_expired

__all__ = ["Removed", "run"]


@dataclass(frozen=True, slots=True)
class Removed:
    """How much was deleted."""

    keys: int
    """Published keys and padding."""
    batches: int
    """Exported windows, with their files."""
    codes: int
    """Codes and tokens."""


def run(server: Server, region: str) -> Removed:
    """Delete everything older than it may be, from the rows, the files, and the bytes of both.

    A window goes with the oldest key that may be new in it, so no file outlives such a key; one
    that was revised in it stays for as long again, since files once signed are not written anew.

    Raises
    ------
    StoreError
        When something cannot be deleted; the next call tries again.
    """
    settings, now = server.settings, server.clock.now()
    oldest = int(now) - settings.retention_seconds
    with server.database.begin() as conn:
        removed = Removed(
            keys=delete_keys_created_before(conn, oldest),
            batches=delete_windows_begun_before(conn, oldest),
            codes=delete_expired(conn, int(now) - settings.forget_codes_seconds),
        )
        # Codes end at any minute, and hold no key: what is left of them goes with the next window.
        if removed.keys or removed.batches:
            server.database.note_deletion(conn)
    publish_index(server, region)
    retire_export_keys(server.keys, region, now)
    server.database.compact()
    return removed
