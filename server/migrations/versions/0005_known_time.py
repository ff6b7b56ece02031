"""The time that has passed for certain, and keys that wait for it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table; a database with key files was last used when the newest was written."""
    table = op.create_table(
        "known_time",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("running_seconds", sa.BigInteger, nullable=False),
        sa.Column("setting", sa.Integer, nullable=False),
        sa.Column("boot_id", sa.String(36)),
        sa.Column("uptime", sa.Float),
        sa.Column("doubt_seconds", sa.BigInteger, nullable=False),
        sa.Column("doubted_since", sa.BigInteger, nullable=False),
        sa.Column("witnesses", sa.String(50), nullable=False),
        sa.PrimaryKeyConstraint("id", name="known_time_pkey"),
    )
    op.add_column("diagnosis_key", sa.Column("waits_until", sa.BigInteger))
    schedule = sa.table("export_schedule", sa.column("exported_until", sa.BigInteger))
    last = op.get_bind().execute(sa.select(sa.func.max(schedule.c.exported_until))).scalar()
    if last is not None:
        op.bulk_insert(
            table,
            [
                {
                    "id": 1,
                    "at": last,
                    "running_seconds": 0,
                    "setting": 0,
                    "doubt_seconds": 0,
                    "doubted_since": 0,
                    "witnesses": "",
                }
            ],
        )
