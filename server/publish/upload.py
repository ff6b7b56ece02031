"""Acceptance of an upload: the rules, then one transaction that inserts and revises."""

from __future__ import annotations

import base64
import secrets
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from server.config import Settings
from server.context import Server
from server.export.store import closed_until
from server.publish.revision import RevisableKey, open_token, seal_token
from server.publish.rules import REASONS, Candidate, Upload, apply_rules
from server.store.database import kept_if
from server.store.diagnosis_keys import NewKey, StoredKey, find_keys, insert_keys, revise_key
from server.store.known_time import note_witness
from server.verification.certificate import Claims
from tracing_core.errors import InvalidValue, PublishRejected, StoreError
from tracing_core.http.publish_request import (
    LeftOut,
    PublishedKey,
    PublishRequest,
    PublishResponse,
)
from tracing_core.protocol.diagnosis_key import ReportType, is_allowed_transition
from tracing_core.protocol.interval import TEK_ROLLING_PERIOD, utc_day
from tracing_core.protocol.temporary_exposure_key import KEY_LENGTH

__all__ = ["likely_upload", "take_upload"]

_LONGEST_WAIT_SECONDS = 86_400
_LIKELY_KEYS = 14


@dataclass(frozen=True, slots=True)
class _Right:
    """The right to revise stored keys."""

    is_token_needed: bool
    has_token: bool = False
    revisable: Collection[RevisableKey] = frozenset()

    def check(self, key: RevisableKey) -> None:
        if not self.is_token_needed or key in self.revisable:
            return
        if self.has_token:
            raise PublishRejected(
                "invalid_revision_token", "the revision token does not cover these keys"
            )
        raise PublishRejected(
            "missing_revision_token",
            "some of these keys are already published: revising them needs the revision token",
        )


def _right(server: Server, region: str, token: str) -> _Right:
    if not token:
        return _Right(is_token_needed=True)
    try:
        keys = open_token(token, server.keys.revision_key(), region)
    except InvalidValue:
        # Only keys that are already stored need the token, and most uploads have no such key.
        keys = frozenset()
    return _Right(is_token_needed=True, has_token=True, revisable=keys)


def _types_so_far(old: StoredKey, now: float) -> tuple[ReportType | None, ...]:
    if old.is_padding and old.revised_at is not None and old.revised_at > now:
        # Padding is revised in advance; an answer that showed it would mark the key as padding.
        return (old.key.report_type,)
    return (old.key.report_type, old.revised_report_type)


def _is_revision(old: StoredKey, new: Candidate, right: _Right, now: float) -> bool:
    # A revision that is not allowed refuses the whole upload, new keys included, as in Google's
    # key server: `ReviseKeys` returns the first error and `InsertAndReviseExposures` undoes its
    # transaction (internal/publish/model/exposure_model.go, internal/publish/database/exposure.go).
    key = new.key
    if RevisableKey.of(key) != RevisableKey.of(old.key):
        raise PublishRejected(
            "bad_request", f"key {new.number} was already published with another start or period"
        )
    if key.report_type in _types_so_far(old, now):
        return False
    right.check(RevisableKey.of(key))
    if old.revised_at is not None:
        raise PublishRejected(
            "key_already_revised", "a key was already revised and cannot change again"
        )
    if not is_allowed_transition(old.key.report_type, key.report_type):
        raise PublishRejected(
            "invalid_report_type_transition",
            f"a key of {old.key.report_type.name} cannot become {key.report_type.name}",
        )
    return True


