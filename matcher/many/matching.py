"""Many logs against key files, over any `concurrent.futures.Executor`.

The work is cut into parts of the logs that fit a worker's memory. A part is read and joined with
all keys, one UTC day at a time (`matcher.many.join`); back come the keys and the
sightings that met, which are few. Where a log's sightings lie in several parts, those parts are
asked once more, for what else of these identifiers they hold. Then each log that met a key goes
through the rules of `matcher.portable.join` and `matcher.risk`, as a log alone does.
"""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matcher.columns.sighting_columns import MOST_SIGHTINGS
from matcher.inputs import KeyFilesLike
from matcher.kernels.choice import available_threads, loaded_kernel, require_numba
from matcher.kernels.processor import KERNELS, Kernel, choose_kernel
from matcher.key_files import KeyFiles
from matcher.many.inputs import LogsLike, as_logs
from matcher.many.logs import (
    BYTES_A_SIGHTING,
    LogId,
    ManyLogs,
    PartOfLogs,
    Tally,
    check_all_parquet,
    folder_parts,
)
from matcher.many.result import ManyMatches, Provenance
from matcher.risk import RiskModel, RiskParameters, load_model
from tracing_core.errors import InvalidLog, InvalidValue, require
from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.store.files import file_errors
from tracing_core.store.sighting import Sighting

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

    from matcher.columns.key_columns import KeyColumns
    from matcher.columns.key_records import KeyRecords

__all__ = ["DEFAULT_MEMORY", "match_many"]

DEFAULT_MEMORY = 512 << 20
"""Bytes a worker may use for the sightings of a part: eight million of them."""

_LOGS_AT_ONCE = 256  # that matched, weighed together: some tenths of a second
_KEY_COLUMNS = ("key_data", "rolling_start", "rolling_period")

_Progress = Callable[[str], None]
_Map = Callable[..., Iterable[Any]]


class _Found(NamedTuple):
    """What a part holds of one log that met a key."""

    key_rows: tuple[int, ...]
    sightings: list[Sighting]


class _Findings(NamedTuple):
    """What a part holds."""

    log_ids: list[LogId]
    tally: Tally
    found: dict[LogId, _Found]


def match_many(
    exports: KeyFilesLike,
    logs: LogsLike,
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
    progress: _Progress | None = None,
) -> ManyMatches:
    """Match each of many logs against key files; the result is the same for every executor.

    Parameters
    ----------
    exports, public_keys, configuration, model, research, progress
        As for `matcher.match`.
    logs
        A Parquet file, a folder of them, a folder of logs in the forms that `matcher.match`
        reads, columns in memory, a table with a column ``log_id``, or a dict of logs by id.
    executor, workers
        What runs the parts; its workers must see the files under the same paths. None for
        as many processes as `workers` says, else as this machine has processors.
    today
        The day that the age of exposures is counted from; None for each log's last.
    memory
        About how many bytes a worker may take for the sightings of a part, besides the keys.
    side
        Which side to index, ``keys`` or ``logs``; None for the smaller. The result is the same.
    shared
        A folder that all workers see, for the keys; None for the system's temporary folder.

    Raises
    ------
    InvalidLog, StoreError, ExportFileError, InvalidValue, MissingExtra
        When a log, a key file or a choice is not what it should be, or pyarrow is missing.
    """
    _check(workers, memory, side)
    logs = as_logs(logs)
    report = progress or (lambda _: None)
    model = model or load_model()
    configuration = configuration or model.default_parameters()
    parts = _parts(logs, memory, workers or available_threads())
    report("reading the key files")
    keys = _Keys(exports, public_keys)
    with (
        _running(executor, workers, len(parts)) as (running, here),
        keys.reachable(None if here else shared or Path(tempfile.gettempdir())) as reachable,
    ):
        findings = _findings(parts, partial(_search, keys=reachable, side=side), running, report)
        found = _whole_logs(findings, parts, running)
        if isinstance(logs, ManyLogs):  # those without a sighting are in no part
            findings.append(_Findings(list(logs.log_ids), _no_tally(len(logs.log_ids)), {}))
        report(f"weighing {len(found)} logs")
        return _result(findings, found, keys, model, configuration, today, research, running)


