"""Matching of many logs with key files, over any `concurrent.futures.Executor`.

A job does not fit into memory: 10⁸ sightings take 6 GB, and workers may be on other machines. The
obvious way, one log after another through `matcher.match`, derives every key once per log: with
10⁵ keys and 10⁵ logs, 1.4 × 10¹² derivations.

So the logs are cut into parts that fit a worker's memory, whatever logs they hold, and each part is
joined with all keys at once, one UTC day at a time (`matcher.many.join`). A part sends back the
keys and the sightings that met, which are few. Where the sightings of one log lie in several parts,
those parts are searched once more for these identifiers, because a rule looks at when each was
first heard (`matcher.many.assembly`). Then each log that met a key goes through the rules of
`matcher.portable.join` and `matcher.risk`, exactly as a log alone does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from matcher.columns.sighting_columns import MOST_SIGHTINGS
from matcher.inputs import KeyFilesLike
from matcher.kernels.choice import available_threads, require_numba
from matcher.many.assembly import added_tallies, added_unreadable, empty_tally, whole_logs
from matcher.many.folder import check_all_parquet, folder_parts
from matcher.many.inputs import LogsLike, as_logs
from matcher.many.keys import JobKeys
from matcher.many.logs import ManyLogs
from matcher.many.mapper import Mapper, open_mapper
from matcher.many.result import ManyMatches, Provenance
from matcher.many.search import LogFindings, PartFindings, search
from matcher.many.source import BYTES_A_SIGHTING, LogId, LogSource, Unreadable
from matcher.risk import RiskModel, RiskParameters, load_model
from tracing_core.errors import InvalidLog, InvalidValue, require
from tracing_core.store.files import file_errors

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

__all__ = ["DEFAULT_MEMORY", "match_many"]

DEFAULT_MEMORY = 512 << 20
"""Bytes a worker may use for the sightings of a part: eight million sightings."""

_LOGS_AT_ONCE = 256  # logs that met a key, weighed together: some tenths of a second

_OnStep = Callable[[str], None]


def match_many(
    logs: LogsLike,
    exports: KeyFilesLike,
    *,
    executor: Executor | None = None,
    workers: int | None = None,
    public_keys: Sequence[EllipticCurvePublicKey] = (),
    configuration: RiskParameters | None = None,
    model: RiskModel[Any] | None = None,
    today: int | None = None,
    research: bool = False,
    memory: int = DEFAULT_MEMORY,
    side: str | None = None,
    shared: Path | None = None,
    progress: _OnStep | None = None,
) -> ManyMatches:
    """Match each of many logs with key files; the result is the same for every executor.

    Parameters
    ----------
    logs
        A Parquet file, a folder of them, a folder of logs as `matcher.match` reads them, columns
        in memory, a table with a column ``log_id``, or a dict of logs by id.
    exports, public_keys, configuration, model, research, progress
        As for `matcher.match`.
    executor, workers
        The executor, whose workers must see the files under the same paths; None for `workers`
        processes on this machine (default: one per CPU).
    today
        Count ages back from this UTC day (since the Unix epoch); None for each log's last day.
    memory
        About how many bytes a worker may use for the sightings of a part, not counting the keys.
    side
        The side to index, ``keys`` or ``logs``; None for the smaller. The result is the same.
    shared
        A folder for the keys, visible to all workers; None for the system's temporary folder.

    Raises
    ------
    InvalidLog, StoreError, ExportFileError, InvalidValue, MissingExtra
        When a log, a key file or an argument cannot be used, or pyarrow is missing.
    """
    _check(workers, memory, side)
    logs = as_logs(logs)
    on_step = progress or (lambda _: None)
    model = model or load_model()
    parts = _parts(logs, memory, workers or available_threads())
    on_step("reading the key files")
    keys = JobKeys(exports, public_keys)
    configuration = configuration or model.default_parameters()
    provenance = Provenance(model, configuration, keys.digests, bool(public_keys), research)
    with open_mapper(executor, workers, len(parts)) as mapper:
        folder = None if mapper.is_local else shared or Path(tempfile.gettempdir())
        with keys.reachable(folder) as reachable:
            findings = _search(parts, partial(search, keys=reachable, side=side), mapper, on_step)
        found = whole_logs(findings, parts, mapper)
        if isinstance(logs, ManyLogs):  # logs without a sighting are in no part
            findings.append(_of_all(logs))
        on_step(f"weighing {len(found)} logs")
        return _result(findings, found, keys, provenance, today, mapper)


def _of_all(logs: ManyLogs) -> PartFindings:
    return PartFindings([*logs.log_ids], empty_tally(len(logs.log_ids)), {}, logs.unreadable)


def _search(
    parts: Sequence[LogSource],
    search_part: Callable[[LogSource], PartFindings],
    mapper: Mapper,
    on_step: _OnStep,
) -> list[PartFindings]:
    findings: list[PartFindings] = []
    for done in mapper.map(search_part, parts):
        findings.append(done)
        on_step(f"matched part {len(findings)} of {len(parts)}")
    return findings


def _check(workers: int | None, memory: int, side: str | None) -> None:
    require("pyarrow", extra="arrow")
    require_numba()
    if workers is not None and workers < 1:
        raise InvalidValue(f"there must be 1 worker or more, not {workers}")
    if memory < 1:
        raise InvalidValue(f"memory must be 1 byte or more, not {memory}")
    if side not in (None, "keys", "logs"):
        raise InvalidValue(f"side must be keys or logs, not {side!r:.40}")


def _parts(logs: Path | ManyLogs, memory: int, workers: int) -> Sequence[LogSource]:
    sightings = min(max(1, memory // BYTES_A_SIGHTING), MOST_SIGHTINGS)
    if isinstance(logs, ManyLogs):
        # They are in memory already, so the parts only give every worker some.
        return list(logs.parts(min(sightings, -(-len(logs) // workers) or 1))) or [logs]
    from matcher.many.parquet import is_parquet, parquet_parts

    with file_errors(logs):
        logs.stat()
    if is_parquet(logs):
        if logs.is_dir():
            check_all_parquet(logs)
        return parquet_parts(logs, sightings, workers)
    return folder_parts(logs, memory, workers)


def _without_log(rows: Unreadable) -> str:
    return f"{rows.first}; {rows.lines - 1:,} more without a log"


def _result(
    findings: list[PartFindings],
    found: dict[LogId, LogFindings],
    keys: JobKeys,
    provenance: Provenance,
    today: int | None,
    mapper: Mapper,
) -> ManyMatches:
    from matcher.many.assessment import LogTask, Weighing, weighed_tables

    unreadable = added_unreadable(findings)
    log_ids, tally = added_tallies(findings)
    usable = set(log_ids)
    unusable = tuple(
        each.first if log_id is not None or each.lines == 1 else _without_log(each)
        for log_id, each in unreadable.items()
        if log_id not in usable
    )
    if unusable and not log_ids:
        raise InvalidLog(unusable[0])
    last = np.where(tally.last_past_at < 0, tally.last_seen_at, tally.last_past_at)
    last_seen_at = dict(zip(log_ids, last.tolist(), strict=True))
    near = sorted({row for log in found.values() for row in log.key_rows})
    records = keys.records(keys.columns.key_data[near])
    tasks = [
        LogTask(
            log_id,
            last_seen_at[log_id],
            found[log_id].sightings,
            [records[keys.columns.key_data[row].tobytes()] for row in found[log_id].key_rows],
        )
        for log_id in log_ids
        if log_id in found
    ]
    model, research = provenance.model, provenance.research
    weighing = Weighing(tuple(keys.names), model, provenance.configuration, today, research)
    groups = [tasks[at : at + _LOGS_AT_ONCE] for at in range(0, len(tasks), _LOGS_AT_ONCE)]
    # To weigh a few takes less time than to send them.
    results = (map if len(groups) < 2 else mapper.map)(weighing.weigh, groups)
    tables = weighed_tables(log_ids, tally, unreadable, results, model, research=research)
    return ManyMatches(
        tables["logs"],
        tables["matches"],
        tables["exposure_windows"],
        tables[model.days_name],
        diagnosis_keys=keys.count,
        skipped_keys=keys.skipped,
        passed_over=keys.passed_over,
        unusable_logs=unusable,
        first_unreadable=next(
            (each.first for log_id, each in unreadable.items() if log_id in usable), ""
        ),
        provenance=provenance,
    )
