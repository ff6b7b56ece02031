"""Benchmark of many logs with many keys: ``python -m benchmarks.many_logs [--quick]``.

Each workload is made once: keys of 14 days, logs of equal length in order of time, and a thousand
planted encounters. Then three ways are measured in turn, for each number of cores: from columns in
memory to pairs (the join alone), from columns to tables, and from Parquet files in processes of
their own. The results are minima, and the peak memory of this process and its workers.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from matcher.columns.join import derive_columns
from matcher.columns.key_columns import KeyColumns
from matcher.kernels.processor import choose_kernel
from matcher.many.join import join_many_logs, smaller_side
from matcher.many.logs import ManyLogs
from matcher.many.matching import match_many
from tracing_core.export_file import ExportFile, write_export
from tracing_core.protocol.associated_encrypted_metadata import Metadata, encrypt_aem
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType
from tracing_core.protocol.temporary_exposure_key import derive_aemk

FIRST_DAY, DAYS = 18_400, 14
PLANTED = 1000
PEAKS: list[int] = []
WORKLOADS = ((100_000, 100_000, 200), (1_000_000, 10_000, 1000))
QUICK = ((10_000, 10_000, 200), (100_000, 1_000, 1000))


def make_keys(count: int, rng: np.random.Generator) -> KeyColumns:
    data = rng.integers(0, 256, (count, 16), dtype=np.uint8)
    data = data[np.lexsort(data.T[::-1])]
    days = FIRST_DAY + rng.integers(0, DAYS, count)
    return KeyColumns.of(data, (days * 144).astype(np.uint32))


def make_logs(keys: KeyColumns, logs: int, each: int, rng: np.random.Generator) -> ManyLogs:
    """Return logs with a thousand sightings of the keys, at the right time."""
    count = logs * each
    first = FIRST_DAY * 86_400
    seen_at = np.sort(rng.integers(first, first + DAYS * 86_400, (logs, each)), axis=1)
    rpi = rng.integers(0, 256, (count, 16), dtype=np.uint8)
    aem = np.zeros((count, 4), np.uint8)
    rows = rng.integers(0, len(keys), PLANTED)
    derived = derive_columns(KeyColumns.of(keys.key_data[rows], keys.rolling_start[rows]))
    flat = seen_at.reshape(count)
    for number, row in enumerate(rows.tolist()):
        start = int(keys.rolling_start[row])
        log = int(rng.integers(0, logs))
        # The sighting of that log that comes next after a moment of the key's day.
        at = int(np.searchsorted(seen_at[log], start * 600 + int(rng.integers(0, 86_400))))
        place = log * each + min(at, each - 1)
        interval = int(flat[place]) // 600 - start
        if 0 <= interval < 144:
            rpi[place] = derived[number, interval]
            sent = encrypt_aem(
                derive_aemk(keys.key_data[row].tobytes()), rpi[place].tobytes(), Metadata(-10)
            )
            aem[place] = np.frombuffer(sent, np.uint8)
    return ManyLogs(
        [f"log-{number:07}" for number in range(logs)],
        np.repeat(np.arange(logs, dtype=np.int32), each),
        rpi,
        aem,
        flat,
        np.maximum(flat - 300, 0),
        np.zeros(count, bool),
        rng.integers(-90, -50, count, dtype=np.int8),
        np.arange(count + 1, dtype=np.int64),
    )


def write_keys(path: Path, keys: KeyColumns) -> Path:
    made = [
        DiagnosisKey(data.tobytes(), start, 144, ReportType.CONFIRMED_TEST, 0)
        for data, start in zip(keys.key_data, keys.rolling_start.tolist(), strict=True)
    ]
    first = FIRST_DAY * 86_400
    path.write_bytes(write_export(ExportFile(first, first + 86_400, "VN", made), []))
    return path


def write_logs(path: Path, logs: ManyLogs, logs_in_group: int = 5000) -> Path:
    """Write logs as a researcher would: in order, with some thousands per row group."""
    each = len(logs) // len(logs.log_ids)
    schema = pa.schema(
        [
            ("log_id", pa.string()),
            ("rpi", pa.binary(16)),
            ("aem", pa.binary(4)),
            ("rssi_dbm", pa.int8()),
            ("seen_at", pa.int64()),
            ("previous_scan_at", pa.int64()),
            ("clock_suspect", pa.bool_()),
        ]
    )
    dictionary = pa.array(logs.log_ids)
    with pq.ParquetWriter(path, schema, use_dictionary=["log_id"], compression="zstd") as writer:
        for part in logs.parts(min(logs_in_group * each, 1 << 20)):
            names = pa.DictionaryArray.from_arrays(part.log, dictionary).cast(pa.string())
            columns = [
                names,
                _binary(part.rpi),
                _binary(part.aem),
                part.rssi_dbm,
                part.seen_at,
                part.previous_scan_at,
                part.clock_suspect,
            ]
            writer.write_table(pa.table(columns, schema=schema), row_group_size=1 << 21)
    return path


def _binary(column: np.ndarray) -> Any:
    buffers = [None, pa.py_buffer(np.ascontiguousarray(column))]
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(column.shape[1]), len(column), buffers)


def join(keys: KeyColumns, logs: ManyLogs, threads: int, side: str | None = None) -> int:
    """Join columns in memory, as `match_many` cuts and joins them; return the number of pairs."""
    parts = list(logs.parts(-(-len(logs) // threads)))

    def of(part: ManyLogs) -> int:
        found = join_many_logs(keys, part.rpi, part.seen_at, part.clock_suspect, side=side)
        return len(found.key_row)

    if len(parts) == 1:
        return of(parts[0])
    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(of, parts))


def variants(
    keys: KeyColumns, logs: ManyLogs, folder: Path, cores: int
) -> Iterator[tuple[str, Callable[[], int]]]:
    export, parquet = write_keys(folder / "keys.bin", keys), folder / "logs.parquet"
    write_logs(parquet, logs)

    def tables(source: Path | ManyLogs, count: int) -> int:
        if isinstance(source, ManyLogs):
            with ThreadPoolExecutor(count) as pool:
                return match_many(source, [export], executor=pool, workers=count).matches.num_rows
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(count, mp_context=context) as pool:
            found = match_many(source, [export], executor=pool, workers=count).matches.num_rows
            PEAKS.extend(pool.map(peak_memory, range(count)))
        return found

    for count in sorted({1, cores}):
        for side in ("keys", "logs"):
            yield (
                f"join of columns, {side} indexed, {count} threads",
                lambda c=count, s=side: join(keys, logs, c, s),
            )
        yield f"key file and columns to tables, {count} threads", lambda c=count: tables(logs, c)
        yield (
            f"key file and Parquet to tables, {count} processes",
            lambda c=count: tables(parquet, c),
        )


def measure(workload: tuple[int, int, int], rounds: int, cores: int) -> dict[str, Any]:
    count, number, each = workload
    rng = np.random.default_rng(20_260_711)
    keys = make_keys(count, rng)
    logs = make_logs(keys, number, each, rng)
    seconds: dict[str, float] = {}
    answers: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as name:
        runs = list(variants(keys, logs, Path(name), cores))
        size = (Path(name) / "logs.parquet").stat().st_size
        for _ in range(rounds):
            for label, run in runs:
                began = time.perf_counter()
                answers[label] = run()
                took = time.perf_counter() - began
                seconds[label] = min(seconds.get(label, took), took)
    # All must find the same, pairs or rows of tables, or the figures mean nothing.
    for kind in ("join", "key file"):
        found = {answer for label, answer in answers.items() if label.startswith(kind)}
        if len(found) != 1 or min(found) < PLANTED // 2:
            raise SystemExit(f"{PLANTED} encounters were planted, but these were found: {answers}")
    return {
        "keys": count,
        "logs": number,
        "sightings_a_log": each,
        "smaller_side": smaller_side(count, len(logs)),
        "parquet_bytes": size,
        "pairs_found": next(iter(answers.values())),
        "seconds": seconds,
        "pairs_a_second": {label: count * number / took for label, took in seconds.items()},
    }


def peak_memory(_: int) -> int:
    """Return the peak memory of this process in MiB, without its parent's."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return int(status.read_text().split("VmHWM:")[1].split()[0]) >> 10


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, under a minute")
    parser.add_argument("--rounds", type=int, default=None)
    parser.add_argument("--cores", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rounds = arguments.rounds or (2 if arguments.quick else 5)
    found = []
    for workload in QUICK if arguments.quick else WORKLOADS:
        load = os.getloadavg()[0]
        result = measure(workload, rounds, arguments.cores) | {"load": load}
        result["memory_mib"] = {"this_process": peak_memory(0), "largest_worker": max(PEAKS)}
        PEAKS.clear()
        found.append(result)
        if not arguments.json:
            show(result)
    if arguments.json:
        print(json.dumps({"kernel": choose_kernel().name, "workloads": found}))


def show(result: dict[str, Any]) -> None:
    print(
        f"{result['keys']:,} keys x {result['logs']:,} logs x {result['sightings_a_log']:,}"
        f" sightings; smaller: {result['smaller_side']}; Parquet"
        f" {result['parquet_bytes'] / 1e6:.0f} MB; {result['pairs_found']} pairs;"
        f" load {result['load']:.1f}; memory {result['memory_mib']}"
    )
    for label, took in result["seconds"].items():
        print(f"  {label:48} {took:8.3f} s  {result['pairs_a_second'][label]:9.3g} pairs/s")


if __name__ == "__main__":
    main()
