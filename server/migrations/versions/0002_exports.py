"""Exported windows and published key files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "export_schedule",
        sa.Column("region", sa.String(16), nullable=False),
        sa.Column("exported_until", sa.BigInteger, nullable=False),
        sa.Column("holder", sa.String(32)),
        sa.Column("held_until", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("region", name="export_schedule_pkey"),
    )
    op.create_table(
        "export_batch",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("region", sa.String(16), nullable=False),
        sa.Column("start_timestamp", sa.BigInteger, nullable=False),
        sa.Column("end_timestamp", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="export_batch_pkey"),
        sa.UniqueConstraint(
            "region", "start_timestamp", name="export_batch_region_start_timestamp_key"
        ),
    )
    op.create_table(
        "export_file",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("batch_id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("id", name="export_file_pkey"),
        sa.UniqueConstraint("name", name="export_file_name_key"),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["export_batch.id"],
            name="export_file_batch_id_fkey",
            ondelete="CASCADE",
        ),
    )
