"""Report of a test: code, token, certificate, upload; resumed where it broke off."""

from __future__ import annotations

import base64
import datetime
import re
import secrets
from dataclasses import replace
from typing import NamedTuple

from ble_agent.air.key_ring import KeyRing
from ble_agent.authority.client import ServerClient
from ble_agent.authority.ledger_notes import (
    CODE,
    REPORT,
    TAKEN_BACK,
    note,
    note_answered,
    note_upload,
)
from ble_agent.authority.membership import load_membership
from ble_agent.authority.report_progress import ReportProgress
from ble_agent.authority.requests import CERTIFY, PUBLISH, VERIFY
from ble_agent.messages.refusals import not_possible, refused
from ble_agent.store.database import reserve_room
from tracing_core.clock import Clock
from tracing_core.configuration.transmission_risk import transmission_risk
from tracing_core.errors import ServerRefused
from tracing_core.http.publish_request import (
    LeftOut,
    PublishedKey,
    PublishRequest,
    PublishResponse,
    key_hmac,
)
from tracing_core.http.verification import CertificateRequest, VerifyRequest
from tracing_core.http.verification_code import plain_code
from tracing_core.protocol.interval import interval_number, interval_start, utc_day
from tracing_core.protocol.temporary_exposure_key import TemporaryExposureKey
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction
from tracing_core.trust.signed_config import SignedConfig

__all__ = ["ACCEPTED_TESTS", "Reported", "report", "reportable_keys"]

ACCEPTED_TESTS = ("confirmed", "likely")
"""Kinds of test that can be reported."""

_NEGATIVE = "negative"
# A proxy says these when it does not know what became of a request.
_NO_ANSWERS = ("maintenance_mode", "server")
_SECRET_BYTES = 32
_DROPPED = re.compile(r"\bkey (\d+) ")


class Reported(NamedTuple):
    """Result of a report."""

    number: int
    """Number of keys that the server has accepted, or taken back."""
    is_taken_back: bool
    """Whether the test was negative, so that the keys reported before were taken back."""
    left_out: tuple[LeftOut, ...] = ()
    """The keys that the server left out, by reason."""


def reportable_keys(db: Database, now: float) -> list[TemporaryExposureKey]:
    """Return the keys from the last 14 days that a report sends, oldest first.

    Keys that were taken back are left out, since the server refuses an upload that contains one.
    """
    taken_back = ReportProgress.load(db).taken_back
    keys = KeyRing(db).keys_to_report(now)
    if taken_back is None:
        return keys
    return [key for key in keys if key.rolling_start_interval_number > taken_back]


def report(
    db: Database,
    client: ServerClient,
    clock: Clock,
    code: str,
    *,
    onset: datetime.date | None = None,
) -> Reported:
    """Publish this device's keys with a code from the authority, or take them back with one.

    What the server grants is stored at once: the same command with the same code goes on there.

    Parameters
    ----------
    db, client, clock
        The database, the client and the clock of this device.
    code
        The code from the authority.
    onset
        The day on which symptoms began, if the owner agreed to send it. It is sent only where a
        positive test's code states no day of onset or test.

    Raises
    ------
    NotPossible
        When this device has not joined a server (``not_joined``), has no keys (``no_keys``), or has
        a certificate for keys with another onset (``onset_fixed``).
    ServerError
        When the server does not answer, or refuses code or keys.
    StoreError
        When there is no room to store what the server grants; the server is not asked then.
    """
    config = load_membership(db).config
    keys = reportable_keys(db, clock.now())
    if not keys:
        raise not_possible("no_keys")
    progress = ReportProgress.load(db)
    reported = _reported_before(keys, progress, clock.now())
    accepted = (*ACCEPTED_TESTS, _NEGATIVE) if reported else ACCEPTED_TESTS
    progress = _with_token(db, client, clock, progress, plain_code(code), accepted)
    is_negative = progress.test_type == _NEGATIVE
    by_onset = config.has_risk_by_onset
    progress = _with_onset(progress, onset, by_onset=by_onset)
    to_send = reported if is_negative else keys
    progress = _with_certificate(db, client, clock, progress, to_send, by_onset=by_onset)
    published = _published(keys, progress, by_onset=by_onset)
    request = _request(published, progress, config, clock.now())
    progress, response = _uploaded(db, client, clock, progress, request)
    number, left_out = _taken(response, len(published))
    if not number:
        progress.ended().save(db)
        return Reported(0, is_negative, left_out)
    if is_negative:
        kind, progress = TAKEN_BACK, progress.revoked(response.revision_token, clock.now())
    else:
        kind, progress = REPORT, progress.published(response.revision_token, clock.now())
    with transaction(db):
        progress.put(db)
        note_answered(db, clock.now(), kind, client.upload_host(PUBLISH.path), len(published))
    return Reported(number, is_negative, left_out)


def _request(
    keys: tuple[PublishedKey, ...], progress: ReportProgress, config: SignedConfig, now: float
) -> PublishRequest:
    return PublishRequest(
        keys=keys,
        health_authority_id=config.health_authority_id,
        verification_payload=progress.certificate,
        hmac_key=progress.secret,
        symptom_onset_interval=progress.onset or progress.own_onset,
        revision_token=progress.right_to_revise(now),
    )


