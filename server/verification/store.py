"""The tables of operators' keys, codes and tokens; of each only a keyed hash is stored."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, String, Table

from server.database import metadata

__all__ = ["operator_key", "verification_code", "verification_token"]

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
