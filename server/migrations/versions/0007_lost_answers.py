"""A column by which a device whose answer was lost gets it again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column."""
    op.add_column("verification_token", sa.Column("use_hash", sa.LargeBinary(32)))
