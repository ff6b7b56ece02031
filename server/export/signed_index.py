"""The signed index: ``index.jws`` beside ``index.txt``, signed again before it expires."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

from server.context import Server
from server.export.windows import Window
from tracing_core.errors import TrustError
from tracing_core.export_file import SIGNED_INDEX_NAME
from tracing_core.trust.signed_index import IndexedFile, SignedIndex

__all__ = ["refresh_signed_index"]

_log = logging.getLogger(__name__)


def refresh_signed_index(
    server: Server, region: str, names: Sequence[str], newest: Window | None
) -> None:
    """Sign an index of published key files, unless the stored one says the same and is recent.

    Parameters
    ----------
    server
        The server; the caller keeps other processes from publishing meanwhile.
    region
        The region.
    names
        Names of the key files, oldest first.
    newest
        The newest window with key files; None before the first.

    Raises
    ------
    StoreError
        When the index cannot be written; the old one stays.
    """
    now = int(server.clock.now())
    lifetime = server.settings.index_seconds
    key = server.keys.config_key()
    document = _stored(server, region)
    last = None if document is None else _read(document)
    index = SignedIndex(
        region=region,
        # Seconds rise even where the last index was lost, as in a home restored from a backup.
        sequence=max(now, 1 if last is None else last.sequence + 1),
        issued_at=now,
        expires_at=now + lifetime,
        files=tuple(_files(server, names)),
        newest_end=None if newest is None else newest.end,
        window_seconds=0 if newest is None else newest.end - newest.start,
    )
    if last is not None and document is not None and _has_same_contents(last, index):
        is_recent = last.issued_at <= now < last.expires_at - lifetime // 2
        if is_recent and _is_signed(document, server):
            return
    staged = server.storage.stage(index.sign(key).encode("ascii"))
    server.storage.publish(staged, f"{region}/{SIGNED_INDEX_NAME}")


def _stored(server: Server, region: str) -> str | None:
    found = server.storage.read(f"{region}/{SIGNED_INDEX_NAME}")
    return None if found is None else b"".join(found.chunks).decode("ascii", "replace")


def _read(document: str) -> SignedIndex | None:
    """Read an index that any key signed; None if it is damaged."""
    try:
        return SignedIndex.verify(document, None)
    except TrustError:
        return None


def _has_same_contents(last: SignedIndex, index: SignedIndex) -> bool:
    dated = replace(
        last, sequence=index.sequence, issued_at=index.issued_at, expires_at=index.expires_at
    )
    return dated == index


def _is_signed(document: str, server: Server) -> bool:
    try:
        SignedIndex.verify(document, server.keys.config_key().public_key())
    except TrustError:
        # The configuration key was replaced.
        return False
    return True


def _files(server: Server, names: Sequence[str]) -> Iterator[IndexedFile]:
    for name in names:
        digest = server.storage.digest(name)
        if digest is None:
            _log.error("%s is missing: restore it from a copy of the exports folder", name)
        else:
            yield IndexedFile(name, digest.sha256, digest.size)
