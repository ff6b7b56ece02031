"""What is done for cover traffic: the same work as in earnest, of which nothing comes.

Every request writes, as a real one does, so that the disk takes as long; what it writes is always
the same one row, which no token can ever name.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from sqlalchemy import Connection

from server.context import Server
from server.verification.certificate import sign_certificate
from server.verification.rules import keyed_hash
from server.verification.store import (
    Subject,
    claim_code,
    find_code,
    find_token,
    replace_token,
    use_token,
)
from tracing_core.verification import CertificateRequest, VerifyRequest

__all__ = ["pretend_code", "pretend_token", "write_nothing"]

_NOBODYS_HASH = bytes(32)
_MAC_BYTES = 32


def _subject(server: Server) -> Subject:
    return Subject("confirmed", datetime.fromtimestamp(server.clock.now(), UTC).date().isoformat())


def write_nothing(server: Server, conn: Connection) -> None:
    """Write the one row again, so that the transaction reaches the disk."""
    expires_at = int(server.clock.now()) + server.settings.token_seconds
    replace_token(conn, _NOBODYS_HASH, _subject(server), expires_at)


def pretend_code(server: Server, request: VerifyRequest) -> None:
    """Do the work of `server.verification.rules.exchange_code`."""
    code_hash = keyed_hash(server, "code", request.code)
    keyed_hash(server, "token", secrets.token_urlsafe(32))
    with server.database.begin() as conn:
        find_code(conn, code_hash)
        claim_code(conn, _NOBODYS_HASH)
        write_nothing(server, conn)


def pretend_token(server: Server, request: CertificateRequest) -> None:
    """Do the work of `server.verification.rules.exchange_token`."""
    token_hash = keyed_hash(server, "token", request.token)
    with server.database.begin() as conn:
        find_token(conn, token_hash)
        use_token(conn, _NOBODYS_HASH)
        write_nothing(server, conn)
        key, now = server.keys.certificate_key(), server.clock.now()
        sign_certificate(
            _subject(server), secrets.token_bytes(_MAC_BYTES), key, server.settings, now
        )
