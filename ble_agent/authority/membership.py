"""Membership of a health authority: the server that the owner joined and the device trusts."""

from __future__ import annotations

import datetime
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ble_agent.authority.join_file import JoinFile
from ble_agent.messages.refusals import not_possible, refused
from ble_agent.store.database import forget_key_files
from ble_agent.store.state import (
    AREA,
    AREAS,
    AREAS_DOCUMENT,
    BLUEZONE_FAULT,
    BLUEZONE_LIST,
    CHECK_FAULT,
    HELD_BACK,
    INDEX,
    KEY_FILES,
    LAST_CHECK,
    LAST_DAY,
    MEMBERSHIP,
    NOTIFIED,
    NOTIFY_FAULT,
    OVER,
    REPORT,
    SEEN,
)
from tracing_core.errors import InvalidSignature, InvalidValue, TracingError, TrustError
from tracing_core.export_file import read_export_bytes
from tracing_core.store.database import Database
from tracing_core.store.sqlite import path_of, transaction
from tracing_core.trust.join_line import JoinLine
from tracing_core.trust.last_day import end_of_day, read_last_day, usual_last_day
from tracing_core.trust.signed_config import SignedConfig
from tracing_core.trust.trust_chain import (
    ExportVerificationKey,
    TrustDocument,
    verify_trust_chain,
)

if TYPE_CHECKING:
    from ble_agent.authority.client import ServerClient

__all__ = [
    "Membership",
    "agreed_last_day",
    "ask_last_day",
    "end_of_use",
    "find_membership",
    "join",
    "join_by_file",
    "last_day_at_joining",
    "load_membership",
    "refresh",
]


@dataclass(frozen=True, slots=True)
class Membership:
    """An authority that this device joined, by a line or by a file."""

    origin: JoinLine | JoinFile
    """What the owner joined with."""
    config: SignedConfig
    """The newest accepted configuration; a file's own if the device joined by a file."""
    documents: tuple[str, ...] = ()
    """The accepted trust documents, starting with the first; none if joined by a file."""
    trust: TrustDocument | None = None
    """The newest of `documents`."""
    config_document: str = ""
    """The signed form of `config`."""

    @property
    def region(self) -> str:
        """The region of the authority."""
        return self.config.region

    @property
    def url(self) -> str:
        """The address that the owner knows the server by."""
        origin = self.origin
        return origin.url if isinstance(origin, JoinLine) else origin.key_server_url

    @property
    def named_last_day(self) -> datetime.date | None:
        """The last day that the authority has named; None if it has named none.

        What counts on this device is the day that its owner agreed to (`agreed_last_day`).
        """
        if isinstance(self.origin, JoinFile):
            return self.origin.last_day
        return self.trust.last_day if self.trust is not None else None

    @property
    def joined_by(self) -> str:
        """``line`` or ``file``."""
        return "file" if isinstance(self.origin, JoinFile) else "line"

    @property
    def join_file(self) -> JoinFile | None:
        """The file that the owner joined with; None if it was a line."""
        return self.origin if isinstance(self.origin, JoinFile) else None

    def is_of(self, origin: JoinLine | JoinFile) -> bool:
        """Check whether a line or file belongs to the same authority."""
        own = self.origin
        if isinstance(own, JoinLine):
            return isinstance(origin, JoinLine) and own.fingerprint == origin.fingerprint
        return isinstance(origin, JoinFile) and own.is_same_authority(origin)

    @property
    def export_keys(self) -> tuple[ExportVerificationKey, ...]:
        """The keys that sign key files."""
        if isinstance(self.origin, JoinFile):
            return self.origin.export_keys
        return self.trust.export_keys if self.trust is not None else ()

    @property
    def mirrors(self) -> tuple[str, ...]:
        """Addresses to ask for key files when the server does not answer.

        A plain http address is a port of this device, so it counts only if the server is here too.
        """
        origin = self.origin
        own = origin.url if isinstance(origin, JoinLine) else origin.index_url
        is_here = own.startswith("http:")
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
    if "file" in state:
        return _by_file(JoinFile.from_fields(state["file"], Path(path_of(db))))
    line = JoinLine.parse(state["line"])
    trust = verify_trust_chain(state["documents"], fingerprint=line.fingerprint, last=None)
    config = SignedConfig.verify(state["config"], trust.config_key)
    return Membership(line, config, tuple(state["documents"]), trust, state["config"])


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


