"""Table of the list of areas, as it was last signed."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    String,
    Table,
    Text,
    insert,
    select,
    update,
)

from server.store.database import metadata
from tracing_core.trust.signed_areas import MAX_AREAS_BYTES

__all__ = ["StoredAreas", "area_list", "put_areas", "read_areas", "read_mark"]

area_list = Table(
    "area_list",
    metadata,
    Column("region", String(16), primary_key=True, doc="The region."),
    Column("fingerprint", String(64), nullable=False, doc="Fingerprint of the key that signed it."),
    Column("tag", String(66), nullable=False, doc="ETag of the document, with its quotes."),
    Column("sequence", BigInteger, nullable=False, doc="Rises with every list."),
    Column("document", Text, nullable=False, doc="The signed list, a JWS."),
    CheckConstraint(f"length(document) <= {MAX_AREAS_BYTES}", name="area_list_document_check"),
)
"""One row once the operator has set areas; without a row nothing was ever published."""


class StoredAreas(NamedTuple):
    """The list of areas as it was last signed."""

    fingerprint: str
    """Of the key that signed it."""
    tag: str
    """ETag of the document, with its quotes."""
    sequence: int
    document: str
    """A JWS."""


def read_mark(conn: Connection, region: str) -> tuple[str, str] | None:
    """Return fingerprint and ETag of the list; None if there is none."""
    query = select(area_list.c.fingerprint, area_list.c.tag).where(area_list.c.region == region)
    row = conn.execute(query).one_or_none()
    return None if row is None else (row.fingerprint, row.tag)


def read_areas(conn: Connection, region: str) -> StoredAreas | None:
    """Return the list; None if there is none."""
    columns = [area_list.c[name] for name in StoredAreas._fields]
    row = conn.execute(select(*columns).where(area_list.c.region == region)).one_or_none()
    return None if row is None else StoredAreas(*row)


def put_areas(conn: Connection, region: str, areas: StoredAreas) -> None:
    """Store the list in place of the one before."""
    values = areas._asdict()
    changed = conn.execute(
        update(area_list).where(area_list.c.region == region).values(**values)
    ).rowcount
    if not changed:
        conn.execute(insert(area_list).values(region=region, **values))
