"""The Arrow schemas of result tables, for one log and for many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matcher.risk import RiskModel
from tracing_core.errors import require

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["table_schema"]

_Columns = list[tuple[str, Any]]


def table_schema(name: str, model: RiskModel[Any], *, research: bool) -> pa.Schema:
    """Return the columns of a table, without the log's id.

    Parameters
    ----------
    name
        ``logs``, ``matches``, ``exposure_windows`` or the model's name for days.
    research
        Whether ``matches`` has the columns that say who was near, and when.

    Raises
    ------
    MissingExtra
        When pyarrow is not installed.
    """
    arrow = require("pyarrow", extra="arrow")
    if name == "logs":
        columns = _logs(arrow)
    elif name == "matches":
        columns = _matches(arrow, research)
    elif name == "exposure_windows":
        columns = _exposure_windows(arrow)
    else:
        assert name == model.days_name
        columns = [
            ("date", arrow.date32()),
            ("level", arrow.string()),
            *model.table_columns(),
        ]
    return arrow.schema(columns)


def _logs(arrow: Any) -> _Columns:
    whole = arrow.int64()
    return [
        ("sightings", whole),
        ("suspect_sightings", whole),
        ("unmeasured_sightings", whole),
        ("unreadable", whole),
        ("last_day", arrow.date32()),
        ("matched_keys", whole),
        ("matched_identifiers", whole),
        ("matched_sightings", whole),
        ("level", arrow.string()),
        ("score", arrow.float64()),
    ]


def _matches(arrow: Any, research: bool) -> _Columns:
    columns = [
        ("date", arrow.date32()),
        ("report_type", arrow.string()),
        ("identifiers", arrow.int64()),
        ("sightings", arrow.int64()),
    ]
    if not research:
        return columns
    heard = arrow.struct(
        [("rpi", arrow.binary(16)), ("interval", arrow.uint32()), ("seen_at", arrow.int64())]
    )
    return [
        *columns,
        ("file", arrow.string()),
        ("key_index", arrow.int64()),
        ("key_data", arrow.binary(16)),
        ("rolling_start_interval_number", arrow.uint32()),
        ("heard", arrow.list_(heard)),
    ]


def _exposure_windows(arrow: Any) -> _Columns:
    scan = arrow.struct(
        [
            ("typical_attenuation_db", arrow.int32()),
            ("min_attenuation_db", arrow.int32()),
            ("seconds_since_last_scan", arrow.int32()),
        ]
    )
    return [
        ("date", arrow.date32()),
        ("report_type", arrow.string()),
        ("infectiousness", arrow.string()),
        ("calibration_confidence", arrow.string()),
        ("scan_instances", arrow.list_(scan)),
    ]
