"""`truyvet match-many` as a person runs it: on this machine, on a cluster, killed and refused."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from matcher.many.result import table_names
from matcher.risk import load_model
from tests.json_schemas import printed
from tests.matcher.examples import START, heard, key
from tests.matcher.many import examples as worlds
from tracing_core.export_file import ExportFile, Signer, write_export
from tracing_core.store.sighting import write_json_lines

BIN = Path(sys.executable).parent
TABLES = table_names(load_model())
PRIVATE = generate_private_key(SECP256R1())
NEAR = [heard(key(), START + 6 * n, rssi=-40, previous=(START + 6 * n) * 600) for n in range(20)]
LOGS: dict[Any, Any] = {
    "an": NEAR,
    "binh": [heard(key("nobody"), START)],
    "chi": [heard(key("binh"), START + 9)],
}
SECRETS = ("key_data", "rpi", "seen_at", "heard", "key_index", "interval")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    worlds.write_parquet(tmp_path / "logs.parquet", LOGS, row_group_size=5)
    file = ExportFile(START * 600, START * 600 + 86400, "VN", [key(), key("binh")])
    (tmp_path / "keys.zip").write_bytes(write_export(file, [Signer(PRIVATE, "452", "v1")]))
    public = PRIVATE.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pem").write_bytes(pem)
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "truyvet", "match-many", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


def refusal(folder: Path, *arguments: str) -> str:
    done = run(folder, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("truyvet: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def tables(out: Path) -> dict[str, list[dict[str, Any]]]:
    return {name: pq.read_table(out / f"{name}.parquet").to_pylist() for name in TABLES}


def test_tables_and_lines_for_a_person(folder: Path) -> None:
    done = run(
        folder, "logs.parquet", "keys.zip", "--out", "out", "--public-key", "key.pem",
        "--workers", "1",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "Logs      3 with 22 sightings" in done.stdout
    assert "signatures checked" in done.stdout
    assert "Matched   2 logs, 2 matches of a log and a key, 21 sightings" in done.stdout
    found = tables(folder / "out")
    assert [row["log_id"] for row in found["logs"]] == ["an", "binh", "chi"]
    assert found["logs"][0]["level"] == "high"
    assert found["logs"][1]["matched_keys"] == 0
    schemas = [pq.read_schema(folder / "out" / f"{name}.parquet") for name in TABLES]
    assert not [word for schema in schemas for word in SECRETS if word in str(schema.names)]
    told = json.loads(schemas[0].metadata[b"truyvet"])
    assert told["signatures_checked"]
    assert re.fullmatch("[0-9a-f]{64}", told["key_files"][0]["sha256"])
    assert told["diagnosis_keys"] == 2


def test_a_log_that_cannot_be_read_is_named_after_the_results_of_the_others(folder: Path) -> None:
    (folder / "logs").mkdir()
    write_json_lines(folder / "logs" / "an.jsonl", NEAR)
    (folder / "logs" / "bad.jsonl").write_text("{}\n")
    done = run(folder, "logs", "keys.zip", "--out", "out", "--workers", "2", "--json")
    assert done.returncode == 1
    assert "1 log cannot be read" in done.stderr
    assert "bad.jsonl, line 1: rpi is missing" in done.stderr
    facts = printed("match-many", done.stdout)
    assert (facts["logs"], facts["matched_logs"], len(facts["unusable_logs"])) == (1, 1, 1)
    assert [row["log_id"] for row in tables(folder / "out")["logs"]] == ["an.jsonl"]


def test_an_address_is_to_be_downloaded_first(folder: Path) -> None:
    for arguments in (("s3://bucket/logs", "keys.zip"), ("logs.parquet", "s3://bucket/keys.zip")):
        said = refusal(folder, *arguments, "--out", "out")
        assert f"{next(each for each in arguments if ':' in each)} is an address" in said


def test_research_tells_which_keys_and_when(folder: Path) -> None:
    done = run(
        folder, "logs.parquet", "keys.zip", "--out", "out", "--json", "--research",
        "--workers", "1", "--risk", "wide-v1", "--today", "2020-05-25",
    )  # fmt: skip
    told = printed("match-many", done.stdout)
    assert told["levels"] == {"high": 1, "none": 2}
    assert told["preset"] == "wide-v1"
    match = tables(folder / "out")["matches"][0]
    assert match["key_data"] == key().key_data
    assert [one["seen_at"] for one in match["heard"]] == [one.seen_at for one in NEAR]
    assert match["file"] == "keys.zip"


@pytest.fixture
def cluster() -> Iterator[str]:
    """A Dask scheduler on loopback and two workers, processes each."""
    dask = [sys.executable, "-m", "dask"]
    quiet = ["--no-dashboard", "--host", "127.0.0.1"]
    processes = [
        subprocess.Popen(
            [*dask, "scheduler", "--port", "0", *quiet],
            stderr=subprocess.PIPE,
            text=True,
        )
    ]
    try:
        assert processes[0].stderr is not None
        address = next(
            found[0]
            for line in processes[0].stderr
            if (found := re.search(r"tcp://127\.0\.0\.1:\d+", line))
        )
        worker = [*dask, "worker", address, "--nthreads", "1", "--no-nanny", *quiet]
        null = subprocess.DEVNULL
        processes += [subprocess.Popen(worker, stdout=null, stderr=null) for _ in range(2)]
        yield address
    finally:
        for process in reversed(processes):
            # Nothing of theirs is kept, so they need not be asked.
            process.kill()
            process.wait()
            if process.stderr is not None:
                process.stderr.close()


def workers_of(address: str) -> int:
    code = (
        "import sys, distributed; c = distributed.Client(sys.argv[1], timeout=30);"
        "c.wait_for_workers(2, timeout=60); print(len(c.scheduler_info()['workers'])); c.close()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, address], capture_output=True, text=True, timeout=100
    )
    return int(done.stdout or 0)


def test_a_dask_cluster_says_what_one_process_says(folder: Path, cluster: str) -> None:
    assert workers_of(cluster) == 2
    here = run(folder, "logs.parquet", "keys.zip", "--out", "here", "--workers", "1", "--research")
    assert here.returncode == 0
    there = run(
        folder, "logs.parquet", "keys.zip", "--out", "there", "--research", "--dask", cluster
    )
    assert (there.returncode, there.stderr) == (0, "")
    assert tables(folder / "there") == tables(folder / "here")
    for name in TABLES:
        files = [(folder / out / f"{name}.parquet").read_bytes() for out in ("here", "there")]
        assert files[0] == files[1]
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith(".")) == []


def test_what_a_cluster_cannot_read_is_one_line(folder: Path, cluster: str) -> None:
    assert workers_of(cluster) == 2
    path = folder / "logs.parquet"
    content = bytearray(path.read_bytes())
    # The metadata stands; the pages of the first column do not.
    content[4:200] = bytes(196)
    path.write_bytes(content)
    text = refusal(folder, "logs.parquet", "keys.zip", "--out", "out", "--dask", cluster)
    assert "cannot be read as Parquet" in text
    assert not (folder / "out").exists()


def test_refusals_are_one_line(folder: Path) -> None:
    (folder / "there").mkdir()
    (folder / "there" / "file").touch()
    (folder / "empty").mkdir()
    assert "exists already" in refusal(folder, "logs.parquet", "keys.zip", "--out", "there")
    assert "absent" in refusal(folder, "absent", "keys.zip", "--out", "out")
    assert "holds no log" in refusal(folder, "empty", "keys.zip", "--out", "out")
    assert "no Dask scheduler answers" in refusal(
        folder, "logs.parquet", "keys.zip", "--out", "out", "--dask", "tcp://127.0.0.1:1"
    )
    assert "is not a Dask scheduler address" in refusal(
        folder, "logs.parquet", "keys.zip", "--out", "out", "--dask", "nonsense://host:1"
    )
    both = run(
        folder, "logs.parquet", "keys.zip", "--out", "o", "--dask", "tcp://h:1", "--workers", "2"
    )
    assert both.returncode == 2
    assert not (folder / "out").exists()


def test_without_pyarrow_the_line_to_type_is_told(folder: Path) -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None; from tracing_core.cli import main;"
        "sys.argv[1:] = ['match-many', 'logs.parquet', 'keys.zip', '--out', 'out']; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    install = "run pip install '.[arrow]' in the project's folder"
    assert done.stderr == f"truyvet: pyarrow is not installed: {install}\n"


def test_a_run_that_is_killed_leaves_no_results(folder: Path) -> None:
    code = (
        "import os, signal, pyarrow.parquet as pq; from pathlib import Path\n"
        "write = pq.write_table\n"
        "def killed(table, file, **options):\n"
        "    write(table, file, **options)\n"
        "    if Path(file.name).name == 'matches.parquet': os.kill(os.getpid(), signal.SIGKILL)\n"
        "pq.write_table = killed\n"
        "from matcher.many.matching import match_many\n"
        "match_many(Path('logs.parquet'), [Path('keys.zip')], workers=1).write(Path('out'))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert not (folder / "out").exists()
    # The next run is not in the way of what the dead one left.
    assert run(folder, "logs.parquet", "keys.zip", "--out", "out", "--workers", "1").returncode == 0


def test_an_interrupt_ends_workers_and_leaves_nothing(folder: Path) -> None:
    logs = {f"log-{number}": NEAR for number in range(400)}
    worlds.write_parquet(folder / "many.parquet", logs, row_group_size=20)
    process = subprocess.Popen(
        [BIN / "truyvet", "match-many", "many.parquet", "keys.zip", "--out", "out",
         "--workers", "2", "--memory", "1"],
        cwd=folder,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(folder)},
    )  # fmt: skip
    # Its keys are in the shared folder once the workers are about to start.
    waited = 0.0
    while not list(folder.glob(".truyvet-keys-*/*.npy")) and process.poll() is None and waited < 60:
        time.sleep(0.02)
        waited += 0.02
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert not list(folder.glob(".truyvet-keys-*"))
    assert process.returncode == 1 or (folder / "out" / "logs.parquet").exists()
    assert not list(folder.glob(".out.*"))
