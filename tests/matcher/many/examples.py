"""Worlds of many logs: as objects, as Parquet and as folders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

import matcher
from matcher.many.result import ManyMatches
from matcher.many.source import LogId
from tests.matcher.examples import START, heard, key
from tracing_core.export_file import ExportFile
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType
from tracing_core.store.sighting import Sighting

Logs = Mapping[LogId, list[Sighting]]

NAMES = ("an", "binh", "chi", "dung", "em")

SCHEMA = pa.schema(
    [
        ("log_id", pa.string()),
        ("rpi", pa.binary(16)),
        ("aem", pa.binary(4)),
        ("rssi_dbm", pa.list_(pa.int8())),
        ("seen_at", pa.int64()),
        ("previous_scan_at", pa.int64()),
        ("clock_suspect", pa.bool_()),
    ]
)


def rows(logs: Logs) -> list[dict[str, Any]]:
    return [
        {
            "log_id": log_id,
            "rpi": one.rpi,
            "aem": one.aem,
            "rssi_dbm": list(one.rssi_dbm),
            "seen_at": one.seen_at,
            "previous_scan_at": one.previous_scan_at,
            "clock_suspect": one.clock_suspect,
        }
        for log_id, sightings in logs.items()
        for one in sightings
    ]


def write_parquet(
    path: Path, logs: Logs, *, row_group_size: int = 1 << 20, by_time: bool = False
) -> Path:
    found = rows(logs)
    if by_time:
        found.sort(key=lambda row: row["seen_at"])
    names = {type(log_id) for log_id in logs}
    schema = SCHEMA.set(0, pa.field("log_id", pa.int64())) if names == {int} else SCHEMA
    pq.write_table(pa.Table.from_pylist(found, schema), path, row_group_size=row_group_size)
    return path


def alone(
    logs: Logs, exports: Sequence[ExportFile], **choices: Any
) -> tuple[list[dict[str, Any]], ...]:
    """What `matcher.match` says, log by log, in the form of the four tables."""
    tables: tuple[list[dict[str, Any]], ...] = ([], [], [], [])
    for log_id in sorted(logs, key=str):
        result = matcher.match(logs[log_id], exports, research=True, **choices)
        told = result.to_json()
        trusted = [one.seen_at // 86400 for one in logs[log_id] if not one.clock_suspect]
        tables[0].append(
            {
                "log_id": log_id,
                "sightings": result.sightings,
                "suspect_sightings": result.suspect_sightings,
                "unmeasured_sightings": sum(
                    not one.is_measured for one in logs[log_id] if not one.clock_suspect
                ),
                "unreadable": 0,
                "last_day": max(trusted, default=None),
                "matched_keys": told["matched_keys"],
                "matched_identifiers": told["matched_identifiers"],
                "matched_sightings": told["matched_sightings"],
                "level": told["risk"]["level"],
                "score": told["risk"]["score"],
            }
        )
        for match, one in zip(told["matches"], result.matches, strict=True):
            place = {name: match[name] for name in ("file", "key_index")}
            tables[1].append(
                {
                    "log_id": log_id,
                    "date": one.sightings[0].seen_at // 86400,
                    "report_type": one.key.report_type.name.lower(),
                    "identifiers": match["identifiers"],
                    "sightings": match["sightings"],
                    **place,
                    "key_data": one.key.key_data,
                    "rolling_start_interval_number": one.key.rolling_start_interval_number,
                    "heard": [
                        {"rpi": sighting.rpi, "interval": interval, "seen_at": sighting.seen_at}
                        for sighting, interval in zip(one.sightings, one.intervals, strict=True)
                    ],
                }
            )
        tables[2].extend({"log_id": log_id, **window} for window in told["exposure_windows"])
        tables[3].extend({"log_id": log_id, **day} for day in told["daily_summaries"])
    return tables


def together(result: ManyMatches) -> tuple[list[dict[str, Any]], ...]:
    """The same of many logs at once."""
    logs, matches, windows, days = (
        table.to_pylist()
        for table in (
            result.logs,
            result.matches,
            result.exposure_windows,
            result.days,
        )
    )
    for row in (*windows, *days):
        row["date"] = row["date"].isoformat()
    for row in matches:
        row["date"] = _day(row["date"])
    for row in logs:
        row["last_day"] = None if row["last_day"] is None else _day(row["last_day"])
    for row in days:
        row["report_types"] = {each.pop("report_type"): each for each in row["report_types"]}
    return logs, matches, windows, days


def _day(date: Any) -> int:
    return int(date.toordinal() - 719163)


@st.composite
def _keys(draw: st.DrawFn) -> DiagnosisKey:
    return key(
        draw(st.sampled_from(NAMES)),
        start=draw(st.sampled_from((START, START + 5, START + 130, START + 144))),
        period=draw(st.sampled_from((1, 3, 144))),
        report_type=draw(st.sampled_from(ReportType)),
        onset=draw(st.sampled_from([None, -20, 0, 14])),
    )


@st.composite
def _sightings(draw: st.DrawFn) -> list[Sighting]:
    """Sightings of one identifier, near the ends of days, of the tolerance and of 1200 seconds."""
    of = key(draw(st.sampled_from(NAMES)))
    interval = START + draw(st.sampled_from([0, 1, 2, 5, 11, 12, 132, 143, 144, 147]))
    drift = draw(st.sampled_from([-145, -13, -12, -1, 0, 1, 12, 13]))
    first = (interval + drift) * 600 + draw(st.sampled_from([0, 300, 599]))
    later = draw(st.lists(st.sampled_from([0, 5, 600, 1200, 1201, 9000, 86400]), max_size=3))
    return [
        heard(
            of,
            interval,
            at=at,
            rssi=draw(st.sampled_from([-60, (-50, -71)])),
            previous=draw(st.sampled_from([None, 0, at - 300])),
            power=draw(st.sampled_from([-51, -10])),
            suspect=draw(st.sampled_from([False, False, False, True])),
        )
        for at in (first, *(first + seconds for seconds in later))
    ]


def exports() -> st.SearchStrategy[list[ExportFile]]:
    """Files whose keys repeat and revise each other's."""
    file = st.tuples(st.lists(_keys(), max_size=5), st.lists(_keys(), max_size=2)).map(
        lambda keys: ExportFile(START * 600, START * 600 + 86400, "VN", keys[0], keys[1])
    )
    return st.lists(file, min_size=1, max_size=3)


def logs() -> st.SearchStrategy[dict[LogId, list[Sighting]]]:
    groups = st.lists(_sightings(), max_size=4)
    log = groups.map(lambda groups: [one for group in groups for one in group])
    return st.dictionaries(
        st.sampled_from([f"log-{number}" for number in range(8)]), log, min_size=1, max_size=8
    )
