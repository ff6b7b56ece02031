"""Removal of the column for travellers, which nothing reads."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Drop the column."""
    op.drop_column("diagnosis_key", "traveler")