def _store(
    conn: Connection, region: str, upload: Upload, right: _Right
) -> tuple[list[NewKey], list[RevisableKey], int]:
    """Store the keys.

    Return those that are new, those that were sent before and have not left yet, and how many keys
    are now stored as stated.
    """
    # A window that has left accepts no more keys, even if the clock was set back.
    open_since = closed_until(conn, region)
    if open_since > upload.now + _LONGEST_WAIT_SECONDS:
        # To accept keys that would warn no one would be a false promise.
        raise StoreError(
            "the last export is dated in the future, so no keys are accepted: set the clock"
            " right, or see 'Keeping it' in packaging/server/README.md"
        )
    existing = find_keys(conn, [each.key.key_data for each in upload.keys])
    inserted: list[NewKey] = []
    again: list[RevisableKey] = []
    accepted = 0
    for each in upload.keys:
        created_at = max(each.created_at, open_since)
        old = existing.get(each.key.key_data)
        if old is None:
            # A negative test warns no one, and there is no key to revoke.
            if each.key.report_type is ReportType.REVOKED:
                continue
            inserted.append(NewKey(each.key, created_at))
        elif _is_revision(old, each, right, upload.now):
            # A key that is still held back must not leave early by being revised.
            revise_key(conn, each.key, max(created_at, old.created_at))
        elif right.is_token_needed and old.created_at >= open_since:
            # The answer to the first upload may have been lost, and with it the token. Before a key
            # has left, only its own device knows it, so it may have the token again.
            again.append(RevisableKey.of(old.key))
        accepted += 1
    insert_keys(conn, region, inserted)
    if inserted and right.is_token_needed:
        note_witness(conn, max(new.key.rolling_start_interval_number for new in inserted))
    return inserted, again, accepted


def likely_upload(settings: Settings, now: float) -> PublishRequest:
    """Return an upload of as many keys as most devices send, for cover traffic without any."""
    today = utc_day(now) * TEK_ROLLING_PERIOD
    keys = (_some_key(today - TEK_ROLLING_PERIOD * days) for days in range(1, _LIKELY_KEYS + 1))
    return PublishRequest(tuple(keys), settings.health_authority_id)


def _some_key(start: int) -> PublishedKey:
    return PublishedKey(base64.b64encode(secrets.token_bytes(KEY_LENGTH)).decode(), start)


def _disguised(request: PublishRequest) -> PublishRequest:
    """Return an upload of other keys, so that cover traffic cannot reveal which are stored."""
    keys = (
        replace(key, key_text=base64.b64encode(secrets.token_bytes(KEY_LENGTH)).decode())
        for key in request.keys
    )
    return replace(request, keys=tuple(keys))


def take_upload(
    server: Server,
    region: str,
    request: PublishRequest,
    claims: Claims,
    *,
    by_operator: bool = False,
    is_cover: bool = False,
) -> PublishResponse:
    """Store the keys of an upload whose certificate is verified; on return they are on the disk.

    The same keys sent again change nothing, and the answer is a success. For cover traffic the same
    work is done with other keys, and nothing of it is kept or counted.

    Raises
    ------
    PublishRejected
        When a rule refuses the upload, or a revision is not allowed; then nothing is stored.
    StoreError
        When the database cannot store the keys, or the clock is so far behind the last export that
        keys would wait for more than a day.
    """
    now = server.clock.now()
    if is_cover:
        request = _disguised(request)
    upload = Upload(request, claims, server.settings, now)
    try:
        apply_rules(upload)
    finally:
        for rule, number in upload.lost.items():
            if not is_cover:
                server.counters.keys_rejected.labels(rule).inc(number)
    right = _Right(is_token_needed=False)
    if not by_operator:
        right = _right(server, region, request.revision_token)
    with server.database.begin() as conn, kept_if(conn, not is_cover):
        inserted, again, accepted = _store(conn, region, upload, right)
    server.counters.keys_published.inc(0 if is_cover else len(inserted))
    return PublishResponse(
        revision_token=seal_token(
            [*right.revisable, *again, *(RevisableKey.of(new.key) for new in inserted)],
            server.keys.revision_key(),
            region,
            server.settings,
            now,
        ),
        inserted_exposures=len(inserted),
        error="; ".join(upload.dropped),
        code="partial_failure" if upload.dropped else "",
        warnings=tuple(upload.warnings),
        accepted_exposures=accepted,
        left_out=_left_out(upload),
    )


def _left_out(upload: Upload) -> tuple[LeftOut, ...]:
    counts: Counter[str] = Counter()
    for rule, number in upload.lost.items():
        counts[REASONS[rule]] += number
    return tuple(LeftOut(reason, number) for reason, number in sorted(counts.items()))
