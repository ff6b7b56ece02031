"""A kernel that cannot be compiled costs time, and one line that says so; never the answer."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from matcher.kernels.processor import supported_kernels
from tests.matcher.examples import START, heard, key
from tests.matcher.many import examples as worlds
from tracing_core.export_file import ExportFile, write_export
from tracing_core.store.sighting import write_json_lines

HOUSE = Path(__file__).parents[3]
LOG = [heard(key(), START + 10 * n, rssi=-60, previous=1) for n in range(4)]
ELSEWHERE = "aarch64.crypto.aesmc" if platform.machine() == "x86_64" else "x86.aesni.aesimc"

# What stands in every kernel where a key is expanded.
BROKEN = {
    "an exception": "    raise ValueError('no such thing')",
    "nothing LLVM can select": f"    call(builder, rpik, 'llvm.{ELSEWHERE}')",
    "a call of nothing": "    call(builder, rpik, 'truyvet_is_nowhere')",
    "a wrong answer": "    pass",
}
REASONS = {
    "an exception": "ValueError: no such thing",
    "nothing LLVM can select": "SIGABRT: LLVM ERROR: Cannot select",
    "a call of nothing": "SIGSEGV",
    "a wrong answer": "it computes wrong values",
}
EMITTER = """

from llvmlite import ir
from matcher.kernels.emit.abi import EXPAND_TYPES
from matcher.kernels.emit.vectors import BYTE, declared, emitted, store, vector
from matcher.kernels.emit.vectors import load as loaded


def call(builder, rpik, name):
    kind = vector(BYTE, 16)
    function = declared(builder, name, kind, [kind])
    store(builder, builder.call(function, [loaded(builder, rpik, kind)]), rpik)


def broken(builder, rpik, schedule):
"""
REPLACED = """

_BROKEN = emitted(*EXPAND_TYPES, broken)
_AES = {width: (_BROKEN, *parts[1:]) for width, parts in _AES.items()}
_NEON = (_BROKEN, *_NEON[1:])
"""
COMMAND = """
import sys
import matcher.kernels.choice
matcher.kernels.choice.WORTH_LOADING_SECONDS = 0
from tracing_core.cli import main
main()
"""


def house(folder: Path, fault: str) -> Path:
    """Make a copy of the project in which every kernel is broken."""
    ignored = shutil.ignore_patterns("__pycache__")
    for package in ("matcher", "tracing_core"):
        shutil.copytree(HOUSE / package, folder / package, ignore=ignored)
    with (folder / "matcher/kernels/registry.py").open("a") as registry:
        registry.write(EMITTER + BROKEN[fault] + REPLACED)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "house").mkdir()
    write_json_lines(tmp_path / "log.jsonl", LOG)
    worlds.write_parquet(tmp_path / "logs.parquet", {"an": LOG})
    file = ExportFile(START * 600, START * 600 + 86400, "VN", [key(), key("binh")])
    (tmp_path / "keys.zip").write_bytes(write_export(file, []))
    return tmp_path


def run(
    folder: Path, *arguments: str, kernel: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        **variables,
        "TRUYVET_CACHE_DIR": str(folder / "cache"),
        "PYTHONPATH": str(folder / "house"),
        "TRUYVET_KERNEL": kernel,
    }
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


MATCH = ("match", "log.jsonl", "keys.zip", "--json")


@pytest.mark.parametrize("fault", BROKEN)
def test_what_cannot_be_compiled_is_a_warning(folder: Path, fault: str) -> None:
    house(folder / "house", fault)
    wanted = run(folder, *MATCH, kernel="portable")
    assert wanted.stderr == ""
    assert json.loads(wanted.stdout)["matched_keys"] == 1
    for _ in range(2):  # the cache does not have it then, either
        done = run(folder, *MATCH)
        assert (done.returncode, done.stdout) == (0, wanted.stdout)
        assert done.stderr.startswith("no kernel can be compiled here")
        assert REASONS[fault] in done.stderr
        assert done.stderr.count("\n") == 1
        assert "TRUYVET_KERNEL=portable" in done.stderr


def test_where_nothing_can_be_kept_a_child_still_goes_first(folder: Path) -> None:
    house(folder / "house", "nothing LLVM can select")
    with (folder / "house/matcher/kernels/cache.py").open("a") as cache:
        cache.write("\n\ndef candidate_folders():\n    return iter(())\n")
    done = run(folder, *MATCH)
    assert done.returncode == 0
    assert json.loads(done.stdout)["matched_keys"] == 1
    assert REASONS["nothing LLVM can select"] in done.stderr


@pytest.mark.parametrize("fault", ["an exception", "nothing LLVM can select"])
def test_what_was_asked_for_and_cannot_be_compiled_is_an_error(folder: Path, fault: str) -> None:
    house(folder / "house", fault)
    kernel = supported_kernels()[0].name
    for arguments in (MATCH, ("match", "--warm-up")):
        done = run(folder, *arguments, kernel=kernel)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"truyvet: kernel {kernel} cannot be compiled here (")
        assert REASONS[fault] in done.stderr
        assert done.stderr.count("\n") == 1


def test_many_logs_and_warming_up_without_a_kernel(folder: Path) -> None:
    house(folder / "house", "nothing LLVM can select")
    arguments = ("match-many", "logs.parquet", "keys.zip", "--json", "--workers", "1")
    done = run(folder, *arguments, "--out", "results")
    assert done.returncode == 0
    assert json.loads(done.stdout)["matched_logs"] == 1
    assert done.stderr.startswith("no kernel can be compiled here")
    assert REASONS["nothing LLVM can select"] in done.stderr
    assert done.stderr.count("\n") == 1
    warmed = run(folder, "match", "--warm-up")
    assert (warmed.returncode, warmed.stdout) == (1, "")
    assert "truyvet: nothing was compiled" in warmed.stderr


def without_numba(folder: Path, warning: str, refusal: str, **variables: str) -> None:
    """Check that one log is matched with a warning; the rest cannot be done without Numba."""
    done = run(folder, *MATCH, **variables)
    assert done.returncode == 0
    assert json.loads(done.stdout)["matched_keys"] == 1
    assert warning in done.stderr
    assert done.stderr.count("\n") == 1
    many = ("match-many", "logs.parquet", "keys.zip", "--out", "results")
    for arguments in (("match", "--warm-up"), many):
        done = run(folder, *arguments, **variables)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"truyvet: {refusal}")
        assert done.stderr.count("\n") == 1


def test_a_broken_numba_is_a_warning(folder: Path) -> None:
    house(folder / "house", "a wrong answer")
    package = folder / "house" / "numba"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('Numba needs another NumPy')")
    reason = "ImportError: Numba needs another NumPy"
    without_numba(folder, reason, f"Numba cannot be loaded ({reason}")


def test_a_numba_that_is_told_to_compile_nothing_is_a_warning(folder: Path) -> None:
    without_numba(folder, "NUMBA_DISABLE_JIT", "NUMBA_DISABLE_JIT", NUMBA_DISABLE_JIT="1")
