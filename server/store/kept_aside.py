"""Table of rows that lay outside a limit when the limit was made; they are kept for a while."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Connection, Integer, String, Table, Text, delete

from server.store.database import metadata

__all__ = ["delete_kept_before", "kept_aside"]

kept_aside = Table(
    "kept_aside",
    metadata,
    Column("id", Integer, primary_key=True, doc="Number of the row."),
    Column("of_table", String(32), nullable=False, doc="The table that it was in."),
    Column("kept_at", BigInteger, nullable=False, doc="When it was kept aside."),
    Column("fields", Text, nullable=False, doc="Its columns and values, as JSON."),
)
"""Rows that lay outside a limit of their table when that was made, one per row."""


def delete_kept_before(conn: Connection, moment: int) -> int:
    """Delete the rows that were kept aside before a moment (UTC Unix seconds)."""
    return conn.execute(delete(kept_aside).where(kept_aside.c.kept_at < moment)).rowcount
