"""Cover reports, sent at random moments, so that a real report cannot be recognised.

A real report takes the same three requests on one connection, of equal length and with equal pauses
(`ble_agent.authority.requests`). Only the server can distinguish them, after decryption.
"""

from __future__ import annotations

import base64
import logging
import secrets
from collections.abc import Callable
from random import Random

from ble_agent.authority.client import ServerClient
from ble_agent.authority.ledger_notes import COVER, note
from ble_agent.authority.link import ServerLink
from ble_agent.authority.membership import Membership, end_of_use, find_membership
from ble_agent.authority.report import ACCEPTED_TESTS
from ble_agent.authority.requests import CERTIFY, PUBLISH, VERIFY
from ble_agent.store.database import open_store
from ble_agent.store.threads import repeat
from tracing_core.clock import Clock
from tracing_core.errors import TracingError
from tracing_core.http.publish_request import PublishedKey, PublishRequest, key_hmac
from tracing_core.http.verification import CertificateRequest, VerifyRequest
from tracing_core.protocol.interval import ENIntervalNumber, interval_number, rolling_start
from tracing_core.protocol.temporary_exposure_key import TemporaryExposureKey
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction

__all__ = [
    "COVER_REPORTS_PER_DAY",
    "CoverTraffic",
    "note_cover",
    "pause_seconds",
    "send_cover_report",
]

COVER_REPORTS_PER_DAY = 0.5
"""Google's own app sends as many (every 4 h with a chance of 1 in 12); DP-3T proposed 0.2. A person
reports once in years, so there are hundreds of cover reports for every real one."""

_DAY = 86_400.0
_KEYS = 14
_SECRET_BYTES = 32
_CERTIFICATE_BYTES = 390
_INTERVALS_PER_DAY = 144

_logger = logging.getLogger(__name__)


def send_cover_report(client: ServerClient, clock: Clock, health_authority_id: str) -> None:
    """Send the requests of a report, made of random bytes.

    Parameters
    ----------
    client
        A client made with ``is_cover``.
    clock
        The agent's clock.
    health_authority_id
        As the server's configuration names it.

    Raises
    ------
    ServerError
        When the server does not answer, or refuses a request; a real report ends there too.
    """
    today = rolling_start(interval_number(clock.now()))
    keys = tuple(
        PublishedKey.of(
            TemporaryExposureKey.generate(ENIntervalNumber(today - _INTERVALS_PER_DAY * day))
        )
        for day in range(_KEYS)
    )
    secret = secrets.token_bytes(_SECRET_BYTES)
    mac = base64.b64encode(key_hmac(keys, secret)).decode()
    client.post(
        VERIFY,
        VerifyRequest(f"{secrets.randbelow(10**8):08}", accept=ACCEPTED_TESTS),
        secrets.token_urlsafe(_SECRET_BYTES),
    )
    client.post(
        CERTIFY,
        CertificateRequest(secrets.token_urlsafe(_SECRET_BYTES), mac),
        secrets.token_urlsafe(_SECRET_BYTES),
    )
    client.post(
        PUBLISH,
        PublishRequest(
            keys=keys,
            health_authority_id=health_authority_id,
            verification_payload=secrets.token_urlsafe(_CERTIFICATE_BYTES),
            hmac_key=base64.b64encode(secret).decode(),
            symptom_onset_interval=today,
        ),
    )


def note_cover(db: Database, client: ServerClient, clock: Clock) -> None:
    """Note in the ledger that a cover report is about to be sent."""
    with transaction(db):
        note(db, clock.now(), COVER, client.upload_host(PUBLISH.path))


def pause_seconds(random: Random) -> float:
    """Draw the time until the next cover report."""
    return random.expovariate(COVER_REPORTS_PER_DAY / _DAY)


class CoverTraffic:
    """Sends cover reports at the moments of a Poisson process, which has no memory.

    So neither a restart nor a real report in between changes anything that can be observed.

    Parameters
    ----------
    link
        The way to the server.
    random
        Source of the moments, which must be unpredictable.
    """

    def __init__(self, link: ServerLink, random: Random) -> None:
        self._link = link
        self._random = random

    async def run(self) -> None:
        """Send until cancelled."""
        await repeat(self._link.clock, pause_seconds(self._random), self._send_and_pause)

    def _send_and_pause(self, cancelled: Callable[[], bool]) -> float:
        self.send(cancelled)
        return pause_seconds(self._random)

    def send(self, cancelled: Callable[[], bool] = lambda: False) -> None:
        """Send one cover report, if this device has joined a server."""
        try:
            with open_store(self._link.home) as db:
                membership = find_membership(db)
                if membership is not None:
                    self._send(db, membership, cancelled)
        except TracingError as error:
            # The owner is not waiting for a cover report, so a failure is not worth a warning.
            _logger.debug("cover: %s", type(error).__name__)

    def _send(self, db: Database, membership: Membership, cancelled: Callable[[], bool]) -> None:
        clock, until = self._link.clock, end_of_use(db)
        with self._link.upload_client(
            db, membership, is_cover=True, until=until, cancelled=cancelled
        ) as client:
            note_cover(db, client, clock)
            send_cover_report(client, clock, membership.config.health_authority_id)
