"""Membership of a health authority: the server that the owner joined and the device trusts."""

from __future__ import annotations

from dataclasses import dataclass

from ble_agent.authority.client import ServerClient
from ble_agent.messages.refusals import not_possible
from ble_agent.store.database import forget_key_files
from ble_agent.store.state import KEY_FILES, LAST_CHECK, MEMBERSHIP, NOTIFIED, REPORT
from tracing_core.errors import TracingError, TrustError
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction
from tracing_core.trust.join_line import JoinLine
from tracing_core.trust.signed_config import SignedConfig
from tracing_core.trust.trust_chain import (
    ExportVerificationKey,
    TrustDocument,
    verify_trust_chain,
)

__all__ = ["Membership", "find_membership", "join", "load_membership", "refresh"]


@dataclass(frozen=True, slots=True)
class Membership:
    """A server, and its documents that have been verified so far."""

    line: JoinLine
    """Where the server is, and the pinned fingerprint."""
    documents: tuple[str, ...]
    """The accepted trust documents, starting with the first."""
    trust: TrustDocument
    """The newest of `documents`."""
    config: SignedConfig
    """The newest accepted configuration."""
    config_document: str
    """The signed form of `config`."""

    @property
    def region(self) -> str:
        """The region of the authority."""
        return self.config.region

    @property
    def url(self) -> str:
        """The address that the owner knows the server by."""
        return self.line.url

    @property
    def export_keys(self) -> tuple[ExportVerificationKey, ...]:
        """The keys that sign key files."""
        return self.trust.export_keys

    @property
    def mirrors(self) -> tuple[str, ...]:
        """Addresses to ask for key files when the server does not answer.

        A plain http address is a port of this device, so it counts only if the server is here too.
        """
        is_here = self.url.startswith("http:")
        return tuple(url for url in self.config.mirrors if is_here or url.startswith("https:"))


def find_membership(db: Database) -> Membership | None:
    """Return the stored membership, verified from the pinned fingerprint again, or None.

    Raises
    ------
    TrustError
        When the database was tampered with.
    """
    state = MEMBERSHIP.get(db)
    if state is None:
        return None
    line = JoinLine.parse(state["line"])
    trust = verify_trust_chain(state["documents"], fingerprint=line.fingerprint, last=None)
    config = SignedConfig.verify(state["config"], trust.config_key)
    return Membership(line, tuple(state["documents"]), trust, config, state["config"])


def load_membership(db: Database) -> Membership:
    """Return the stored membership.

    Raises
    ------
    NotPossible
        When this device has not joined a server yet (``not_joined``).
    TrustError
        When the database was tampered with.
    """
    membership = find_membership(db)
    if membership is None:
        raise not_possible("not_joined")
    return membership


def join(db: Database, client: ServerClient, line: JoinLine, now: float) -> Membership:
    """Pin a server by its fingerprint, and remember its trust documents and configuration.

    Joining a different server forgets which key files were matched, which of their keys
    matched, the notifications about them, and the right to change a report made there.

    Raises
    ------
    ServerError
        When the server does not answer.
    TrustError
        When the server is not the one that the line names.
    """
    try:
        before = find_membership(db)
    except TracingError:
        # Only joining again can repair the stored membership.
        before = None
    same = before is not None and before.line.fingerprint == line.fingerprint
    # With the same server the chain continues from the accepted documents, so that it cannot go
    # back to an older key.
    membership = _fetched(client, line, before if same else None, now)
    with transaction(db):
        if not same:
            forget_key_files(db)
            db.conn.execute("DELETE FROM matched_key")
            for value in (REPORT, KEY_FILES, LAST_CHECK, NOTIFIED):
                value.clear(db)
        _remember(db, membership)
    return membership


def refresh(db: Database, client: ServerClient, membership: Membership, now: float) -> Membership:
    """Fetch newer trust documents and configuration, and store those that verify.

    Raises
    ------
    ServerError
        When the server does not answer.
    TrustError
        When no trusted key signed them, or when they are older than those already accepted.
    """
    newer = _fetched(client, membership.line, membership, now)
    if newer != membership:
        with transaction(db):
            known = MEMBERSHIP.get(db)
            if known is None or known["line"] != str(membership.line):
                raise TrustError("this device has joined another server meanwhile: try again")
            _remember(db, newer)
    return newer


def _fetched(
    client: ServerClient, line: JoinLine, before: Membership | None, now: float
) -> Membership:
    documents = client.trust_documents()
    last = None if before is None else before.trust
    trust = verify_trust_chain(documents, fingerprint=line.fingerprint, last=last)
    accepted = tuple(documents)
    if before is not None:
        added = trust.sequence - before.trust.sequence
        accepted = before.documents + tuple(documents[len(documents) - added :])
    document = client.configuration(trust.region)
    config = SignedConfig.verify(document, trust.config_key, now=now)
    if config.region != trust.region:
        raise TrustError("the server's configuration is for another region: inform its operator")
    if before is not None and config.sequence < before.config.sequence:
        raise TrustError("the server's configuration is older than the one this device accepted")
    return Membership(line, accepted, trust, config, document)


def _remember(db: Database, membership: Membership) -> None:
    MEMBERSHIP.set(
        db,
        {
            "line": str(membership.line),
            "documents": membership.documents,
            "config": membership.config_document,
        },
    )