def _findings(
    parts: Sequence[PartOfLogs],
    search: Callable[[PartOfLogs], _Findings],
    running: _Map,
    report: _Progress,
) -> list[_Findings]:
    findings: list[_Findings] = []
    for done in running(search, parts):
        findings.append(done)
        report(f"matched part {len(findings)} of {len(parts)}")
    return findings


def _check(workers: int | None, memory: int, side: str | None) -> None:
    require("pyarrow", extra="cluster")
    require_numba()
    if workers is not None and workers < 1:
        raise InvalidValue(f"there must be 1 worker or more, not {workers}")
    if memory < 1:
        raise InvalidValue(f"memory must be 1 byte or more, not {memory}")
    if side not in (None, "keys", "logs"):
        raise InvalidValue(f"side must be keys or logs, not {side!r:.40}")


def _parts(logs: str | Path | ManyLogs, memory: int, workers: int) -> Sequence[PartOfLogs]:
    sightings = min(max(1, memory // BYTES_A_SIGHTING), MOST_SIGHTINGS)
    if isinstance(logs, ManyLogs):
        # In memory they are already: what counts is that every worker has some.
        return list(logs.parts(min(sightings, -(-len(logs) // workers) or 1))) or [logs]
    from matcher.many.parquet import is_parquet, parquet_parts

    path = Path(logs)
    with file_errors(path):
        path.stat()
    if is_parquet(path):
        if path.is_dir():
            check_all_parquet(path)
        return parquet_parts(path, sightings, workers)
    return folder_parts(path, memory, workers)


@contextlib.contextmanager
def _running(
    executor: Executor | None, workers: int | None, parts: int
) -> Iterator[tuple[_Map, bool]]:
    """Yield what maps a function over parts, in order, and whether it does so in this process."""
    if executor is not None:
        yield executor.map, isinstance(executor, ThreadPoolExecutor)
        return
    workers = min(workers or available_threads(), parts)
    if workers < 2:  # there may be no part
        yield map, True
        return
    # Started afresh: a forked copy of a process with threads may find a lock held for ever.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        try:
            yield pool.map, False
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


class _Keys:
    """The keys of all files: each once as columns, and its records for those that are near."""

    def __init__(
        self,
        exports: KeyFilesLike,
        public_keys: Sequence[EllipticCurvePublicKey],
    ) -> None:
        from matcher.columns.key_columns import KeyColumns
        from matcher.columns.value_set import KnownKeys

        files = KeyFiles(exports, public_keys=public_keys)
        self.names = files.names
        self.signatures_checked = bool(public_keys)
        self._files: list[KeyRecords] = []
        none = np.empty((0, 16), "uint8"), np.empty(0, "uint32"), np.empty(0, "uint16")
        known, parts = KnownKeys(), [none]
        for file in files.columns():
            columns = file.columns()
            rows = np.flatnonzero(known.add(columns.key_data))
            parts.append(tuple(getattr(columns, name).take(rows, 0) for name in _KEY_COLUMNS))
            self._files.append(file)
        # Now, as files may be replaced while the logs are read.
        self.digests = dict(zip(self.names, map(_digest, files.paths), strict=True))
        self.count: int = known.count
        self.columns = KeyColumns(*map(np.concatenate, zip(*parts, strict=True)))

    @contextlib.contextmanager
    def reachable(self, folder: Path | None) -> Iterator[KeyColumns | Path]:
        """Put the columns where workers find them, until the end; None for this process alone."""
        if folder is None:
            yield self.columns
            return
        with file_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            temporary = tempfile.TemporaryDirectory(prefix=".truyvet-keys-", dir=folder)
        with temporary as name:
            for column in _KEY_COLUMNS:
                np.save(Path(name) / f"{column}.npy", getattr(self.columns, column))
            yield Path(name)

    def records(self, near: NDArray[np.uint8]) -> dict[bytes, list[tuple[int, int, DiagnosisKey]]]:
        """Return of some keys every record: its file's number, its place there, what it says."""
        from matcher.columns.value_set import ValueSet

        values = ValueSet()
        values.add(near)
        records: dict[bytes, list[tuple[int, int, DiagnosisKey]]] = {}
        for number, file in enumerate(self._files):
            rows = np.flatnonzero(values.contains(file.columns().key_data))
            for place, key in file.records(rows):
                records.setdefault(key.key_data, []).append((number, place, key))
        return records


def _digest(path: Path | None) -> str | None:
    if path is None or not path.is_file():
        return None
    with file_errors(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=1)
def _mapped_keys(folder: Path) -> KeyColumns:
    from matcher.columns.key_columns import KeyColumns

    with file_errors(folder):
        columns = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in _KEY_COLUMNS]
    return KeyColumns(*map(np.asarray, columns))


@cache  # for what cannot be compiled takes long to find out
def _kernel(named: str | None) -> Kernel:
    """Return this process's kernel; the portable one if no other can be had."""
    return loaded_kernel(partial(choose_kernel, named), many_logs=True) or KERNELS["portable"]


def _search(part: PartOfLogs, keys: KeyColumns | Path, side: str | None) -> _Findings:
    """Read a part and join it with all keys: the unit of work."""
    from matcher.many.join import join_many_logs

    logs = part.read()
    columns = _mapped_keys(keys) if isinstance(keys, Path) else keys
    kernel = _kernel(os.environ.get("TRUYVET_KERNEL"))
    pairs = join_many_logs(
        columns, logs.rpi, logs.seen_at, logs.clock_suspect, side=side, kernel=kernel
    )
    tally = logs.tally()
    log_ids = list(logs.log_ids)
    if isinstance(part, ManyLogs):
        # Of columns in memory each part knows all logs.
        there = np.flatnonzero(tally.sightings)
        log_ids = [log_ids[number] for number in there.tolist()]
        tally = Tally(*(column[there] for column in tally))
    key_rows: dict[LogId, set[int]] = {}
    matched = logs.log[pairs.sighting_row]
    for number, key_row in zip(matched.tolist(), pairs.key_row.tolist(), strict=True):
        key_rows.setdefault(logs.log_ids[number], set()).add(key_row)
    identifiers = logs.rpi[np.unique(pairs.sighting_row)]
    heard = _heard(logs, np.unique(matched), identifiers)
    found = {
        log_id: _Found(tuple(sorted(rows)), heard[log_id]) for log_id, rows in key_rows.items()
    }
    return _Findings(log_ids, tally, found)


def _heard(
    logs: Any, numbers: NDArray[np.int64], identifiers: NDArray[np.uint8]
) -> dict[LogId, list[Sighting]]:
    """Return all sightings of some identifiers in some logs of a part, whenever they were."""
    from matcher.columns.value_set import ValueSet

    if not len(numbers):
        return {}
    wanted = np.zeros(len(logs.log_ids), "bool")
    wanted[numbers] = True
    rows = np.flatnonzero(wanted[logs.log])
    values = ValueSet()
    values.add(identifiers)
    rows = rows[values.contains(logs.rpi[rows])]
    heard: dict[LogId, list[Sighting]] = {}
    of_logs = logs.log[rows].tolist()
    for number, sighting in zip(of_logs, logs.sightings(rows), strict=True):
        heard.setdefault(logs.log_ids[number], []).append(sighting)
    return heard


def _search_again(
    part: PartOfLogs, log_ids: frozenset[LogId], identifiers: NDArray[np.uint8]
) -> dict[LogId, list[Sighting]]:
    """Return what a part holds of some identifiers in some logs."""
    logs = part.read()
    numbers = [number for number, log_id in enumerate(logs.log_ids) if log_id in log_ids]
    return _heard(logs, np.array(numbers, "int64"), identifiers)


def _whole_logs(
    findings: list[_Findings], parts: Sequence[PartOfLogs], running: _Map
) -> dict[LogId, _Found]:
    """Put together what the parts hold of each log that met a key.

    An identifier counts for 1200 seconds after it was first heard, be that in another part.
    """
    found: dict[LogId, _Found] = {}
    for one in findings:
        for log_id, more in one.found.items():
            known = found.get(log_id, _Found((), []))
            found[log_id] = _Found(
                tuple(sorted({*known.key_rows, *more.key_rows})), known.sightings + more.sightings
            )
    if len(findings) == 1:
        return found
    where: dict[LogId, list[int]] = {}
    for number, one in enumerate(findings):
        for log_id in found.keys() & set(one.log_ids):
            where.setdefault(log_id, []).append(number)
    spread = {log_id for log_id, numbers in where.items() if len(numbers) > 1}
    if not spread:
        return found
    heard = b"".join({each.rpi for log_id in spread for each in found[log_id].sightings})
    again = partial(
        _search_again,
        log_ids=frozenset(spread),
        identifiers=np.frombuffer(heard, "uint8").reshape(-1, 16),
    )
    asked = sorted({number for log_id in spread for number in where[log_id]})
    for log_id in spread:
        found[log_id] = _Found(found[log_id].key_rows, [])
    for more in running(again, [parts[number] for number in asked]):
        for log_id, sightings in more.items():
            found[log_id].sightings.extend(sightings)
    return found


def _result(
    findings: list[_Findings],
    found: dict[LogId, _Found],
    keys: _Keys,
    model: RiskModel[Any],
    configuration: RiskParameters,
    today: int | None,
    research: bool,
    running: _Map,
) -> ManyMatches:
    from matcher.many.assessment import LogTask, Weighing, weighed_tables

    log_ids, tally = _tallied(findings)
    last_seen_at = dict(zip(log_ids, tally.last_seen_at.tolist(), strict=True))
    near = sorted({row for one in found.values() for row in one.key_rows})
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
    weighing = Weighing(tuple(keys.names), model, configuration, today, research)
    batches = [tasks[at : at + _LOGS_AT_ONCE] for at in range(0, len(tasks), _LOGS_AT_ONCE)]
    # A few are weighed sooner than they are sent.
    results = (map if len(batches) < 2 else running)(weighing.weigh, batches)
    tables = weighed_tables(log_ids, tally, results, model, research=research)
    return ManyMatches(
        tables["logs"],
        tables["matches"],
        tables["exposure_windows"],
        tables[model.days_name],
        diagnosis_keys=keys.count,
        provenance=Provenance(
            model, configuration, keys.digests, keys.signatures_checked, research
        ),
    )


def _no_tally(logs: int) -> Tally:
    zeros = np.zeros(logs, "int64")
    return Tally(zeros, zeros.copy(), zeros - 1)


def _tallied(findings: list[_Findings]) -> tuple[list[LogId], Tally]:
    """Add up what the parts tell of each log, in the order of the logs' ids."""
    if len(findings) == 1:
        numbers = {log_id: number for number, log_id in enumerate(findings[0].log_ids)}
        tally = findings[0].tally
    else:
        numbers = {}
        for one in findings:
            for log_id in one.log_ids:
                numbers.setdefault(log_id, len(numbers))
        tally = _no_tally(len(numbers))
        for one in findings:
            at = np.array([numbers[log_id] for log_id in one.log_ids], "int64")
            tally.sightings[at] += one.tally.sightings
            tally.suspect_sightings[at] += one.tally.suspect_sightings
            tally.last_seen_at[at] = np.maximum(tally.last_seen_at[at], one.tally.last_seen_at)
    if len({type(log_id) for log_id in numbers}) > 1:
        raise InvalidLog("log_id is text in some files and a number in others: write them alike")
    log_ids = sorted(numbers)
    order = [numbers[log_id] for log_id in log_ids]
    return log_ids, Tally(*(column[order] for column in tally))
