"""Reporting a positive test: code, token, certificate, upload; resumed where it broke off."""

from __future__ import annotations

import base64
import datetime
import secrets
from typing import Any

from ble_agent.key_ring import KeyRing
from ble_agent.membership import load_membership
from ble_agent.server_client import ServerClient, refused
from ble_agent.store import RETENTION_SECONDS, get_state, set_state
from tracing_core.clock import Clock
from tracing_core.interval import interval_number
from tracing_core.publish_request import PublishedKey, PublishRequest, key_hmac
from tracing_core.sqlite import Database, transaction
from tracing_core.temporary_exposure_key import TemporaryExposureKey
from tracing_core.verification import CertificateRequest, VerifyRequest

__all__ = ["report"]

_STATE = "report"
_ACCEPTED_TESTS = ("confirmed", "likely")
_SECRET_BYTES = 32
# Certificates live a quarter of an hour at Google's server and at ours.
_CERTIFICATE_SECONDS = 600
_TOKEN_SECONDS = 86_400


def report(db: Database, client: ServerClient, clock: Clock, code: str) -> int:
    """Publish this device's keys by a code of the authority.

    What the server has granted is written down at once, so that the same command with the same
    code goes on after the network, or the device, broke off.

    Returns
    -------
    int
        How many keys the server has taken.

    Raises
    ------
    ServerError
        When the server does not answer, or refuses code or keys.
    """
    membership = load_membership(db)
    keys = KeyRing(db).keys_to_report(clock.now())
    if not keys:
        raise refused("no_keys")
    state: dict[str, Any] = get_state(db, _STATE) or {}
    state = _with_token(db, client, clock, state, "".join(code.split()))
    state = _with_certificate(db, client, clock, state, keys)
    published = _published(keys, state["starts"])
    request = PublishRequest(
        keys=published,
        health_authority_id=membership.config.health_authority_id,
        verification_payload=state["certificate"],
        hmac_key=state["secret"],
        symptom_onset_interval=state["onset"],
        revision_token=_revision_token(state, clock.now()),
    )
    response = client.publish(request)
    with transaction(db):
        done = {"revision_token": response.revision_token, "reported_at": int(clock.now())}
        set_state(db, _STATE, done if response.revision_token else None)
    return response.inserted_exposures or len(published)


def _with_token(
    db: Database, client: ServerClient, clock: Clock, state: dict[str, Any], code: str
) -> dict[str, Any]:
    fresh = clock.now() - state.get("verified_at", 0) < _TOKEN_SECONDS
    if state.get("code") == code and fresh:
        return state
    response = client.verify(VerifyRequest(code, accept=_ACCEPTED_TESTS))
    if not response.token:
        raise refused("answer")
    kept = {name: state[name] for name in ("revision_token", "reported_at") if name in state}
    return _saved(
        db,
        kept
        | {
            "code": code,
            "token": response.token,
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
    if clock.now() - state.get("certified_at", 0) < _CERTIFICATE_SECONDS:
        return state
    secret = secrets.token_bytes(_SECRET_BYTES)
    starts: list[int] = [key.rolling_start_interval_number for key in keys]
    mac = key_hmac(_published(keys, starts), secret)
    response = client.certify(CertificateRequest(state["token"], base64.b64encode(mac).decode()))
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
