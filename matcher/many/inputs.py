"""Logs as `match_many` accepts them: a path or columns."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from matcher.inputs import LogLike, as_log
from matcher.many.logs import ManyLogs
from matcher.many.source import LogId
from matcher.portable.sightings import read_log
from matcher.tables.sightings import ArrowTable, SightingTable, is_table
from tracing_core.errors import InvalidLog, InvalidValue

if TYPE_CHECKING:
    from tracing_core.store.sighting import Sighting

__all__ = ["LogsLike", "as_logs"]

LogsLike: TypeAlias = str | os.PathLike[str] | ManyLogs | ArrowTable | Mapping[Any, LogLike]
"""Many logs: a path, columns, a table with a column ``log_id``, or logs by their ids."""


def as_logs(logs: LogsLike) -> Path | ManyLogs:
    """Return the path of many logs, or their columns.

    Raises
    ------
    InvalidValue
        When the argument's type is not one that logs can have.
    InvalidLog
        When a table or a log cannot be read.
    MissingExtra
        When numpy is not installed, or pyarrow for a table.
    """
    if isinstance(logs, str | os.PathLike):
        return Path(logs)
    if isinstance(logs, ManyLogs):
        return logs
    if is_table(logs):
        return ManyLogs.from_sightings(_by_log(logs))
    if isinstance(logs, Mapping):
        _check_ids(logs)
        return ManyLogs.from_sightings({log_id: _sightings(log) for log_id, log in logs.items()})
    raise InvalidValue(
        "many logs are a path, ManyLogs, a table with a column log_id or a dict of logs by id, not"
        f" {type(logs).__name__}"
    )


def _sightings(log: LogLike) -> Iterable[Sighting]:
    found = as_log(log)
    return read_log(found) if isinstance(found, Path) else found


def _by_log(given: ArrowTable) -> dict[LogId, list[Sighting]]:
    table = SightingTable(given, others=("log_id",))
    log_ids = table.others["log_id"]
    logs: dict[LogId, list[Sighting]] = {}
    for row, (log_id, sighting) in enumerate(zip(log_ids, table, strict=True)):
        if not isinstance(log_id, str | int):
            raise InvalidLog(f"row {row} of the table: log_id must be text or a whole number")
        logs.setdefault(log_id, []).append(sighting)
    _check_ids(logs)
    return logs


def _check_ids(log_ids: Iterable[LogId]) -> None:
    if {type(log_id) for log_id in log_ids} not in (set(), {str}, {int}):
        raise InvalidValue("ids of logs must be all text or all whole numbers")