def agreed_last_day(db: Database) -> datetime.date | None:
    """Return the last day (UTC) that the owner agreed to; None without one."""
    state = LAST_DAY.get(db) or {}
    try:
        return read_last_day(state.get("last_day"))
    except InvalidValue:
        return None


def end_of_use(db: Database) -> float:
    """Return the end of the last day that the owner agreed to (UTC Unix seconds), or infinity."""
    last_day = agreed_last_day(db)
    return math.inf if last_day is None else end_of_day(last_day)


def ask_last_day(client: ServerClient, line: JoinLine) -> datetime.date | None:
    """Ask a server, before joining it, for the last day that its trust documents name.

    Raises
    ------
    ServerError
        When the server does not answer.
    TrustError
        When the server is not the one that the line names.
    """
    documents = client.trust_documents()
    return verify_trust_chain(documents, fingerprint=line.fingerprint, last=None).last_day


def last_day_at_joining(
    db: Database | None,
    origin: JoinLine | JoinFile,
    named: datetime.date | None,
    now: float,
) -> datetime.date:
    """Return the last day that an owner agrees to by joining.

    It is the day that the authority names. Without one it is the day that the owner agreed to
    when joining this authority before, or else a year from now.

    Parameters
    ----------
    db
        The agent's database; None if there is none yet.
    origin
        What the owner joins with.
    named
        The day that the authority names; None if it names none.
    now
        The time (UTC Unix seconds).

    Raises
    ------
    NotPossible
        When that day is over (``last_day_over``), or more than two years ahead
        (``last_day_far``).
    """
    before = None if db is None else _found(db)
    is_same = before is not None and before.is_of(origin)
    kept = agreed_last_day(db) if db is not None and is_same else None
    last_day = named or kept or usual_last_day(now)
    if now >= end_of_day(last_day):
        raise not_possible("last_day_over", day=last_day.isoformat())
    try:
        return read_last_day(last_day.isoformat(), now)
    except InvalidValue as error:
        raise not_possible("last_day_far", day=last_day.isoformat()) from error


def _agreed(
    db: Database,
    membership: Membership,
    now: float,
    agreed: datetime.date | None,
) -> datetime.date:
    named = membership.named_last_day
    last_day = last_day_at_joining(db, membership.origin, named, now)
    if agreed not in (None, last_day):
        raise not_possible("last_day_changed", day=last_day.isoformat())
    return last_day


def join(
    db: Database,
    client: ServerClient,
    line: JoinLine,
    now: float,
    *,
    agreed: datetime.date | None = None,
) -> Membership:
    """Pin a server by its fingerprint, and remember its trust documents and configuration.

    Joining a different server forgets which key files were matched, which of their keys
    matched, the notifications about them, the areas, and the right to change a report made there.

    Parameters
    ----------
    db
        The agent's database.
    client
        A client of the server.
    line
        The join line.
    now
        The time (UTC Unix seconds).
    agreed
        The last day that the owner was shown; None agrees to the one that there is.

    Raises
    ------
    NotPossible
        When the last day is not the one that the owner was shown (``last_day_changed``), is over
        (``last_day_over``) or is more than two years ahead (``last_day_far``).
    ServerError
        When the server does not answer.
    TrustError
        When the server is not the one that the line names.
    """
    # With the same server the chain continues from the accepted documents, so that it cannot go
    # back to an older key.
    before = _found(db)
    same = before if before is not None and before.is_of(line) else None
    membership = _fetched(client, line, same, now)
    last_day = _agreed(db, membership, now, agreed)
    _replace(db, membership, last_day, same=same is not None)
    return membership


