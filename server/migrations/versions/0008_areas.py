"""The table of the list of areas."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create the table, empty until the operator sets areas."""
    op.create_table(
        "area_list",
        sa.Column("region", sa.String(16), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("tag", sa.String(66), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.CheckConstraint("length(document) <= 524288", name="area_list_document_check"),
        sa.PrimaryKeyConstraint("region", name="area_list_pkey"),
    )
