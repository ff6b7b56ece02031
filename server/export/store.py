"""Tables of published key files and of the windows they hold."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Integer,
    String,
    Table,
    UniqueConstraint,
    delete,
    exists,
    func,
    insert,
    select,
)

from server.export.schedule import exported_until
from server.export.windows import Window
from server.store.database import metadata

__all__ = [
    "add_key_files",
    "begin_window",
    "closed_until",
    "delete_windows_started_before",
    "is_published",
    "key_file_names",
    "key_file_table",
    "newest_window",
    "window_table",
]

window_table = Table(
    "export_batch",
    metadata,
    Column("id", Integer, primary_key=True, doc="Number of the window."),
    Column("region", String(16), nullable=False, doc="The region."),
    Column("start_timestamp", BigInteger, nullable=False, doc="Start of the window."),
    Column("end_timestamp", BigInteger, nullable=False, doc="End of the window."),
    UniqueConstraint("region", "start_timestamp"),
)
"""The windows that have their padding; after that the contents of a window do not change."""

key_file_table = Table(
    "export_file",
    metadata,
    Column("id", Integer, primary_key=True, doc="Number of the file, in order of publication."),
    Column(
        "batch_id",
        ForeignKey("export_batch.id", name="export_file_batch_id_fkey", ondelete="CASCADE"),
        nullable=False,
        doc="The window, as `export_batch.id`.",
    ),
    Column("name", String(100), nullable=False, unique=True, doc="Name, as in the index."),
)
"""The published key files, in order of `id`."""

_W = window_table.c
_F = key_file_table.c


def closed_until(conn: Connection, region: str) -> int:
    """Return the moment before which no key may be created; 0 if nothing was exported.

    Windows before that moment have their padding, and have left or are about to leave. A key with
    an earlier time, because the clock was set back, would never leave.
    """
    last = select(func.max(_W.end_timestamp)).where(_W.region == region)
    return max(exported_until(conn, region) or 0, conn.execute(last).scalar_one() or 0)


def begin_window(conn: Connection, region: str, window: Window) -> tuple[int, bool]:
    """Return a window's row, and True if it is new and so still needs its padding."""
    found = conn.execute(
        select(_W.id).where(_W.region == region, _W.start_timestamp == window.start)
    ).scalar_one_or_none()
    if found is not None:
        return found, False
    made = conn.execute(
        insert(window_table).values(
            region=region, start_timestamp=window.start, end_timestamp=window.end
        )
    )
    assert made.inserted_primary_key is not None
    return made.inserted_primary_key[0], True


def add_key_files(conn: Connection, window_id: int, names: list[str]) -> None:
    """Note that a window's key files are published; from then on they may be listed."""
    conn.execute(insert(key_file_table), [{"batch_id": window_id, "name": name} for name in names])


def key_file_names(conn: Connection, region: str) -> list[str]:
    """Return the names of a region's published key files, oldest first."""
    query = (
        select(_F.name)
        .join(window_table)
        .where(_W.region == region)
        .order_by(_W.start_timestamp, _F.id)
    )
    return list(conn.execute(query).scalars())


def newest_window(conn: Connection, region: str) -> Window | None:
    """Return the newest window with published key files; None if there is none."""
    row = conn.execute(
        select(_W.start_timestamp, _W.end_timestamp)
        .where(_W.region == region, exists().where(_F.batch_id == _W.id))
        .order_by(_W.end_timestamp.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else Window(*row)


def is_published(conn: Connection, name: str) -> bool:
    """Return True if a file may be served."""
    return bool(conn.execute(select(exists().where(_F.name == name))).scalar_one())


def delete_windows_started_before(conn: Connection, moment: float) -> int:
    """Delete the windows that start before a moment, with their files' rows; return how many."""
    return conn.execute(delete(window_table).where(_W.start_timestamp < moment)).rowcount
