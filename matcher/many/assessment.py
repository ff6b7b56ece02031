"""Assessment of the logs that met a key, by the same rules as for one log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from matcher.definition import KeyMatch
from matcher.many.result import empty_table, table_names
from matcher.many.source import LogId, Tally, Unreadable
from matcher.portable.join import Join
from matcher.portable.sightings import SightingIndex
from matcher.risk import RiskModel, RiskParameters, assess
from matcher.risk.model import NO_LEVEL
from matcher.tables.rows import day_row, match_row, window_row
from tracing_core.errors import require
from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.protocol.interval import utc_day
from tracing_core.store.sighting import Sighting

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LogTask", "Weighing", "weighed_tables"]

_Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LogTask:
    """A log that met a key."""

    log_id: LogId
    last_seen_at: int = field(repr=False)
    """Time of its last sighting that is neither suspect nor in the future (UTC Unix seconds)."""
    sightings: list[Sighting]
    """All sightings of the identifiers that met a key, in the log's order."""
    records: list[list[tuple[int, int, DiagnosisKey]]]
    """All records of each key that was met: the file's number, the place in it, and the key."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """The weighing of logs; picklable, because it travels to the workers."""

    files: tuple[str, ...]
    model: RiskModel[Any]
    configuration: RiskParameters
    today: int | None
    research: bool

    def weigh(self, logs: Sequence[LogTask]) -> dict[str, pa.Table]:
        """Return the rows of each table for some logs; the table of logs has only matched ones."""
        rows: dict[str, list[_Row]] = {name: [] for name in table_names(self.model)}
        for log in logs:
            for name, found in self._weigh(log).items():
                rows[name] += [{"log_id": log.log_id, **row} for row in found]
        arrow = require("pyarrow", extra="arrow")
        kind = type(logs[0].log_id)
        return {
            name: arrow.Table.from_pylist(
                found, empty_table(name, kind, self.model, research=self.research).schema
            )
            for name, found in rows.items()
        }

    def _weigh(self, log: LogTask) -> dict[str, list[_Row]]:
        matches = _matches(log)
        today = utc_day(log.last_seen_at) if self.today is None else self.today
        assessment = assess(matches, self.configuration, today, model=self.model, in_order=True)
        windows = [window_row(window) for window in assessment.windows]
        found = [match_row(match, self.files, research=self.research) for match in matches]
        if not self.research:
            # Sorted, because their order would show which belong to one key.
            windows.sort(key=repr)
            found.sort(key=repr)
        days = [day_row(day) for day in assessment.days]
        totals = {
            "matched_keys": len(found),
            "matched_identifiers": sum(row["identifiers"] for row in found),
            "matched_sightings": sum(row["sightings"] for row in found),
            "level": assessment.level,
            "score": assessment.score,
        }
        return {
            "logs": [totals] if matches else [],
            "matches": found,
            "exposure_windows": windows,
            self.model.days_name: days,
        }


def _matches(log: LogTask) -> list[KeyMatch]:
    by_file: dict[int, list[tuple[int, DiagnosisKey]]] = {}
    for number, place, key in sorted(
        (record for records in log.records for record in records), key=lambda record: record[:2]
    ):
        by_file.setdefault(number, []).append((place, key))
    join = Join(SightingIndex(log.sightings))
    for keys in by_file.values():
        join.add_numbered(keys)
    numbers = list(by_file)
    return [replace(match, file_number=numbers[match.file_number]) for match in join.matches()]


def weighed_tables(
    log_ids: Sequence[LogId],
    tally: Tally,
    unreadable: Mapping[LogId | None, Unreadable],
    weighed: Iterable[dict[str, pa.Table]],
    model: RiskModel[Any],
    *,
    research: bool,
) -> dict[str, pa.Table]:
    """Return the tables of all logs, including those that met no key."""
    arrow = require("pyarrow", extra="arrow")
    kind = type(log_ids[0]) if log_ids else str
    parts = list(weighed)
    tables = {
        name: arrow.concat_tables(
            [empty_table(name, kind, model, research=research), *(part[name] for part in parts)]
        )
        for name in table_names(model)
    }
    matched = tables["logs"]
    numbers = {log_id: number for number, log_id in enumerate(log_ids)}
    at = [numbers[log_id] for log_id in matched.column("log_id").to_pylist()]
    columns: dict[str, Any] = {
        "log_id": log_ids,
        "sightings": tally.sightings,
        "suspect_sightings": tally.suspect_sightings,
        "unmeasured_sightings": tally.unmeasured_sightings,
        "unreadable": [
            unreadable[log_id].lines if log_id in unreadable else 0 for log_id in log_ids
        ],
        "last_day": arrow.array(
            (tally.last_seen_at // 86400).astype("int32"), mask=tally.last_seen_at < 0
        ).cast(arrow.date32()),
    }
    for name in ("matched_keys", "matched_identifiers", "matched_sightings"):
        columns[name] = np.zeros(len(log_ids), "int64")
    columns["level"] = np.full(len(log_ids), NO_LEVEL, object)
    columns["score"] = np.zeros(len(log_ids))
    for name in matched.column_names[6:]:
        columns[name][at] = matched.column(name).to_numpy()
    tables["logs"] = arrow.table(columns, schema=matched.schema)
    return tables
