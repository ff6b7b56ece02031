"""Benchmark of the steps from a zip on disk to matches: ``python -m benchmarks.reading``.

Nanoseconds per key on one thread; minima of rounds in which every step runs once. `kernel` is the
join alone, with keys and index in memory; `total` is a round from the file to the matches.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256, Hash

from matcher.columns.index import ColumnIndex
from matcher.columns.join import match_columns
from matcher.columns.key_records import read_keys
from matcher.columns.log import LogColumns
from matcher.columns.two_stage_join import TwoStageJoin
from matcher.columns.value_set import KnownKeys
from matcher.kernels.processor import choose_kernel
from matcher.key_files import KeyFiles
from tracing_core.export_file import ExportFile, Signer, archive, export_pb2, read_verified
from tracing_core.export_file.contents import HEADER, MAX_EXPORT_BYTES
from tracing_core.export_file.reader import read_file
from tracing_core.export_file.signature import write_signatures

__all__ = ["measure", "random_log", "write_keys"]

_DAY = 18_400
_DAYS = 14
_KEY_BYTES = 27


def write_keys(path: Path, keys: int, signer: Signer, rng: np.random.Generator) -> None:
    """Write a signed file of a fortnight's random keys; building objects would take minutes."""
    data = rng.integers(0, 256, (keys, 16), np.uint8)
    start = 144 * (_DAY + rng.integers(0, _DAYS, keys, np.uint32))
    records = np.zeros((keys, _KEY_BYTES), np.uint8)
    # Field 7 of 25 bytes: field 1 of 16, field 3 a varint of 4, and field 5, a confirmed test.
    records[:, :4] = 7 * 8 + 2, _KEY_BYTES - 2, 1 * 8 + 2, 16
    records[:, 4:20] = data[np.argsort(data[:, :8].copy().view(">u8")[:, 0])]
    records[:, 20] = 3 * 8
    for byte in range(4):
        records[:, 21 + byte] = start >> 7 * byte & 127 | (128 if byte < 3 else 0)
    records[:, 25:] = 5 * 8, 1
    file = ExportFile(_DAY * 86400, (_DAY + 1) * 86400, "VN")
    head = export_pb2.TemporaryExposureKeyExport(
        start_timestamp=file.start_timestamp, end_timestamp=file.end_timestamp, region=file.region
    )
    export_bin = HEADER + head.SerializeToString() + records.tobytes()
    path.write_bytes(archive.pack(export_bin, write_signatures(export_bin, file, [signer])))


def random_log(identifiers_a_day: int, rng: np.random.Generator) -> LogColumns:
    """Return a log of random identifiers over a fortnight."""
    rows = identifiers_a_day * _DAYS
    return LogColumns(
        rows,
        0,
        rng.integers(0, 256, (rows, 16), np.uint8),
        rng.integers(0, 256, (rows, 4), np.uint8),
        rng.integers(_DAY * 86400, (_DAY + _DAYS) * 86400, rows),
        np.full(rows, -1),
        np.full(rows, -60, np.int8),
        np.arange(1, rows + 1),
    )


def measure(keys: int = 10**6, identifiers_a_day: int = 1000, rounds: int = 7) -> dict[str, Any]:
    """Return nanoseconds per key of each step, their ratio to the kernel, and the load."""
    rng = np.random.default_rng(1)
    private_key = generate_private_key(SECP256R1())
    public_keys = [private_key.public_key()]
    log, kernel = random_log(identifiers_a_day, rng), choose_kernel()
    least: dict[str, float] = {}

    def timed(name: str, step: Callable[[], Any]) -> Any:
        began = time.perf_counter_ns()
        result = step()
        taken = (time.perf_counter_ns() - began) / keys
        least[name] = min(least.get(name, taken), taken)
        return result

    def digest(data: bytes) -> bytes:
        sha256 = Hash(SHA256())
        sha256.update(data)
        return sha256.finalize()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "keys.zip"
        write_keys(path, keys, Signer(private_key, "452", "v1"), rng)

        def whole() -> int:
            join = TwoStageJoin(log, kernel, expected_keys=keys)
            for file in KeyFiles([path], public_keys=public_keys).columns():
                join.add(file)
            return len(join.matches()) + join.diagnosis_keys

        for _ in range(rounds):
            data = timed("read", lambda: read_file(path, MAX_EXPORT_BYTES))
            export_bin, _ = timed("unzip", lambda data=data: archive.unpack(data, "keys"))
            timed("hash", lambda export_bin=export_bin: digest(export_bin))
            verified = read_verified(path, public_keys=public_keys)
            parsed = timed("parse", lambda verified=verified: read_keys(verified))
            columns = timed("columns", parsed.columns)
            timed("distinct", lambda columns=columns: KnownKeys().add(columns.key_data))
            index = timed("index", lambda: ColumnIndex(log.columns(), kernel))
            match_columns(columns, index)
            timed("kernel", lambda columns=columns, index=index: match_columns(columns, index))
            found = timed("total", whole)
    if found != keys:
        raise SystemExit(f"{found} keys were counted, and {keys} written")
    return {
        "keys": keys,
        "identifiers_a_day": identifiers_a_day,
        "kernel": kernel.name,
        "ns_per_key": {name: round(value, 2) for name, value in least.items()},
        "total_to_kernel": round(least["total"] / least["kernel"], 3),
        "load": round(os.getloadavg()[0], 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, default=10**6)
    parser.add_argument("--identifiers-a-day", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    result = measure(given.keys, given.identifiers_a_day, given.rounds)
    if given.json:
        print(json.dumps(result))
        return
    for name, value in result["ns_per_key"].items():
        print(f"{name:10} {value:8.1f} ns per key")
    print(
        f"total is {result['total_to_kernel']:.2f} of the kernel {result['kernel']},"
        f" {result['identifiers_a_day']} identifiers per day; load {result['load']}"
    )


if __name__ == "__main__":
    main()
