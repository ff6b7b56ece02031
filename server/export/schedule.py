"""The export schedule: how far each region is exported, and which node exports it now."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    String,
    Table,
    insert,
    select,
    update,
)

from server.store.database import metadata

__all__ = [
    "export_schedule",
    "exported_until",
    "hold_schedule",
    "lock_schedule",
    "release_schedule",
    "set_exported_until",
]

export_schedule = Table(
    "export_schedule",
    metadata,
    Column("region", String(16), primary_key=True, doc="The region."),
    Column("exported_until", BigInteger, nullable=False, doc="End of the last exported window."),
    Column("holder", String(32), doc="The node that exports it now; null if none does."),
    Column("held_until", BigInteger, nullable=False, doc="When another node may take over."),
)
"""One row per region: how far it is exported (UTC Unix seconds), and the node that exports it now,
or null. After `held_until` another node may take over."""

_S = export_schedule.c


def exported_until(conn: Connection, region: str) -> int | None:
    """Return the end of the region's last exported window; None before the first export."""
    moment: int | None = conn.execute(
        select(_S.exported_until).where(_S.region == region)
    ).scalar_one_or_none()
    return moment


def hold_schedule(
    conn: Connection, region: str, holder: str, *, begin: int, now: float, held_until: float
) -> int | None:
    """Take or renew the lease on a region, which is the right to export it.

    Parameters
    ----------
    conn
        A transaction; other holders wait until it ends.
    region
        The region.
    holder
        The node that asks. A lease from before, even from a process that died, is still its own.
    begin
        Start of the first window if the region was never exported.
    now
        The time (UTC Unix seconds).
    held_until
        When the lease ends and other nodes may take it (UTC Unix seconds).

    Returns
    -------
    int or None
        How far the region is exported (UTC Unix seconds); None while another node has the lease.
    """
    query = select(export_schedule).where(_S.region == region).with_for_update()
    row = conn.execute(query).one_or_none()
    if row is None:
        conn.execute(
            insert(export_schedule).values(region=region, exported_until=begin, held_until=0)
        )
        row = conn.execute(query).one()
    if row.holder not in (None, holder) and now < row.held_until:
        return None
    conn.execute(
        update(export_schedule)
        .where(_S.region == region)
        .values(holder=holder, held_until=int(held_until))
    )
    until: int = row.exported_until
    return until


def lock_schedule(conn: Connection, region: str) -> None:
    """Keep other processes from publishing key files of a region until the transaction ends."""
    conn.execute(select(_S.region).where(_S.region == region).with_for_update())


def set_exported_until(conn: Connection, region: str, moment: int) -> None:
    """Note that a region is exported up to a moment (UTC Unix seconds)."""
    conn.execute(update(export_schedule).where(_S.region == region).values(exported_until=moment))


def release_schedule(conn: Connection, region: str, holder: str) -> None:
    """End the lease on a region if it is still this holder's."""
    conn.execute(
        update(export_schedule)
        .where(_S.region == region, _S.holder == holder)
        .values(holder=None, held_until=0)
    )
