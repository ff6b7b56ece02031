"""Table of published keys. It has no column for a person, a place or an address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    and_,
    case,
    delete,
    func,
    insert,
    not_,
    select,
    update,
)

from server.store.database import metadata
from server.store.known_time import KnownTime
from tracing_core.configuration.transmission_risk import transmission_risk
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType
from tracing_core.protocol.interval import INTERVAL_SECONDS

__all__ = [
    "BACKFILLED_RISK",
    "EMBARGO_SECONDS",
    "LONGEST_USE_SECONDS",
    "NewKey",
    "StoredKey",
    "count_keys_from",
    "created_keys",
    "delete_keys_created_before",
    "diagnosis_key",
    "filled_in_risk",
    "find_keys",
    "first_created_at",
    "insert_keys",
    "postpone_keys_in_use",
    "revise_key",
    "revised_keys",
]

EMBARGO_SECONDS = 7_200
"""Time after a key's last interval in which it must not leave: devices accept its identifiers."""

LONGEST_USE_SECONDS = 86_400
"""Longest use of a key, counted from its upload too, since an honest key starts before that."""

BACKFILLED_RISK = {
    ReportType.CONFIRMED_TEST: 2,
    ReportType.CONFIRMED_CLINICAL_DIAGNOSIS: 4,
    ReportType.REVOKED: 6,
}
"""Transmission risk level of keys whose client stated none; 0 for other report types."""


def filled_in_risk(report_type: ReportType, days_since_onset: int | None, *, by_onset: bool) -> int:
    """Return the transmission risk level of a key whose client stated none.

    Parameters
    ----------
    report_type, days_since_onset
        Those of the key; None if the onset is unknown.
    by_onset
        Whether the level follows the onset, as the setting ``risk_by_onset`` says; that of a key
        that was taken back never does.
    """
    if by_onset and days_since_onset is not None and report_type is not ReportType.REVOKED:
        return transmission_risk(days_since_onset)
    return BACKFILLED_RISK.get(report_type, 0)


diagnosis_key = Table(
    "diagnosis_key",
    metadata,
    Column("id", Integer, primary_key=True, doc="Number of the row."),
    Column("key_data", LargeBinary(16), nullable=False, unique=True, doc="The 16 bytes."),
    Column("region", String(16), nullable=False, doc="The region that publishes the key."),
    Column(
        "rolling_start_interval_number",
        BigInteger,
        nullable=False,
        doc="First interval (ENIntervalNumber, ten minutes each) of the key's use.",
    ),
    Column("rolling_period", Integer, nullable=False, doc="Number of intervals, 1 to 144."),
    Column("transmission_risk_level", Integer, nullable=False, doc="0 to 8, as published."),
    Column("report_type", Integer, nullable=False, doc="Number of the `ReportType`."),
    Column(
        "days_since_onset",
        Integer,
        doc="Days from the onset of symptoms to the key, −14 to 14; null if unknown.",
    ),
    Column(
        "created_at",
        BigInteger,
        nullable=False,
        doc="Start of the window in which the key may first leave.",
    ),
    Column("revised_at", BigInteger, doc="Start of the window of its revision; null if none."),
    Column("revised_transmission_risk_level", Integer, doc="The level after the revision."),
    Column("revised_report_type", Integer, doc="The report type after the revision."),
    Column("revised_days_since_onset", Integer, doc="The days after the revision."),
    Column("is_padding", Boolean, nullable=False, doc="True for an invented key."),
    Column(
        "waits_until",
        BigInteger,
        doc="`known_time.running_seconds` from which a key that was held back may leave whatever"
        " the known time; null if it was never held back.",
    ),
    Index(None, "region", "created_at"),
    Index(None, "region", "revised_at"),
)
"""The published keys, real and invented, one per row.

`created_at` is the start of the window in which the key may first leave: the key's arrival,
rounded down, or the end of its use if it is still in use. All times are UTC Unix seconds."""

_K = diagnosis_key.c
_VARIABLES_AT_ONCE = 500
_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to store."""

    key: DiagnosisKey
    created_at: int
    """Start of the window in which the key may first leave (UTC Unix seconds)."""
    revised: DiagnosisKey | None = None
    """The key as revised later, for padding; None if it never is."""
    revised_at: int | None = None
    """Start of the window of that revision (UTC Unix seconds)."""
    is_padding: bool = False
    """True for an invented key."""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key of the table."""

    key: DiagnosisKey
    """The key as first published."""
    created_at: int
    revised_at: int | None
    """Start of the window of the key's revision (UTC Unix seconds); None if never revised."""
    revised_report_type: ReportType | None
    """The key's report type after the revision; None if never revised."""
    is_padding: bool


def _first(row: Row[Any]) -> DiagnosisKey:
    return DiagnosisKey(
        key_data=row.key_data,
        rolling_start_interval_number=row.rolling_start_interval_number,
        rolling_period=row.rolling_period,
        report_type=ReportType(row.report_type),
        days_since_onset_of_symptoms=row.days_since_onset,
        transmission_risk_level=row.transmission_risk_level,
    )


def insert_keys(conn: Connection, region: str, keys: Iterable[NewKey]) -> None:
    """Add keys, none of which is stored yet."""
    rows = [
        {
            "key_data": new.key.key_data,
            "region": region,
            "rolling_start_interval_number": new.key.rolling_start_interval_number,
            "rolling_period": new.key.rolling_period,
            **_statement(new.key, ""),
            "created_at": new.created_at,
            "revised_at": new.revised_at,
            **_statement(new.revised, "revised_"),
            "is_padding": new.is_padding,
        }
        for new in keys
    ]
    if rows:
        conn.execute(insert(diagnosis_key), rows)


