"""Reporting a positive test: code, token, certificate, upload; resumed where it broke off."""

from __future__ import annotations

import base64
import datetime
import secrets
from typing import Any, NamedTuple

from ble_agent.air.key_ring import KeyRing
from ble_agent.authority.client import CERTIFY, PUBLISH, VERIFY, ServerClient
from ble_agent.authority.membership import load_membership
from ble_agent.messages.refusals import not_possible, refused
from ble_agent.store.database import RETENTION_SECONDS, get_state, reserve_room, set_state
from tracing_core.clock import Clock
from tracing_core.http.publish_request import PublishedKey, PublishRequest, key_hmac
from tracing_core.http.verification import CertificateRequest, VerifyRequest
from tracing_core.protocol.interval import interval_number
from tracing_core.protocol.temporary_exposure_key import TemporaryExposureKey
from tracing_core.store.sqlite import Database, transaction

__all__ = ["ACCEPTED_TESTS", "Reported", "report", "reportable_keys"]

_STATE = "report"
ACCEPTED_TESTS = ("confirmed", "likely")
"""The kinds of test that are reported."""

_NEGATIVE = "negative"
_SECRET_BYTES = 32
# Certificates live a quarter of an hour at Google's server and at ours.
_CERTIFICATE_SECONDS = 600
_TOKEN_SECONDS = 86_400


class Reported(NamedTuple):
    """What became of a report."""

    number: int
    """How many keys the server has taken, or taken back."""
    is_taken_back: bool
    """Whether the test was negative, so that the keys reported before were taken back."""


def reportable_keys(db: Database, now: float) -> list[TemporaryExposureKey]:
    """Return the keys of the last 14 days that a report sends, oldest first.

    Keys that were taken back stay so: the server would refuse the whole upload for one of them.
    """
    taken_back = (get_state(db, _STATE) or {}).get("taken_back", -1)
    keys = KeyRing(db).keys_to_report(now)
    return [key for key in keys if key.rolling_start_interval_number > taken_back]


def report(db: Database, client: ServerClient, clock: Clock, code: str) -> Reported:
    """Publish this device's keys by a code of the authority, or take them back by one.

    What the server has granted is written down at once, so that the same command with the same
    code goes on after the network, or the device, broke off.

    Raises
    ------
    NotPossible
        When this device has joined nothing (``not_joined``) or has no keys (``no_keys``).
    ServerError
        When the server does not answer, or refuses code or keys.
    StoreError
        When what the server grants could not be written down; then it was not asked.
    """
    membership = load_membership(db)
    keys = reportable_keys(db, clock.now())
    if not keys:
        raise not_possible("no_keys")
    state: dict[str, Any] = get_state(db, _STATE) or {}
    reported = _reported_before(keys, state, clock.now())
    accepted = (*ACCEPTED_TESTS, _NEGATIVE) if reported else ACCEPTED_TESTS
    state = _with_token(db, client, clock, state, "".join(code.split()), accepted)
    is_negative = state.get("test_type") == _NEGATIVE
    state = _with_certificate(db, client, clock, state, reported if is_negative else keys)
    published = _published(keys, state["starts"])
    request = PublishRequest(
        keys=published,
        health_authority_id=membership.config.health_authority_id,
        verification_payload=state["certificate"],
        hmac_key=state["secret"],
        symptom_onset_interval=state["onset"],
        revision_token=_revision_token(state, clock.now()),
    )
    response = client.post(PUBLISH, request)
    done: dict[str, Any] = {name: state[name] for name in ("taken_back",) if name in state}
    if response.revision_token:
        done |= {"revision_token": response.revision_token, "reported_at": int(clock.now())}
    if is_negative:
        done |= {"reported_at": state["reported_at"], "taken_back": max(state["starts"])}
    with transaction(db):
        set_state(db, _STATE, done or None)
    return Reported(response.inserted_exposures or len(published), is_negative)


def _reported_before(
    keys: list[TemporaryExposureKey], state: dict[str, Any], now: float
) -> list[TemporaryExposureKey]:
    """Return those of the keys that a negative test can take back."""
    if not _revision_token(state, now):
        return []
    last = interval_number(state["reported_at"])
    return [key for key in keys if key.rolling_start_interval_number <= last]


def _with_token(
    db: Database,
    client: ServerClient,
    clock: Clock,
    state: dict[str, Any],
    code: str,
    accepted: tuple[str, ...],
) -> dict[str, Any]:
    if state.get("code") == code and _is_fresh(state, "verified_at", _TOKEN_SECONDS, clock):
        return state
    # A code is good for one answer, which must not be lost.
    reserve_room(db)
    response = client.post(VERIFY, VerifyRequest(code, accept=accepted))
    if not response.token or response.test_type not in accepted:
        raise refused("answer")
    names = ("revision_token", "reported_at", "taken_back")
    kept = {name: state[name] for name in names if name in state}
    return _saved(
        db,
        kept
        | {
            "code": code,
            "token": response.token,
            "test_type": response.test_type,
            "onset": _onset_interval(response.symptom_date),
            "verified_at": int(clock.now()),
        },
    )


def _with_certificate(
    db: Database,
    client: ServerClient,
    clock: Clock,
    state: dict[str, Any],
    keys: list[TemporaryExposureKey],
) -> dict[str, Any]:
    if _is_fresh(state, "certified_at", _CERTIFICATE_SECONDS, clock):
        return state
    secret = secrets.token_bytes(_SECRET_BYTES)
    starts: list[int] = [key.rolling_start_interval_number for key in keys]
    mac = key_hmac(_published(keys, starts), secret)
    request = CertificateRequest(state["token"], base64.b64encode(mac).decode())
    response = client.post(CERTIFY, request)
    if not response.certificate:
        raise refused("answer")
    return _saved(
        db,
        state
        | {
            "certificate": response.certificate,
            "secret": base64.b64encode(secret).decode(),
            "starts": starts,
            "certified_at": int(clock.now()),
        },
    )


def _is_fresh(state: dict[str, Any], name: str, seconds: int, clock: Clock) -> bool:
    # A clock set back since then tells nothing.
    return name in state and 0 <= clock.now() - state[name] < seconds


def _saved(db: Database, state: dict[str, Any]) -> dict[str, Any]:
    with transaction(db):
        set_state(db, _STATE, state)
    return state


def _published(keys: list[TemporaryExposureKey], starts: list[int]) -> tuple[PublishedKey, ...]:
    """Return the keys a certificate is for, as they are uploaded."""
    return tuple(
        PublishedKey.of(key) for key in keys if key.rolling_start_interval_number in starts
    )


def _revision_token(state: dict[str, Any], now: float) -> str:
    """Return what allows to upload keys again, while any of them can still be published."""
    fresh = now - state.get("reported_at", 0) < RETENTION_SECONDS
    return str(state.get("revision_token", "")) if fresh else ""


def _onset_interval(symptom_date: str) -> int:
    """Return the first interval of the day symptoms began, 0 if unknown."""
    try:
        day = datetime.datetime.strptime(symptom_date, "%Y-%m-%d").replace(tzinfo=datetime.UTC)
        return interval_number(day.timestamp())
    except ValueError:
        return 0
