"""What is done for an upload that only pretends: the same work, of which nothing is kept."""

from __future__ import annotations

import base64
import contextlib
from dataclasses import replace

from server.context import Server
from server.publish.revision import RevisableKey, seal_token
from server.publish.rules import Upload, apply_rules
from server.publish.upload import store_upload
from server.verification.certificate import Claims, sign_certificate, verify_certificate
from server.verification.cover import write_nothing
from server.verification.store import Subject
from tracing_core.diagnosis_key import ReportType
from tracing_core.errors import PublishRejected
from tracing_core.publish_request import PublishRequest, decode_base64, key_hmac

__all__ = ["pretend_upload"]

_SECRET = base64.b64encode(bytes(32)).decode()


def pretend_upload(server: Server, request: PublishRequest) -> None:
    """Do the work of checking and taking an upload; neither log nor counter shows it."""
    settings, now = server.settings, server.clock.now()
    with contextlib.suppress(PublishRejected):
        _check_certificate(server, request, now)
    upload = Upload(request, Claims(ReportType.CONFIRMED_TEST), settings, now)
    with contextlib.suppress(PublishRejected):
        apply_rules(upload)
    with server.database.begin() as conn:
        attempt = conn.begin_nested()
        revisable: list[RevisableKey] = []
        with contextlib.suppress(PublishRejected):
            _, revisable = store_upload(conn, settings, upload)
        attempt.rollback()
        write_nothing(server, conn)
    seal_token(revisable, server.keys.revision_key(), settings, now)


def _check_certificate(server: Server, request: PublishRequest, now: float) -> None:
    """Check a certificate made up for the occasion, since the request has none that is valid."""
    settings, key = server.settings, server.keys.certificate_key()
    mac = key_hmac(request.keys, decode_base64(_SECRET))
    made_up = sign_certificate(Subject("confirmed"), mac, key, settings, now)
    signed = replace(request, verification_payload=made_up, hmac_key=_SECRET)
    verify_certificate(signed, key, settings, now)