def _taken(response: PublishResponse, sent: int) -> tuple[int, tuple[LeftOut, ...]]:
    """Return how many of the keys sent the server has now, and why it left out the others."""
    if response.accepted_exposures >= 0:
        return min(response.accepted_exposures, sent), response.left_out
    # Google's server has one warning per key that is far from the onset. It does not count keys
    # that it had before.
    dropped = set(_DROPPED.findall(response.error)) if response.code == "partial_failure" else ()
    counts = {"far_from_onset": len(response.warnings), "invalid": len(dropped)}
    left_out = tuple(LeftOut(reason, count) for reason, count in counts.items() if count)
    return max(sent - sum(counts.values()), response.inserted_exposures, 0), left_out


def _reported_before(
    keys: list[TemporaryExposureKey], progress: ReportProgress, now: float
) -> list[TemporaryExposureKey]:
    """Return those of the keys that a negative test can take back."""
    if progress.reported_at is None or not progress.right_to_revise(now):
        return []
    last = interval_number(progress.reported_at)
    return [key for key in keys if key.rolling_start_interval_number <= last]


def _with_token(
    db: Database,
    client: ServerClient,
    clock: Clock,
    progress: ReportProgress,
    code: str,
    accepted: tuple[str, ...],
) -> ReportProgress:
    if progress.has_token(code, clock.now()):
        return progress
    # The server accepts a code only once, so its answer must not be lost.
    reserve_room(db)
    # Stored before the code is sent: an answer that is lost can be asked for again, even if the
    # process ends meanwhile.
    with transaction(db):
        progress = progress.attempting(clock.now()).put(db)
        note(db, clock.now(), CODE, client.upload_host(VERIFY.path))
    attempt = progress.attempt_key(VERIFY.path, code)
    response = client.post(VERIFY, VerifyRequest(code, accept=accepted), attempt)
    if not response.token or response.test_type not in accepted:
        raise refused("answer")
    return progress.verified(
        code,
        response.token,
        response.test_type,
        _first_interval(response.symptom_date),
        clock.now(),
        tested=_first_interval(response.test_date),
    ).save(db)


def _with_onset(
    progress: ReportProgress, onset: datetime.date | None, *, by_onset: bool
) -> ReportProgress:
    """Return the progress with the onset that the owner agreed to send, where it may be sent."""
    own = 0
    if onset is not None and progress.may_state_onset:
        own = _first_interval(onset.isoformat())
    # The certificate is for keys whose levels depend on the onset, and there is no other.
    if by_onset and progress.starts and own != progress.own_onset:
        raise not_possible("onset_fixed")
    return replace(progress, own_onset=own)


def _with_certificate(
    db: Database,
    client: ServerClient,
    clock: Clock,
    progress: ReportProgress,
    keys: list[TemporaryExposureKey],
    *,
    by_onset: bool,
) -> ReportProgress:
    if progress.has_certificate(clock.now()):
        return progress
    published = _published(keys, progress, by_onset=by_onset)
    if len(published) != len(progress.starts) or not progress.starts:
        # Otherwise the same keys were sent with this token before, and the answer was lost.
        secret = base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
        starts = tuple(int(key.rolling_start_interval_number) for key in keys)
        progress = progress.certifying(secret, starts, progress.own_onset).save(db)
        published = _published(keys, progress, by_onset=by_onset)
    mac = key_hmac(published, base64.b64decode(progress.secret))
    request = CertificateRequest(progress.token, base64.b64encode(mac).decode())
    attempt = progress.attempt_key(CERTIFY.path, progress.token)
    response = client.post(CERTIFY, request, attempt)
    if not response.certificate:
        raise refused("answer")
    return progress.certified(response.certificate, clock.now()).save(db)


def _uploaded(
    db: Database,
    client: ServerClient,
    clock: Clock,
    progress: ReportProgress,
    request: PublishRequest,
) -> tuple[ReportProgress, PublishResponse]:
    """Upload the keys, or find out that an upload whose answer was lost has arrived.

    Google's server refuses keys that it has, and takes an upload as a whole or not at all.
    """
    before = progress.sent
    has_arrived = before == progress.starts
    with transaction(db):
        progress = progress.sending().put(db)
        note_upload(db, clock.now(), client.upload_host(PUBLISH.path), len(request.keys))
    try:
        return progress, client.post(PUBLISH, request)
    except ServerRefused as error:
        if error.code in _NO_ANSWERS:
            raise
        if before and error.code == "keys_known":
            progress = progress.known(before).save(db)
        else:
            progress = replace(progress, sent=before).save(db)
        if has_arrived and error.code in ("keys_known", "keys_revised"):
            return progress, PublishResponse(request.revision_token)
        raise


def _published(
    keys: list[TemporaryExposureKey], progress: ReportProgress, *, by_onset: bool
) -> tuple[PublishedKey, ...]:
    """Return the keys a certificate is for, as they are uploaded."""
    sent = [
        PublishedKey.of(key) for key in keys if key.rolling_start_interval_number in progress.starts
    ]
    onset = progress.onset or progress.own_onset
    if not by_onset or not onset or progress.test_type == _NEGATIVE:
        return tuple(sent)
    return tuple(replace(key, transmission_risk_level=_risk(key, onset)) for key in sent)


def _risk(key: PublishedKey, onset: int) -> int:
    used_on = utc_day(interval_start(key.rolling_start_interval_number))
    return transmission_risk(used_on - utc_day(interval_start(onset)))


def _first_interval(date: str) -> int:
    """Return the first interval of a day (YYYY-MM-DD) in UTC, 0 if it is not known."""
    try:
        day = datetime.datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=datetime.UTC)
        return interval_number(day.timestamp())
    except ValueError:
        return 0
