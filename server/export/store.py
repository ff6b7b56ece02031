"""The tables of exported windows and files, and the reading of a window's keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Integer,
    String,
    Table,
    UniqueConstraint,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    not_,
    select,
    update,
)

from server.export.padding import PaddingKey
from server.export.windows import Window
from server.store.database import metadata
from server.store.diagnosis_keys import diagnosis_key
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType
from tracing_core.protocol.interval import INTERVAL_SECONDS

__all__ = [
    "EMBARGO_SECONDS",
    "add_files",
    "add_padding",
    "begin_batch",
    "closed_until",
    "created_keys",
    "delete_batches_begun_before",
    "export_batch",
    "export_file",
    "export_schedule",
    "exported_until",
    "file_names",
    "first_created_at",
    "hold_schedule",
    "is_published",
    "lock_schedule",
    "postpone_keys_in_use",
    "release_schedule",
    "revised_keys",
    "set_exported_until",
]

EMBARGO_SECONDS = 7_200
"""How long after its last interval a key must not leave: devices accept its identifiers so long."""

export_schedule = Table(
    "export_schedule",
    metadata,
    Column("region", String(16), primary_key=True),
    Column("exported_until", BigInteger, nullable=False),
    Column("holder", String(32)),
    Column("held_until", BigInteger, nullable=False),
)
"""How far a region is exported (UTC Unix seconds), and which node's folder exports it now, None for
nobody; after `held_until` another node may take over."""

export_batch = Table(
    "export_batch",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("region", String(16), nullable=False),
    Column("start_timestamp", BigInteger, nullable=False),
    Column("end_timestamp", BigInteger, nullable=False),
    UniqueConstraint("region", "start_timestamp"),
)
"""The windows that have their padding; from then on what a window holds does not change."""

export_file = Table(
    "export_file",
    metadata,
    Column("id", Integer, primary_key=True),
    Column(
        "batch_id",
        ForeignKey("export_batch.id", name="export_file_batch_id_fkey", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("name", String(100), nullable=False, unique=True),
)
"""The published files, in order of `id`; `name` is as in the index."""

_K = diagnosis_key.c
_S = export_schedule.c
_B = export_batch.c
_F = export_file.c
_ROWS_AT_ONCE = 10_000


def exported_until(conn: Connection, region: str) -> int | None:
    """Return the end of the region's last exported window; None before the first export."""
    moment: int | None = conn.execute(
        select(_S.exported_until).where(_S.region == region)
    ).scalar_one_or_none()
    return moment


def closed_until(conn: Connection, region: str) -> int:
    """Return the moment before which no key may be created any more, 0 before the first export.

    Windows before it have their padding and are about to leave, or left; a key given an earlier
    time, because the clock went back, would never leave.
    """
    last = select(func.max(_B.end_timestamp)).where(_B.region == region)
    return max(exported_until(conn, region) or 0, conn.execute(last).scalar_one() or 0)


def hold_schedule(
    conn: Connection, region: str, holder: str, *, begin: int, now: float, held_until: float
) -> int | None:
    """Take or keep the right to export a region.

    Parameters
    ----------
    conn
        A transaction; others wait until it ends.
    region
        The region.
    holder
        Who asks. What it held before, in this process or one that died, is still its.
    begin
        Start of the first window, if the region was never exported.
    now
        The time (UTC Unix seconds).
    held_until
        When others may take over (UTC Unix seconds).

    Returns
    -------
    int or None
        How far the region is exported (UTC Unix seconds); None while another node has the right.
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


def release_schedule(conn: Connection, region: str, holder: str) -> None:
    """Give up the right to export a region, if it is still this holder's."""
    conn.execute(
        update(export_schedule)
        .where(_S.region == region, _S.holder == holder)
        .values(holder=None, held_until=0)
    )


def set_exported_until(conn: Connection, region: str, moment: int) -> None:
    """Note that a region is exported up to a moment (UTC Unix seconds)."""
    conn.execute(update(export_schedule).where(_S.region == region).values(exported_until=moment))


def first_created_at(conn: Connection, region: str) -> int | None:
    """Return when the region's first stored key may leave (UTC Unix seconds), None without keys."""
    moment: int | None = conn.execute(
        select(func.min(_K.created_at)).where(_K.region == region)
    ).scalar_one()
    return moment


def begin_batch(conn: Connection, region: str, window: Window) -> tuple[int, bool]:
    """Return a window's row, and whether it is new and so still needs its padding."""
    found = conn.execute(
        select(_B.id).where(_B.region == region, _B.start_timestamp == window.start)
    ).scalar_one_or_none()
    if found is not None:
        return found, False
    made = conn.execute(
        insert(export_batch).values(
            region=region, start_timestamp=window.start, end_timestamp=window.end
        )
    )
    assert made.inserted_primary_key is not None
    return made.inserted_primary_key[0], True