def _statement(key: DiagnosisKey | None, prefix: str) -> dict[str, int | None]:
    """Return the columns that a revision changes."""
    return {
        f"{prefix}report_type": None if key is None else int(key.report_type),
        f"{prefix}days_since_onset": None if key is None else key.days_since_onset_of_symptoms,
        f"{prefix}transmission_risk_level": None if key is None else key.transmission_risk_level,
    }


def find_keys(conn: Connection, key_data: Sequence[bytes]) -> dict[bytes, StoredKey]:
    """Return the keys that are stored, by key data."""
    found: dict[bytes, StoredKey] = {}
    for at in range(0, len(key_data), _VARIABLES_AT_ONCE):
        some = key_data[at : at + _VARIABLES_AT_ONCE]
        for row in conn.execute(select(diagnosis_key).where(_K.key_data.in_(some))):
            revised = row.revised_report_type
            found[row.key_data] = StoredKey(
                _first(row),
                row.created_at,
                row.revised_at,
                None if revised is None else ReportType(revised),
                row.is_padding,
            )
    return found


def revise_key(conn: Connection, revised: DiagnosisKey, revised_at: int) -> None:
    """Write the one revision of a stored key."""
    conn.execute(
        update(diagnosis_key)
        .where(_K.key_data == revised.key_data)
        .values(
            revised_at=revised_at,
            revised_report_type=int(revised.report_type),
            revised_days_since_onset=revised.days_since_onset_of_symptoms,
            revised_transmission_risk_level=revised.transmission_risk_level,
        )
    )


def first_created_at(conn: Connection, region: str) -> int | None:
    """Return when the region's first key may leave (UTC Unix seconds); None without keys."""
    moment: int | None = conn.execute(
        select(func.min(_K.created_at)).where(_K.region == region)
    ).scalar_one()
    return moment


def postpone_keys_in_use(
    conn: Connection, region: str, start: int, end: int, *, time: KnownTime, truncate_seconds: int
) -> int:
    """Move keys that must not leave yet to a window in which they may; return how many.

    Parameters
    ----------
    conn
        A transaction.
    region
        The region.
    start, end
        The window that is about to leave (UTC Unix seconds).
    time
        The time.
    truncate_seconds
        The step to which times in rows are rounded.
    """
    leaves_at = _leaves_at()
    # Rounded up: a key created in a window leaves after its end, never before its own moment.
    whole = (leaves_at + truncate_seconds - 1) // truncate_seconds * truncate_seconds
    has_waited = and_(_K.waits_until.is_not(None), _K.waits_until <= time.running_seconds)
    result = conn.execute(
        update(diagnosis_key)
        .where(
            _in(_K.created_at, start, end),
            _K.region == region,
            not_(_K.is_padding),
            leaves_at > int(time.certain),
            not_(has_waited),
        )
        .values(
            # By the clock the key's own moment may be past; then it waits for the next window.
            created_at=case((whole > end, whole), else_=end),
            waits_until=func.coalesce(
                _K.waits_until, time.running_seconds + LONGEST_USE_SECONDS + EMBARGO_SECONDS
            ),
        )
    )
    return result.rowcount


def count_keys_from(conn: Connection, region: str, moment: int) -> int:
    """Return the number of keys, without padding, that may first leave from a moment on."""
    query = select(func.count()).where(
        _K.region == region, _K.created_at >= moment, not_(_K.is_padding)
    )
    return int(conn.execute(query).scalar_one())


def _leaves_at() -> ColumnElement[int]:
    """Return the moment from which a key is of no use for sending."""
    end_interval = _K.rolling_start_interval_number + _K.rolling_period
    return end_interval * INTERVAL_SECONDS + EMBARGO_SECONDS


def created_keys(conn: Connection, region: str, start: int, end: int) -> Iterator[DiagnosisKey]:
    """Read the keys that first leave in a window, padding included, sorted, as known at its end.

    A key that was revoked before it ever left is not among them.
    """
    is_revoked = and_(_revised_by(end), _K.revised_report_type == int(ReportType.REVOKED))
    return _read(conn, end, _K.region == region, _in(_K.created_at, start, end), not_(is_revoked))


def revised_keys(conn: Connection, region: str, start: int, end: int) -> Iterator[DiagnosisKey]:
    """Read the keys that left in an earlier window and were revised in this one, sorted."""
    return _read(
        conn,
        end,
        _K.region == region,
        _in(_K.revised_at, start, end),
        _K.created_at < start,
    )


def _in(column: Column[Any], start: int, end: int) -> ColumnElement[bool]:
    return and_(column >= start, column < end)


def _revised_by(moment: int) -> ColumnElement[bool]:
    return and_(_K.revised_at.is_not(None), _K.revised_at < moment)


def _read(conn: Connection, end: int, *conditions: ColumnElement[bool]) -> Iterator[DiagnosisKey]:
    is_revised = _revised_by(end)
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


def delete_keys_created_before(conn: Connection, moment: int) -> int:
    """Delete the keys of windows that start before a moment; return how many."""
    return conn.execute(delete(diagnosis_key).where(_K.created_at < moment)).rowcount
