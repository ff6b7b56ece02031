"""Reports that only pretend, sent at random, so that nobody can tell when a real one is sent.

A real report takes the same three requests on one connection, of equal length and at equal
distances (`ble_agent.authority.client`); only the server knows which it was, after decryption.
"""

from __future__ import annotations

import base64
import logging
import secrets
import threading
from pathlib import Path
from random import Random

from ble_agent.authority.client import ServerClient
from ble_agent.authority.membership import find_membership
from ble_agent.authority.report import ACCEPTED_TESTS
from ble_agent.authority.requests import CERTIFY, PUBLISH, VERIFY
from ble_agent.store.database import open_store
from ble_agent.store.threads import in_thread
from tracing_core.clock import Clock
from tracing_core.errors import TracingError
from tracing_core.http.publish_request import PublishedKey, PublishRequest, key_hmac
from tracing_core.http.verification import CertificateRequest, VerifyRequest
from tracing_core.protocol.interval import ENIntervalNumber, interval_number, rolling_start
from tracing_core.protocol.temporary_exposure_key import TemporaryExposureKey

__all__ = ["COVER_REPORTS_PER_DAY", "CoverTraffic", "pretend_report"]

COVER_REPORTS_PER_DAY = 0.5
"""As often as Google's own app (every 4 h with a chance of 1 in 12); DP-3T proposed 0.2. A person
reports once in years, so next to every real report stand hundreds of others."""

_DAY = 86_400.0
_KEYS = 14
_SECRET_BYTES = 32
_CERTIFICATE_BYTES = 390
_INTERVALS_A_DAY = 144

_logger = logging.getLogger(__name__)


def pretend_report(client: ServerClient, clock: Clock, health_authority_id: str) -> None:
    """Send what a report sends, of random bytes.

    Parameters
    ----------
    client
        One made with ``is_cover``.
    clock
        The agent's clock.
    health_authority_id
        As the server's configuration names it.

    Raises
    ------
    ServerError
        When the server does not answer or refuses something; a real report ends there too.
    """
    today = rolling_start(interval_number(clock.now()))
    keys = tuple(
        PublishedKey.of(
            TemporaryExposureKey.generate(ENIntervalNumber(today - _INTERVALS_A_DAY * day))
        )
        for day in range(_KEYS)
    )
    secret = secrets.token_bytes(_SECRET_BYTES)
    mac = base64.b64encode(key_hmac(keys, secret)).decode()
    client.post(VERIFY, VerifyRequest(f"{secrets.randbelow(10**8):08}", accept=ACCEPTED_TESTS))
    client.post(CERTIFY, CertificateRequest(secrets.token_urlsafe(_SECRET_BYTES), mac))
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


class CoverTraffic:
    """Sends such reports at the moments of a Poisson process, which has no memory.

    So neither a restart nor a real report in between changes anything anybody could see.

    Parameters
    ----------
    home
        The agent's folder.
    clock
        The agent's clock.
    random
        Where the moments come from: nobody may foretell them.
    server
        Where the server is now; "" if where this device joined it.
    """

    def __init__(self, home: Path, clock: Clock, random: Random, *, server: str = "") -> None:
        self._home = home
        self._clock = clock
        self._random = random
        self._server = server
        self._cancelled = threading.Event()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            await self._clock.sleep(self._random.expovariate(COVER_REPORTS_PER_DAY / _DAY))
            await in_thread(self._send, self._cancelled)

    def _send(self) -> None:
        try:
            with open_store(self._home) as db:
                membership = find_membership(db)
            if membership is None:
                return
            url = self._server or membership.line.url
            authority = membership.config.health_authority_id
            with ServerClient(
                url, self._clock, cancelled=self._cancelled.is_set, is_cover=True
            ) as client:
                pretend_report(client, self._clock, authority)
        except TracingError as error:
            # Nobody waits for it, and a real report would be tried again by its owner.
            _logger.debug("cover: %s", type(error).__name__)
