"""The tables of operators' keys, codes and tokens; of each only a keyed hash is stored."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    delete,
    exists,
    insert,
    select,
    update,
)

from server.database import metadata

__all__ = [
    "Code",
    "Subject",
    "Token",
    "claim_code",
    "delete_expired",
    "find_code",
    "find_token",
    "has_code",
    "has_uuid",
    "insert_code",
    "insert_token",
    "is_operator_key",
    "operator_key",
    "replace_operator_keys",
    "replace_token",
    "use_token",
    "verification_code",
    "verification_token",
]

operator_key = Table(
    "operator_key",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key_hash", LargeBinary(32), nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
)

verification_code = Table(
    "verification_code",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("code_hash", LargeBinary(32), nullable=False, unique=True),
    Column("uuid", String(36), unique=True),
    Column("test_type", String(16), nullable=False),
    Column("symptom_date", String(10)),
    Column("test_date", String(10)),
    Column("expires_at", BigInteger, nullable=False),
    Column("is_claimed", Boolean, nullable=False),
)
"""Dates are ISO, in the time zone of who was tested; `expires_at` is UTC Unix seconds."""

verification_token = Table(
    "verification_token",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token_hash", LargeBinary(32), nullable=False, unique=True),
    Column("test_type", String(16), nullable=False),
    Column("symptom_date", String(10)),
    Column("test_date", String(10)),
    Column("expires_at", BigInteger, nullable=False),
    Column("is_used", Boolean, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What the health authority states about a test, whoever's it is."""

    test_type: str
    """``confirmed``, ``likely`` or ``negative``."""
    symptom_date: str | None = None
    """When symptoms began, ``YYYY-MM-DD``; None if unknown."""
    test_date: str | None = None
    """When the test was made, ``YYYY-MM-DD``; None if unknown."""


@dataclass(frozen=True, slots=True)
class Code:
    """A code as stored."""

    subject: Subject
    expires_at: int
    """UTC Unix seconds."""
    is_claimed: bool
    """Whether it was exchanged for a token."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token as stored."""

    subject: Subject
    expires_at: int
    """UTC Unix seconds."""
    is_used: bool
    """Whether it was exchanged for a certificate."""


def _subject(row: Row[Any]) -> Subject:
    return Subject(row.test_type, row.symptom_date, row.test_date)


def replace_operator_keys(conn: Connection, key_hash: bytes, created_at: int) -> None:
    """Make one operator's key the only one."""
    conn.execute(delete(operator_key))
    conn.execute(insert(operator_key).values(key_hash=key_hash, created_at=created_at))


def is_operator_key(conn: Connection, key_hash: bytes) -> bool:
    """Tell whether a key belongs to an operator."""
    return bool(conn.scalar(select(exists().where(operator_key.c.key_hash == key_hash))))


def has_code(conn: Connection, code_hash: bytes) -> bool:
    """Tell whether a code was issued and not yet forgotten."""
    return bool(conn.scalar(select(exists().where(verification_code.c.code_hash == code_hash))))


def has_uuid(conn: Connection, uuid: str) -> bool:
    """Tell whether a code with this handle was issued and not yet forgotten."""
    return bool(conn.scalar(select(exists().where(verification_code.c.uuid == uuid))))


def insert_code(
    conn: Connection, code_hash: bytes, uuid: str, subject: Subject, expires_at: int
) -> None:
    """Store a code, to be claimed once."""
    conn.execute(
        insert(verification_code).values(
            code_hash=code_hash,
            uuid=uuid,
            test_type=subject.test_type,
            symptom_date=subject.symptom_date,
            test_date=subject.test_date,
            expires_at=expires_at,
            is_claimed=False,
        )
    )


def find_code(conn: Connection, code_hash: bytes) -> Code | None:
    """Return a code, or None if nobody knows it."""
    row = conn.execute(
        select(verification_code).where(verification_code.c.code_hash == code_hash)
    ).first()
    return None if row is None else Code(_subject(row), row.expires_at, row.is_claimed)


def claim_code(conn: Connection, code_hash: bytes) -> None:
    """Mark a code as exchanged."""
    conn.execute(
        update(verification_code)
        .where(verification_code.c.code_hash == code_hash)
        .values(is_claimed=True)
    )


def insert_token(conn: Connection, token_hash: bytes, subject: Subject, expires_at: int) -> None:
    """Store a token, to be used once."""
    conn.execute(
        insert(verification_token).values(
            token_hash=token_hash,
            test_type=subject.test_type,
            symptom_date=subject.symptom_date,
            test_date=subject.test_date,
            expires_at=expires_at,
            is_used=False,
        )
    )


def replace_token(conn: Connection, token_hash: bytes, subject: Subject, expires_at: int) -> None:
    """Store a token in place of the one of the same hash, if there is one."""
    conn.execute(delete(verification_token).where(verification_token.c.token_hash == token_hash))
    insert_token(conn, token_hash, subject, expires_at)


def find_token(conn: Connection, token_hash: bytes) -> Token | None:
    """Return a token, or None if nobody knows it."""
    row = conn.execute(
        select(verification_token).where(verification_token.c.token_hash == token_hash)
    ).first()
    return None if row is None else Token(_subject(row), row.expires_at, row.is_used)


def use_token(conn: Connection, token_hash: bytes) -> None:
    """Mark a token as exchanged."""
    conn.execute(
        update(verification_token)
        .where(verification_token.c.token_hash == token_hash)
        .values(is_used=True)
    )


def delete_expired(conn: Connection, moment: int) -> int:
    """Delete the codes and tokens that expired before a moment; return how many."""
    tables: Iterable[Table] = (verification_code, verification_token)
    return sum(
        conn.execute(delete(table).where(table.c.expires_at < moment)).rowcount for table in tables
    )
