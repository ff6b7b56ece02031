"""Listing of a server's key files: from the signed index, or from the plain one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ble_agent.authority.membership import Membership
from ble_agent.messages.refusals import refused
from ble_agent.store.state import INDEX
from tracing_core.errors import ServerRefused, TracingError, TrustError
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction
from tracing_core.trust.signed_index import IndexedFile, SignedIndex
from tracing_core.trust.trust_chain import TrustDocument

if TYPE_CHECKING:
    from ble_agent.authority.client import ServerClient

__all__ = ["Listing", "fetch_listing"]


@dataclass(frozen=True, slots=True)
class Listing:
    """The key files that a server offers now."""

    names: tuple[str, ...]
    """Oldest first; each once."""
    files: Mapping[str, IndexedFile] = field(default_factory=dict)
    """What was signed for each name; empty if the index is the plain one."""
    newest_end: int | None = None
    """The newest end of a window that was signed for (UTC Unix seconds); None if none was."""
    window_seconds: int = 0
    """Length of that window."""
    fault: TracingError | None = None
    """Why the signed index could not be used; None if it was, or if the server has none."""


def fetch_listing(
    db: Database, client: ServerClient, membership: Membership, now: float
) -> Listing:
    """Fetch the list of key files.

    A server that promised a signed index, or once gave one, must give one that is valid. If it
    does not, the plain index still leads to signed files, and the fault is returned with it.

    Raises
    ------
    ServerError
        When the server does not answer, or its answer is not an index.
    """
    fault: TracingError | None = None
    trust, seen = membership.trust, INDEX.get(db)
    if trust is not None and (membership.config.has_signed_index or seen is not None):
        try:
            return _signed(db, client, membership, trust, now)
        except (ServerRefused, TrustError) as error:
            is_missing = isinstance(error, ServerRefused) and error.code == "not_found"
            fault = refused("index_missing") if is_missing else error
    names = client.index(membership.region, membership.mirrors)
    return Listing(tuple(dict.fromkeys(names)), fault=fault)


def _signed(
    db: Database, client: ServerClient, membership: Membership, trust: TrustDocument, now: float
) -> Listing:
    document = client.signed_index(membership.region, membership.mirrors)
    index = SignedIndex.verify(document, trust.config_key)
    if index.region != membership.region:
        raise refused("index_region")
    last = INDEX.get(db)
    if last is not None and index.sequence < last["sequence"]:
        raise refused("index_older")
    if now >= index.expires_at:
        raise refused("index_expired")
    if last is None or index.sequence > last["sequence"]:
        with transaction(db):
            INDEX.set(db, {"sequence": index.sequence})
    return Listing(
        tuple(file.name for file in index.files),
        {file.name: file for file in index.files},
        index.newest_end,
        index.window_seconds,
    )
