"""Published keys, operators' keys, codes and tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "diagnosis_key",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("key_data", sa.LargeBinary(16), nullable=False),
        sa.Column("region", sa.String(16), nullable=False),
        sa.Column("rolling_start_interval_number", sa.BigInteger, nullable=False),
        sa.Column("rolling_period", sa.Integer, nullable=False),
        sa.Column("transmission_risk_level", sa.Integer, nullable=False),
        sa.Column("report_type", sa.Integer, nullable=False),
        sa.Column("days_since_onset", sa.Integer),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("revised_at", sa.BigInteger),
        sa.Column("revised_transmission_risk_level", sa.Integer),
        sa.Column("revised_report_type", sa.Integer),
        sa.Column("revised_days_since_onset", sa.Integer),
        sa.Column("is_padding", sa.Boolean, nullable=False),
        sa.Column("traveler", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="diagnosis_key_pkey"),
        sa.UniqueConstraint("key_data", name="diagnosis_key_key_data_key"),
    )
    for column in ("created_at", "revised_at"):
        op.create_index(f"diagnosis_key_region_{column}", "diagnosis_key", ["region", column])
    op.create_table(
        "operator_key",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("key_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="operator_key_pkey"),
        sa.UniqueConstraint("key_hash", name="operator_key_key_hash_key"),
    )
    op.create_table(
        "verification_code",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("code_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("uuid", sa.String(36)),
        sa.Column("test_type", sa.String(16), nullable=False),
        sa.Column("symptom_date", sa.String(10)),
        sa.Column("test_date", sa.String(10)),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("is_claimed", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="verification_code_pkey"),
        sa.UniqueConstraint("code_hash", name="verification_code_code_hash_key"),
        sa.UniqueConstraint("uuid", name="verification_code_uuid_key"),
    )
    op.create_table(
        "verification_token",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("token_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("test_type", sa.String(16), nullable=False),
        sa.Column("symptom_date", sa.String(10)),
        sa.Column("test_date", sa.String(10)),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("is_used", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="verification_token_pkey"),
        sa.UniqueConstraint("token_hash", name="verification_token_token_hash_key"),
    )