def join_by_file(
    db: Database,
    client: ServerClient,
    file: JoinFile,
    now: float,
    *,
    agreed: datetime.date | None = None,
) -> Membership:
    """Trust what a join file names, once its index and the newest key file prove to fit it.

    Joining with a newer file of the same authority keeps what was found, and its keys replace the
    ones trusted so far. The parameters are those of `join`.

    Raises
    ------
    NotPossible
        As `join`.
    ServerError
        When the index or its newest key file cannot be fetched, none of the file's keys signed
        that key file (``pinned_keys``), or it is for another region (``file_region``).
    ExportFileError
        When the newest key file cannot be used.
    """
    before = _found(db)
    membership = _by_file(file)
    last_day = _agreed(db, membership, now, agreed)
    names = client.index(file.region, membership.mirrors)
    if names:
        data = client.key_file(file.region, names[-1], membership.mirrors)
        public_keys = [key.public_key for key in file.export_keys]
        try:
            export = read_export_bytes(data, public_keys=public_keys, name=names[-1])
        except InvalidSignature as error:
            raise refused("pinned_keys") from error
        if export.region.casefold() not in ("", file.region.casefold()):
            raise refused("file_region")
    _replace(db, membership, last_day, same=before is not None and before.is_of(file))
    return membership


def _by_file(file: JoinFile) -> Membership:
    return Membership(file, file.config)


def _found(db: Database) -> Membership | None:
    try:
        return find_membership(db)
    except TracingError:
        # Only joining again can repair the stored membership.
        return None


def _replace(db: Database, membership: Membership, last_day: datetime.date, *, same: bool) -> None:
    with transaction(db):
        LAST_DAY.set(db, {"last_day": last_day.isoformat()})
        OVER.clear(db)
        if not same:
            forget_key_files(db)
            db.conn.execute("DELETE FROM matched_key")
            lists = (INDEX, KEY_FILES, BLUEZONE_LIST, BLUEZONE_FAULT)
            # Another authority may use the same codes for other areas.
            areas = (AREAS, AREAS_DOCUMENT, AREA)
            checks = (*lists, *areas, LAST_CHECK, CHECK_FAULT)
            for value in (REPORT, *checks, NOTIFIED, NOTIFY_FAULT, HELD_BACK, SEEN):
                value.clear(db)
        # Other keys may verify what these did not.
        db.conn.execute("DELETE FROM unusable_file")
        _remember(db, membership)


def refresh(db: Database, client: ServerClient, membership: Membership, now: float) -> Membership:
    """Fetch newer trust documents and configuration, and store those that verify.

    A membership by file has none, so it is returned as it is.

    Raises
    ------
    ServerError
        When the server does not answer.
    TrustError
        When no trusted key signed them, or when they are older than those already accepted.
    """
    line = membership.origin
    if isinstance(line, JoinFile):
        return membership
    newer = _fetched(client, line, membership, now)
    if newer != membership:
        with transaction(db):
            known = MEMBERSHIP.get(db)
            if known is None or "file" in known or known["line"] != str(line):
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
    if before is not None and last is not None:
        added = trust.sequence - last.sequence
        accepted = before.documents + tuple(documents[len(documents) - added :])
    document = client.configuration(trust.region)
    config = SignedConfig.verify(document, trust.config_key, now=now)
    if config.region != trust.region:
        raise TrustError("the server's configuration is for another region: inform its operator")
    if before is not None and config.sequence < before.config.sequence:
        raise TrustError("the server's configuration is older than the one this device accepted")
    return Membership(line, config, accepted, trust, document)


def _remember(db: Database, membership: Membership) -> None:
    origin = membership.origin
    if isinstance(origin, JoinFile):
        MEMBERSHIP.set(db, {"file": origin.to_fields()})
        return
    MEMBERSHIP.set(
        db,
        {
            "line": str(origin),
            "documents": membership.documents,
            "config": membership.config_document,
        },
    )
