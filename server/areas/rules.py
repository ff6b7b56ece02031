"""Rules of areas: how a list is set, cleared, and signed again."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from server.areas.store import StoredAreas, put_areas, read_areas, read_mark
from server.context import Server
from server.http.answers import content_tag, matches_tag
from tracing_core.trust.signed_areas import Area, AreaLevel, SignedAreas
from tracing_core.trust.signed_document import fingerprint

__all__ = ["areas_document", "current_areas", "set_areas"]


def current_areas(server: Server, region: str) -> SignedAreas | None:
    """Return the list that is published; None if none ever was."""
    with server.database.read() as conn:
        stored = read_areas(conn, region)
    return None if stored is None else SignedAreas.verify(stored.document, None)


def set_areas(
    server: Server, region: str, levels: Sequence[AreaLevel], areas: Sequence[Area]
) -> SignedAreas:
    """Publish a list in place of the one before; an empty one withdraws it.

    Raises
    ------
    TrustError
        When no device could use the list; nothing changes.
    StoreError
        When it cannot be stored.
    """
    now = int(server.clock.now())
    with server.database.begin() as conn:
        last = read_areas(conn, region)
        made = SignedAreas(
            region=region,
            # Seconds rise even where the last list was lost, as in a restored database.
            sequence=max(now, 1 if last is None else last.sequence + 1),
            issued_at=now,
            levels=tuple(levels),
            areas=tuple(areas),
        )
        _sign(server, conn, made)
    return made


def areas_document(server: Server, region: str, if_none_match: str = "") -> tuple[str, str] | None:
    """Return the ETag and the signed list, which all devices get alike; None if there is none.

    Parameters
    ----------
    server
        The server.
    region
        The region.
    if_none_match
        The ETags that a client has; if the current one is among them, the document is "".
    """
    key = server.keys.config_key()
    with server.database.read() as conn:
        mark = read_mark(conn, region)
        if mark is None:
            return None
        if mark[0] == fingerprint(key.public_key()):
            if matches_tag(if_none_match, mark[1]):
                return mark[1], ""
            stored = read_areas(conn, region)
            assert stored is not None
            return stored.tag, stored.document
    # The configuration key was replaced, and devices trust only the new one.
    stored = _signed_again(server, region)
    return stored.tag, "" if matches_tag(if_none_match, stored.tag) else stored.document


def _signed_again(server: Server, region: str) -> StoredAreas:
    with server.database.begin() as conn:
        stored = read_areas(conn, region)
        assert stored is not None
        if stored.fingerprint == fingerprint(server.keys.config_key().public_key()):
            # Another node was first.
            return stored
        return _sign(server, conn, SignedAreas.verify(stored.document, None))


def _sign(server: Server, conn: Connection, areas: SignedAreas) -> StoredAreas:
    key = server.keys.config_key()
    document = areas.sign(key)
    tag = content_tag(document.encode("ascii"))
    stored = StoredAreas(fingerprint(key.public_key()), tag, areas.sequence, document)
    put_areas(conn, areas.region, stored)
    return stored