def add_padding(conn: Connection, region: str, padding: list[PaddingKey]) -> None:
    """Store invented keys, so that every later reading of their windows has them."""
    if not padding:
        return
    conn.execute(
        insert(diagnosis_key),
        [
            {
                **_columns(each.key, ""),
                **_columns(each.revised, "revised_"),
                "key_data": each.key.key_data,
                "region": region,
                "rolling_start_interval_number": each.key.rolling_start_interval_number,
                "rolling_period": each.key.rolling_period,
                "created_at": each.created_at,
                "revised_at": each.revised_at,
                "is_padding": True,
            }
            for each in padding
        ],
    )


def _columns(key: DiagnosisKey | None, prefix: str) -> dict[str, int | None]:
    return {
        f"{prefix}report_type": None if key is None else int(key.report_type),
        f"{prefix}days_since_onset": None if key is None else key.days_since_onset_of_symptoms,
        f"{prefix}transmission_risk_level": None if key is None else key.transmission_risk_level,
    }


def postpone_keys_in_use(
    conn: Connection, region: str, window: Window, now: float, truncate_seconds: int
) -> int:
    """Move a window's keys that must not leave yet to the window in which they may; count them."""
    leaves_at = (_K.rolling_start_interval_number + _K.rolling_period) * INTERVAL_SECONDS
    leaves_at = leaves_at + EMBARGO_SECONDS
    # Cut up: a key created in a window leaves after the window's end, never before its moment.
    whole = (leaves_at + truncate_seconds - 1) // truncate_seconds * truncate_seconds
    result = conn.execute(
        update(diagnosis_key)
        .where(_in(_K.created_at, window), _K.region == region, leaves_at > int(now))
        .values(created_at=whole)
    )
    return result.rowcount


def created_keys(conn: Connection, region: str, window: Window) -> Iterator[DiagnosisKey]:
    """Read the keys of a window, padding included, sorted by key data, as known at its end.

    A key that was taken back before it ever left stays here.
    """
    taken_back = and_(_revised_by(window.end), _K.revised_report_type == int(ReportType.REVOKED))
    return _read(conn, window, _K.region == region, _in(_K.created_at, window), not_(taken_back))


def revised_keys(conn: Connection, region: str, window: Window) -> Iterator[DiagnosisKey]:
    """Read the keys that left in an earlier window and were revised in this one, sorted."""
    return _read(
        conn,
        window,
        _K.region == region,
        _in(_K.revised_at, window),
        _K.created_at < window.start,
    )


def _in(column: Column[Any], window: Window) -> ColumnElement[bool]:
    return and_(column >= window.start, column < window.end)


def _revised_by(moment: int) -> ColumnElement[bool]:
    return and_(_K.revised_at.is_not(None), _K.revised_at < moment)


def _read(
    conn: Connection, window: Window, *conditions: ColumnElement[bool]
) -> Iterator[DiagnosisKey]:
    is_revised = _revised_by(window.end)
    names = ("report_type", "days_since_onset", "transmission_risk_level")
    query = (
        select(
            _K.key_data,
            _K.rolling_start_interval_number,
            _K.rolling_period,
            *(case((is_revised, _K[f"revised_{name}"]), else_=_K[name]) for name in names),
        )
        .where(*conditions)
        .order_by(_K.key_data)
        .execution_options(yield_per=_ROWS_AT_ONCE)
    )
    rows = conn.execute(query)
    for data, start, period, report_type, days_since_onset, level in rows:
        yield DiagnosisKey(
            data,
            start,
            period,
            report_type=ReportType(report_type),
            days_since_onset_of_symptoms=days_since_onset,
            transmission_risk_level=level,
        )


def add_files(conn: Connection, batch_id: int, names: list[str]) -> None:
    """Note that a window's files are published; from then on they may be listed."""
    conn.execute(insert(export_file), [{"batch_id": batch_id, "name": name} for name in names])


def lock_schedule(conn: Connection, region: str) -> None:
    """Keep others from publishing files of a region until the transaction ends."""
    conn.execute(select(_S.region).where(_S.region == region).with_for_update())


def file_names(conn: Connection, region: str) -> list[str]:
    """Return the names of a region's published files, oldest first."""
    query = (
        select(_F.name)
        .join(export_batch)
        .where(_B.region == region)
        .order_by(_B.start_timestamp, _F.id)
    )
    return list(conn.execute(query).scalars())


def is_published(conn: Connection, name: str) -> bool:
    """Tell whether a file may be served."""
    return bool(conn.execute(select(exists().where(_F.name == name))).scalar_one())


def delete_batches_begun_before(conn: Connection, moment: float) -> int:
    """Delete the windows that began before a moment, with their files' rows; count the windows."""
    return conn.execute(delete(export_batch).where(_B.start_timestamp < moment)).rowcount
