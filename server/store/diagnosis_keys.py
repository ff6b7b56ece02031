"""The table of published keys. It has no column for a person, a place or an address."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    delete,
    insert,
    select,
    update,
)

from server.store.database import metadata
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType

__all__ = [
    "NewKey",
    "StoredKey",
    "delete_keys_created_before",
    "diagnosis_key",
    "find_keys",
    "insert_keys",
    "revise_key",
]

diagnosis_key = Table(
    "diagnosis_key",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key_data", LargeBinary(16), nullable=False, unique=True),
    Column("region", String(16), nullable=False),
    Column("rolling_start_interval_number", BigInteger, nullable=False),
    Column("rolling_period", Integer, nullable=False),
    Column("transmission_risk_level", Integer, nullable=False),
    Column("report_type", Integer, nullable=False),
    Column("days_since_onset", Integer),
    Column("created_at", BigInteger, nullable=False),
    Column("revised_at", BigInteger),
    Column("revised_transmission_risk_level", Integer),
    Column("revised_report_type", Integer),
    Column("revised_days_since_onset", Integer),
    Column("is_padding", Boolean, nullable=False),
    Index(None, "region", "created_at"),
    Index(None, "region", "revised_at"),
)
"""`created_at` is the start of the window in which the key may first leave: its arrival, cut down,
or for a key still in use the end of its use. All times are UTC Unix seconds."""

_K = diagnosis_key.c
_VARIABLES_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to store."""

    key: DiagnosisKey
    created_at: int
    """Start of its window (UTC Unix seconds)."""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key of the table."""

    key: DiagnosisKey
    """As first published."""
    created_at: int
    revised_at: int | None
    """Start of the window of its revision (UTC Unix seconds); None if never revised."""
    revised_report_type: ReportType | None
    """What it was revised to; None if never revised."""
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
    """Add published keys, none of which is there yet."""
    rows = [
        {
            "key_data": new.key.key_data,
            "region": region,
            "rolling_start_interval_number": new.key.rolling_start_interval_number,
            "rolling_period": new.key.rolling_period,
            "transmission_risk_level": new.key.transmission_risk_level,
            "report_type": int(new.key.report_type),
            "days_since_onset": new.key.days_since_onset_of_symptoms,
            "created_at": new.created_at,
            "is_padding": False,
        }
        for new in keys
    ]
    if rows:
        conn.execute(insert(diagnosis_key), rows)


def find_keys(conn: Connection, key_data: Sequence[bytes]) -> dict[bytes, StoredKey]:
    """Return those of the keys that are stored, by key data."""
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
    """Write a stored key's one revision."""
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


def delete_keys_created_before(conn: Connection, moment: int) -> int:
    """Delete the keys of windows that began before a moment; return how many."""
    return conn.execute(delete(diagnosis_key).where(_K.created_at < moment)).rowcount
