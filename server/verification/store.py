"""Tables of operators' keys, codes and tokens, each stored only as a keyed hash."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    String,
    Table,
    delete,
    exists,
    insert,
    select,
    update,
)

from server.store.database import metadata

__all__ = [
    "DECOY",
    "DECOY_HASH",
    "Subject",
    "Voucher",
    "claim_code",
    "delete_expired",
    "expire_code",
    "find_code",
    "find_issued_code",
    "find_token",
    "has_code",
    "has_uuid",
    "insert_code",
    "insert_token",
    "is_operator_key",
    "operator_key",
    "replace_operator_keys",
    "use_token",
    "verification_code",
    "verification_token",
]

operator_key = Table(
    "operator_key",
    metadata,
    Column("id", Integer, primary_key=True, doc="Number of the row."),
    Column("key_hash", LargeBinary(32), nullable=False, unique=True, doc="Keyed hash of the key."),
    Column("created_at", BigInteger, nullable=False, doc="When the key was made."),
)
"""The operators' API keys, one per row."""

DECOY_HASH = b"\xff" * 32
"""Hash of a code and a token that every database has and that cannot be guessed. On these, refused
requests do the same work as requests that are granted."""


def _voucher_table(kind: str, flag: str, *columns: Column[Any]) -> Table:
    """Define a table; dates are in the tested person's time zone, times are UTC Unix seconds."""
    return Table(
        f"verification_{kind}",
        metadata,
        Column("id", Integer, primary_key=True, doc="Number of the row."),
        Column(
            f"{kind}_hash",
            LargeBinary(32),
            nullable=False,
            unique=True,
            doc=f"Keyed hash of the {kind}.",
        ),
        *columns,
        Column(
            "test_type",
            String(16),
            nullable=False,
            doc="What the authority stated: `confirmed`, `likely` or `negative`.",
        ),
        Column("symptom_date", String(10), doc="When symptoms started; null if unknown."),
        Column("test_date", String(10), doc="When the test was taken; null if unknown."),
        Column("expires_at", BigInteger, nullable=False, doc=f"When the {kind} expires."),
        Column(flag, Boolean, nullable=False, doc=f"True once the {kind} was exchanged."),
    )


verification_code = _voucher_table(
    "code",
    "is_claimed",
    Column("uuid", String(36), unique=True, doc="The operator's handle for the code."),
)
"""Codes that the authority issued; one is exchanged for a token. Dates are ISO."""

verification_token = _voucher_table(
    "token",
    "is_used",
    Column(
        "use_hash",
        LargeBinary(32),
        doc="Keyed hash of the secret and the MAC that the token was used with; null if the device"
        " sent no secret.",
    ),
)
"""Tokens that codes were exchanged for; one is exchanged for a certificate. Dates are ISO."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Statement of the health authority about a test, without the person."""

    test_type: str
    """``confirmed``, ``likely`` or ``negative``."""
    symptom_date: str | None = None
    """When symptoms started, ``YYYY-MM-DD``; None if unknown."""
    test_date: str | None = None
    """When the test was taken, ``YYYY-MM-DD``; None if unknown."""


DECOY = Subject("confirmed", "2020-01-01")
"""The statement about that code and that token."""


@dataclass(frozen=True, slots=True)
class Voucher:
    """A code or a token as stored."""

    subject: Subject
    expires_at: int
    """When it expires (UTC Unix seconds)."""
    is_spent: bool
    """True if it was exchanged: a code for a token, a token for a certificate."""
    use_hash: bytes | None = None
    """Keyed hash of the secret and the MAC that a token was used with."""


def replace_operator_keys(conn: Connection, key_hash: bytes, created_at: int) -> None:
    """Replace all operator keys by one."""
    conn.execute(delete(operator_key))
    conn.execute(insert(operator_key).values(key_hash=key_hash, created_at=created_at))


def is_operator_key(conn: Connection, key_hash: bytes) -> bool:
    """Return True if a key belongs to an operator."""
    return bool(conn.scalar(select(exists().where(operator_key.c.key_hash == key_hash))))


def has_code(conn: Connection, code_hash: bytes) -> bool:
    """Return True if a code was issued and is not yet deleted."""
    return bool(conn.scalar(select(exists().where(verification_code.c.code_hash == code_hash))))


def has_uuid(conn: Connection, uuid: str) -> bool:
    """Return True if a code with this handle was issued and is not yet deleted."""
    return bool(conn.scalar(select(exists().where(verification_code.c.uuid == uuid))))


def _insert(
    conn: Connection, table: Table, subject: Subject, expires_at: int, **values: Any
) -> None:
    row = {**asdict(subject), "expires_at": expires_at, **values}
    conn.execute(insert(table).values(row))


def _find(conn: Connection, column: Column[Any], value: bytes | str) -> Voucher | None:
    row = conn.execute(select(column.table).where(column == value)).first()
    if row is None:
        return None
    *_, test_type, symptom_date, test_date, expires_at, is_spent = row
    subject = Subject(test_type, symptom_date, test_date)
    return Voucher(subject, expires_at, is_spent, getattr(row, "use_hash", None))


def _spend(conn: Connection, column: Column[Any], digest: bytes, **values: Any) -> None:
    conn.execute(update(column.table).where(column == digest).values(values))


def insert_code(
    conn: Connection, code_hash: bytes, uuid: str, subject: Subject, expires_at: int
) -> None:
    """Store a code, to be claimed once."""
    values = {"code_hash": code_hash, "uuid": uuid, "is_claimed": False}
    _insert(conn, verification_code, subject, expires_at, **values)


def find_code(conn: Connection, code_hash: bytes) -> Voucher | None:
    """Return a code, or None if it is unknown."""
    return _find(conn, verification_code.c.code_hash, code_hash)


def find_issued_code(conn: Connection, uuid: str) -> Voucher | None:
    """Return the code with an operator's handle, or None if there is none."""
    return _find(conn, verification_code.c.uuid, uuid)


def expire_code(conn: Connection, uuid: str, moment: int) -> None:
    """Set when the code with an operator's handle expires (UTC Unix seconds)."""
    codes = verification_code
    conn.execute(update(codes).where(codes.c.uuid == uuid).values(expires_at=moment))


def claim_code(conn: Connection, code_hash: bytes) -> None:
    """Mark a code as exchanged."""
    _spend(conn, verification_code.c.code_hash, code_hash, is_claimed=True)


def insert_token(conn: Connection, token_hash: bytes, subject: Subject, expires_at: int) -> None:
    """Store a token, to be used once."""
    values = {"token_hash": token_hash, "is_used": False}
    _insert(conn, verification_token, subject, expires_at, **values)


def find_token(conn: Connection, token_hash: bytes) -> Voucher | None:
    """Return a token, or None if it is unknown."""
    return _find(conn, verification_token.c.token_hash, token_hash)


def use_token(conn: Connection, token_hash: bytes, use_hash: bytes | None) -> None:
    """Mark a token as exchanged, and by what secret and for which MAC."""
    column = verification_token.c.token_hash
    _spend(conn, column, token_hash, is_used=True, use_hash=use_hash)


def delete_expired(conn: Connection, moment: int) -> int:
    """Delete the codes and tokens that expired before a moment; return how many."""
    tables: Iterable[Table] = (verification_code, verification_token)
    return sum(
        conn.execute(delete(table).where(table.c.expires_at < moment)).rowcount for table in tables
    )
