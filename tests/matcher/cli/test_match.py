"""The command as a person runs it: answers, exit codes, and one line when it refuses."""

from __future__ import annotations

import base64
import json
import os
import pty
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.json_schemas import printed
from tests.matcher.examples import START, heard, key, write_database
from tests.matcher.many import examples as worlds
from tracing_core.export_file import ExportFile, Signer, write_export
from tracing_core.store.sighting import write_json_lines

TRUYVET = Path(sys.executable).with_name("truyvet")
PRIVATE = generate_private_key(SECP256R1())
LOG = [heard(key(), START + 10 * n, rssi=-60, previous=1) for n in range(4)]


def pem(path: Path, public: object = None) -> Path:
    private = PRIVATE if public is None else generate_private_key(SECP256R1())
    encoded = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path.write_bytes(encoded)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A log in two forms, a signed key file, the key that verifies it and another."""
    write_json_lines(tmp_path / "log.jsonl", LOG)
    write_database(tmp_path / "agent.db", LOG)
    file = ExportFile(START * 600, START * 600 + 86400, "VN", [key(), key("binh")])
    (tmp_path / "keys.zip").write_bytes(write_export(file, [Signer(PRIVATE, "452", "v1")]))
    pem(tmp_path / "key.pem")
    pem(tmp_path / "other.pem", public="other")
    return tmp_path


def run(
    folder: Path, *arguments: str | Path, prefix: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, TRUYVET, "match", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


def refusal(folder: Path, *arguments: str | Path, prefix: tuple[str, ...] = ()) -> str:
    """Return the one line of a refused command."""
    done = run(folder, *arguments, prefix=prefix)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("truyvet: ")
    assert done.stderr.count("\n") == 1
    return done.stderr.strip()


SCHEMA = {
    "version": int,
    "diagnosis_keys": int,
    "skipped_keys": int,
    "passed_over": list,
    "matched_keys": int,
    "matched_identifiers": int,
    "matched_sightings": int,
    "log": {
        "sightings": int,
        "suspect_sightings": int,
        "unmeasured_sightings": int,
        "first_unmeasured": type(None),
        "unreadable": int,
        "first_unreadable": type(None),
        "future_sightings": int,
        "days": {"first": str, "last": str},
    },
    "key_days": {"first": str, "last": str},
    "notes": list,
    "exposure_windows": [
        {
            "date": str,
            "report_type": str,
            "infectiousness": str,
            "calibration_confidence": str,
            "scan_instances": [
                {
                    "typical_attenuation_db": int,
                    "min_attenuation_db": int,
                    "seconds_since_last_scan": int,
                }
            ],
        }
    ],
    "daily_summaries": [
        {
            "date": str,
            "level": str,
            "duration_seconds": int,
            "maximum_score": float,
            "score_sum": float,
            "weighted_duration_sum": float,
            "report_types": {
                "confirmed_test": {
                    "maximum_score": float,
                    "score_sum": float,
                    "weighted_duration_sum": float,
                }
            },
        }
    ],
    "risk": {"preset": str, "level": str, "score": float},
}


def check(value: object, schema: object) -> None:
    if isinstance(schema, dict):
        assert isinstance(value, dict)
        assert list(value) == list(schema)
        for name, inner in schema.items():
            check(value[name], inner)
    elif isinstance(schema, list):
        assert isinstance(value, list)
        assert value
        for one in value:
            check(one, schema[0])
    else:
        assert type(value) is schema


def test_json(folder: Path) -> None:
    done = run(folder, "log.jsonl", "keys.zip", "--public-key", "key.pem", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    answer = printed("match", done.stdout)
    check(answer, SCHEMA)
    assert (answer["diagnosis_keys"], answer["matched_keys"]) == (2, 1)
    assert (answer["matched_identifiers"], answer["matched_sightings"]) == (4, 4)
    assert answer["risk"] == {"preset": "narrow-v2", "level": "high", "score": 2100.0}

    same = run(folder, "agent.db", ".", "--json", "--research")
    research = printed("match", same.stdout)
    (entry,) = research.pop("matches")
    assert (research["daily_summaries"], research["risk"]) == (
        answer["daily_summaries"],
        answer["risk"],
    )
    assert entry["file"] == "keys.zip"
    assert entry["first_interval"] == START


def test_table(folder: Path) -> None:
    done = run(
        folder, "agent.db", "keys.zip", "--public-key", "other.pem", "--public-key", "key.pem"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 in 1 file, signatures checked" in done.stdout
    assert "2020-05-21  high" in done.stdout


def test_risk_and_today(folder: Path) -> None:
    enx = printed("match", run(folder, "log.jsonl", "keys.zip", "--risk", "enx", "--json").stdout)
    assert enx["risk"] == {"preset": "enx", "level": "Classification 2", "score": 1200.0}
    done = run(folder, "log.jsonl", "keys.zip", "--today", "2020-06-05", "--json")
    assert json.loads(done.stdout)["daily_summaries"] == []
    (folder / "own.json").write_text("{}")
    assert "own.json: the exposure configuration: " in refusal(
        folder, "log.jsonl", "keys.zip", "--risk", "own.json"
    )
    assert "one of enx" in refusal(folder, "log.jsonl", "keys.zip", "--risk", "wide")


def test_refusals_are_one_line(folder: Path) -> None:
    assert "none.jsonl" in refusal(folder, "none.jsonl", "keys.zip")
    assert "none.zip does not exist" in refusal(folder, "log.jsonl", "none.zip")
    assert "keys.zip" in refusal(folder, "log.jsonl", "keys.zip", "--public-key", "other.pem")
    assert "none.pem" in refusal(folder, "log.jsonl", "keys.zip", "--public-key", "none.pem")
    assert "keys.zip is not a public key" in refusal(
        folder, "log.jsonl", "keys.zip", "--public-key", "keys.zip"
    )
    (folder / "text").write_text("hello\n")
    assert "text is not a log" in refusal(folder, "text", "keys.zip")
    (folder / "cut.jsonl").write_text((folder / "log.jsonl").read_text()[:-20])
    done = run(folder, "cut.jsonl", "keys.zip")
    assert (done.returncode, done.stderr) == (0, "")
    assert "cut.jsonl, line 4: not JSON, as the line is cut off" in done.stdout
    moments = re.sub(r'"seen_at":(\d+)', r'"seen_at":\g<1>000', (folder / "log.jsonl").read_text())
    (folder / "ms.jsonl").write_text(moments)
    # DP-3T/dp3t-sdk-backend#212
    assert refusal(folder, "ms.jsonl", "keys.zip").endswith(
        "ms.jsonl, line 1: seen_at is in milliseconds: divide it by 1000"
    )
    (folder / "cut.zip").write_bytes((folder / "keys.zip").read_bytes()[:-20])
    assert "cut.zip" in refusal(folder, "log.jsonl", "cut.zip")


def test_swapped_arguments_and_other_files_are_recognised(folder: Path) -> None:
    # corona-warn-companion-android#118 and its kind.
    swapped = "the log comes first, then the key files"
    assert swapped in refusal(folder, "keys.zip", "log.jsonl")
    assert swapped in refusal(folder, ".", "log.jsonl")
    assert swapped in refusal(folder, "log.jsonl", "log.jsonl")
    assert swapped in refusal(folder, "log.jsonl", "agent.db")
    (folder / "checks.json").write_text('[\n {"keyCount": 2380, "matchesCount": 0}\n]')
    assert "lists the checks that a phone made" in refusal(folder, "checks.json", "keys.zip")
    assert "lists the checks that a phone made" in refusal(folder, "log.jsonl", "checks.json")
    (folder / "saved.zip").write_text("<html>Not found</html>")
    assert "it is a web page" in refusal(folder, "log.jsonl", "saved.zip")
    assert "give it with --public-key" in refusal(folder, "log.jsonl", "key.pem")
    (folder / "phone").mkdir()
    assert "it is a folder: name the log" in refusal(folder, "phone", "keys.zip")
    (folder / "phone" / "CURRENT").write_text("MANIFEST-000001\n")
    assert "truyvet agent import" in refusal(folder, "phone", "keys.zip")


@pytest.mark.parametrize(
    "arguments",
    [
        ("log.jsonl", "https://example.org/a/1-2-00001.zip"),
        ("https://example.org/a/log.jsonl", "keys.zip"),
        ("log.jsonl", "keys.zip", "--public-key", "https://example.org/a/key.pem"),
    ],
)
def test_an_address_stays_whole_and_is_to_be_downloaded_first(
    folder: Path, arguments: tuple[str, ...]
) -> None:
    said = refusal(folder, *arguments)
    (address,) = [each for each in arguments if "//" in each]
    assert f"{address} is an address: download it first" in said


def test_the_files_of_an_index_are_to_be_downloaded(folder: Path) -> None:
    said = refusal(folder, "log.jsonl", "https://example.org/exports/VN/index.txt")
    assert "https://example.org/exports/VN/index.txt is an address" in said
    assert "the key files that it lists" in said


def test_a_key_in_any_form_verifies(folder: Path) -> None:
    der = PRIVATE.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    (folder / "key.txt").write_bytes(b"452-v1," + base64.b64encode(der) + b"\r\n")
    done = run(folder, "log.jsonl", "keys.zip", "--public-key", "key.txt")
    assert "signatures checked" in done.stdout
    (folder / "key.txt").write_bytes(b"hello")
    assert "key.txt is not a public key: give it as PEM, DER" in refusal(
        folder, "log.jsonl", "keys.zip", "--public-key", "key.txt"
    )


def test_what_only_others_may_read_is_one_line(folder: Path) -> None:
    # Root may read it all the same, unless its capabilities are taken.
    drop = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--securebits=+noroot")
    prefix = () if os.geteuid() else drop
    for closed, arguments in (
        ("log.jsonl", ()),
        ("keys.zip", ()),
        ("key.pem", ("--public-key", "key.pem")),
    ):
        (folder / closed).chmod(0o000)
        said = refusal(folder, "log.jsonl", "keys.zip", *arguments, prefix=prefix)
        (folder / closed).chmod(0o600)
        assert closed in said
        assert "Permission denied" in said


def test_a_newer_database_is_refused(folder: Path) -> None:
    db = sqlite3.connect(folder / "agent.db")
    with db:
        db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " VALUES ('sighting', 'm999_future', '2030-01-01')"
        )
    db.close()
    assert "newer version" in refusal(folder, "agent.db", "keys.zip")


@pytest.mark.parametrize("arguments", [(), ("log.jsonl",), ("log.jsonl", "keys.zip", "--what")])
def test_wrong_usage_exits_with_two(folder: Path, arguments: tuple[str, ...]) -> None:
    done = run(folder, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: " in done.stderr


def test_it_works_where_no_array_library_is(folder: Path) -> None:
    # A library may import numpy where it finds it, so here it must not be found.
    script = (
        "import sys\n"
        "absent = ['numpy', 'numba', 'llvmlite', 'rich']\n"
        "sys.modules.update(dict.fromkeys(absent))\n"
        "from tracing_core.cli import truyvet\n"
        "truyvet.main(['match', 'agent.db', 'keys.zip'], standalone_mode=False)\n"
        "assert not any(sys.modules[name] for name in absent)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "high" in done.stdout


def test_progress_on_a_terminal_leaves_the_answer_alone(folder: Path) -> None:
    terminal, other_end = pty.openpty()
    try:
        done = subprocess.run(
            [TRUYVET, "match", "agent.db", "keys.zip", "--json"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=other_end,
            timeout=60,
        )
    finally:
        os.close(other_end)
        os.close(terminal)
    assert done.returncode == 0
    assert json.loads(done.stdout)["matched_keys"] == 1


def recordings() -> Path:
    found = os.environ.get("TRUYVET_RECORDINGS")
    if not found:
        pytest.skip("TRUYVET_RECORDINGS is not set: no recordings of others to read")
    return Path(found) / "exports"


def test_the_odd_key_of_others_is_counted(folder: Path) -> None:
    path = recordings() / "minvws-nl" / "ProtobufHeaderTestFile.zip"
    done = run(folder, "log.jsonl", path)
    assert done.returncode == 0
    assert "Keys      0 in 1 file, signatures not checked, 1 unusable key left out" in done.stdout


def test_files_of_others_are_counted(folder: Path) -> None:
    example = recordings() / "google-en-server-example"
    (file,) = example.glob("*.zip")
    done = run(folder, "log.jsonl", file, "--public-key", example / "public.pem", "--json")
    assert json.loads(done.stdout)["diagnosis_keys"] == 2
    for name, count in (("google-en-internals", 140), ("thlfi-koronavilkku", 110)):
        sample = recordings() / name / "sample_diagnosis_key_file.zip"
        assert (
            json.loads(run(folder, "log.jsonl", sample, "--json").stdout)["diagnosis_keys"] == count
        )
        assert sample.name in refusal(folder, "log.jsonl", sample, "--public-key", "key.pem")


def test_warm_up_compiles_and_says_where(tmp_path: Path, folder: Path) -> None:
    pytest.importorskip("numba")
    environment = {**os.environ, "TRUYVET_CACHE_DIR": str(tmp_path), "TRUYVET_KERNEL": "table"}

    def command(*arguments: str, name: str = "match") -> str:
        done = subprocess.run(
            [TRUYVET, name, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def kept() -> dict[Path, int]:
        found = (path for path in tmp_path.rglob("*.nb?"))
        return {path: path.stat().st_mtime_ns for path in found}

    cache = tmp_path / "truyvet-kernels"
    assert command("--warm-up") == f"Kernel table is compiled and kept in {cache}\n"
    compiled = kept()
    assert compiled
    arguments = ("log.jsonl", "keys.zip", "--public-key", "key.pem", "--research", "--threads", "2")
    fast = command(*arguments)
    # Nothing was left to compile.
    assert kept() == compiled
    assert fast == run(folder, *arguments).stdout
    # Nor for many logs: in Parquet or files, and whichever side is indexed, logs or keys.
    (folder / "logs").mkdir()
    (folder / "log.jsonl").rename(folder / "logs" / "an.jsonl")
    worlds.write_parquet(folder / "logs.parquet", {"an": LOG * 20})
    for logs in ("logs", "logs.parquet"):
        told = command(logs, "keys.zip", "--out", f"{logs}.out", name="match-many")
        assert "high" in told
    assert kept() == compiled


def test_a_kernel_that_is_not_here_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUYVET_KERNEL", "abacus")
    assert "unknown kernel 'abacus'" in refusal(folder, "log.jsonl", "keys.zip")
    assert "unknown kernel 'abacus'" in refusal(folder, "--warm-up")
    monkeypatch.setenv("TRUYVET_KERNEL", "portable")
    assert "kernel portable needs no compilation" in refusal(folder, "--warm-up")


def test_threads_are_one_or_more(folder: Path) -> None:
    assert run(folder, "log.jsonl", "keys.zip", "--threads", "0").returncode == 2
    assert run(folder, "log.jsonl", "keys.zip", "--threads", "3").returncode == 0
