"""A million sightings go through no more memory than was allowed, and not without leave."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.matcher.examples import START, key
from tracing_core.export_file import ExportFile, write_export

SIGHTINGS = 1_000_000
# What may be allocated beyond what a small run has taken; the columns that decide what matches
# take 29 bytes a sighting, and what is made of them as much again.
ALLOWED = 20 << 20

CHILD = f"""
import re, resource, sys
from pathlib import Path
from matcher.many.matching import match_many
from tracing_core.export_file import read_export

keys = read_export(Path("keys.bin"))

def run(logs, memory):
    return match_many(Path(logs), [keys], workers=1, memory=memory, side=sys.argv[2])

run("few.parquet", 1 << 20)
data = int(re.search(r"VmData:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) << 10
resource.setrlimit(resource.RLIMIT_DATA, (data + {ALLOWED}, resource.RLIM_INFINITY))
print(run("logs.parquet", int(sys.argv[1])).to_json()["sightings"])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("memory")
    rng = np.random.default_rng(3)
    for name, count in (("few", 10_000), ("logs", SIGHTINGS)):
        binary = [
            pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(width), count, [None, pa.py_buffer(rng.bytes(width * count))]
            )
            for width in (16, 4)
        ]
        moments = START * 600 + rng.integers(0, 14 * 86_400, count)
        table = pa.table(
            {
                "log_id": np.arange(count) // 500,
                "rpi": binary[0],
                "aem": binary[1],
                "rssi_dbm": np.full(count, -60, "int8"),
                "seen_at": moments,
            }
        )
        pq.write_table(table, path / f"{name}.parquet", row_group_size=20_000)
    keys = [key(str(number), start=START + 144 * (number % 14)) for number in range(300)]
    file = ExportFile(
        START * 600, START * 600 + 86400, "VN", sorted(keys, key=lambda k: k.key_data)
    )
    (path / "keys.bin").write_bytes(write_export(file, []))
    return path


def run(folder: Path, memory: int, side: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CHILD, str(memory), side],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        # Arrow's own allocator asks for more than is used, ahead of time.
        env={**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system"},
    )


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
@pytest.mark.parametrize("side", ["keys", "logs"])
def test_a_million_sightings_in_a_few_megabytes(folder: Path, side: str) -> None:
    done = run(folder, 4 << 20, side)
    assert (done.stdout, done.returncode) == (f"{SIGHTINGS}\n", 0), done.stderr
    # The limit does limit: all at once do not fit.
    assert run(folder, 1 << 30, side).returncode != 0
