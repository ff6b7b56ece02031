"""The server that the database belongs to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Create the table; the first start fills it."""
    op.create_table(
        "owner",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("fingerprint", sa.String(100)),
        sa.Column("folder", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name="owner_pkey"),
    )
