"""Logs as `match_many` accepts them: a path or columns."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from matcher.inputs import LogLike, as_log
from matcher.many.logs import ManyLogs
from matcher.many.source import LogId, Unreadable
from matcher.portable.sightings import read_log
from matcher.tables.sightings import ArrowTable, SightingTable, is_table
from tracing_core.errors import InvalidLog, InvalidValue, LogFault, StoreError
from tracing_core.store.left_out import LeftOut

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
        return _by_log(logs)
    if isinstance(logs, Mapping):
        _check_ids(logs)
        unreadable: dict[LogId | None, Unreadable] = {}
        return ManyLogs.from_sightings(
            {log_id: _sightings(log_id, log, unreadable) for log_id, log in logs.items()},
            unreadable,
        )
    raise InvalidValue(
        "many logs are a path, ManyLogs, a table with a column log_id or a dict of logs by id, not"
        f" {type(logs).__name__}"
    )


def _sightings(
    log_id: LogId, log: LogLike, unreadable: dict[LogId | None, Unreadable]
) -> Iterator[Sighting]:
    left_out = LeftOut()
    found = as_log(log, left_out)  # at once, so that a wrong argument is refused before others

    def read() -> Iterator[Sighting]:
        damage = 0
        first: Exception | None = None
        try:
            yield from read_log(found, left_out) if isinstance(found, Path) else found
        except (InvalidLog, StoreError) as error:
            first = error
            damage = int(error is not left_out.first_unreadable)
        first = left_out.first_unreadable or first
        if first is not None:
            lines = left_out.unreadable + damage
            unreadable[log_id] = Unreadable(lines, f"log {log_id}: {first}")

    return read()


class _LeftOutByLog(LeftOut):
    """Rows of a table that cannot be read, by the log that they are of."""

    def __init__(self) -> None:
        super().__init__()
        self.log_ids: list[Any] = []
        self.by_log: dict[LogId | None, Unreadable] = {}

    def skip(self, error: InvalidLog, count: int = 1) -> None:
        super().skip(error, count)
        log_id = self.log_ids[error.line]
        log_id = log_id if isinstance(log_id, str | int) else None
        found = Unreadable(count, str(error) if log_id is None else f"log {log_id}: {error}")
        before = self.by_log.get(log_id)
        self.by_log[log_id] = found if before is None else before.and_later(found)


def _by_log(given: ArrowTable) -> ManyLogs:
    left_out = _LeftOutByLog()
    table = SightingTable(given, others=("log_id",), left_out=left_out)
    log_ids = left_out.log_ids = table.others["log_id"]
    logs: dict[LogId, list[Sighting]] = {}
    for row, sighting in table.rows():
        if isinstance(log_ids[row], str | int):
            logs.setdefault(log_ids[row], []).append(sighting)
        else:
            text = f"row {row} of the table: log_id must be text or a whole number"
            left_out.skip(InvalidLog(text, LogFault.LINE, line=row))
    left_out.check(len(logs))
    _check_ids(logs)
    return ManyLogs.from_sightings(logs, left_out.by_log)


def _check_ids(log_ids: Iterable[LogId]) -> None:
    if {type(log_id) for log_id in log_ids} not in (set(), {str}, {int}):
        raise InvalidValue("ids of logs must be all text or all whole numbers")
