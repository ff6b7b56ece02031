"""Compiled kernels are found again, and never when they should not be."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from matcher.kernels import cache
from matcher.kernels.loops import scan
from matcher.kernels.processor import supported_kernels

HOUSE = Path(__file__).parents[3]
# One that compiles in a second, where there is one: lanes take three.
KERNEL = min(
    (kernel for kernel in supported_kernels() if kernel.compiled),
    key=lambda kernel: kernel.hkdf_lanes or 0,
).name

CODE = """
import os
import numpy as np
from matcher.kernels.first_run import become_child
if "TRIED" not in os.environ:  # else the first run is in a child
    become_child()
from matcher.columns.key_columns import KeyColumns
from matcher.kernels.processor import choose_kernel
from matcher.columns.join import derive_columns
from matcher.kernels.registry import derive_function
kernel = choose_kernel()
stats = derive_function(kernel).stats
keys = KeyColumns.of(np.zeros((1, 16), np.uint8), np.zeros(1, np.uint32))
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()),
      derive_columns(keys, kernel)[0, 0].tobytes().hex())
"""


def run(
    folder: Path, code: str = CODE, *, house: Path = HOUSE, **variables: str
) -> tuple[int, int, str]:
    """Return the hits, the misses and the first identifier in a fresh process."""
    environment = os.environ | {
        "TRUYVET_CACHE_DIR": str(folder),
        "TRUYVET_KERNEL": KERNEL,
        **variables,
    }
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd=house,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert found.returncode == 0, found.stderr[-2000:]
    hits, misses, identifier = found.stdout.split()
    return int(hits), int(misses), identifier


def copy_of_house(folder: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    for package in ("matcher", "tracing_core"):
        shutil.copytree(HOUSE / package, folder / package, ignore=ignored)
    return folder


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy, so that nobody edits it meanwhile."""
    return copy_of_house(tmp_path / "house")


def test_a_second_process_finds_what_the_first_compiled(tmp_path: Path, house: Path) -> None:
    first, second = (run(tmp_path / "cache", house=house) for _ in range(2))
    assert first[:2] == (0, 1)
    assert second[:2] == (1, 0)
    assert first[2] == second[2]


def test_a_child_is_the_first_to_run_a_kernel(tmp_path: Path, house: Path) -> None:
    tried = run(tmp_path / "tried", house=house, TRIED="1")
    assert tried[:2] == (1, 0)
    assert run(tmp_path / "tried", house=house) == tried


def test_an_edited_emitter_is_compiled_anew(tmp_path: Path, house: Path) -> None:
    folder = tmp_path / "cache"
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(house, elsewhere)
    _, _, identifier = run(folder, house=house)
    # The same sources elsewhere are the same sources.
    assert run(folder, house=elsewhere) == (1, 0, identifier)
    constants = elsewhere / "matcher/kernels/emit/sha256.py"
    text = constants.read_text()
    constants.write_text(text.replace('b"EN-RPIK"', 'b"EN-RPIX"'))
    assert constants.read_text() != text
    hits, misses, edited = run(folder, house=elsewhere)
    assert (hits, misses) == (0, 1)
    assert edited != identifier
    constants.write_text(text)
    assert run(folder, house=elsewhere)[2] == identifier


def test_sources_edited_under_a_running_process_are_not_what_it_compiled(
    tmp_path: Path, house: Path
) -> None:
    # As an upgrade does to a process that compiles for the first time after it.
    edit = """
from pathlib import Path
import matcher.kernels.registry
constants = Path("matcher/kernels/emit/sha256.py")
constants.write_text(constants.read_text().replace('b"EN-RPIK"', 'b"EN-RPIX"'))
"""
    _, misses, before = run(tmp_path / "cache", edit + CODE, house=house)
    assert misses == 1
    after = run(tmp_path / "cache", house=house)
    assert after[:2] == (0, 1)
    assert after[2] != before


def test_sources_that_vanish_under_a_running_process_do_not_stop_it(
    tmp_path: Path, house: Path
) -> None:
    removed = """
from pathlib import Path
import matcher.columns.join
Path("matcher/definition.py").unlink()
"""
    assert run(tmp_path / "cache", removed + CODE, house=house)[:2] == (0, 1)


def test_what_other_packages_tell_a_kernel_counts(tmp_path: Path, house: Path) -> None:
    # With other bits than the filter's, a kernel from before would overlook what matches.
    run(tmp_path / "cache", house=house)
    processor = house / "matcher/kernels/processor.py"
    text = processor.read_text()
    processor.write_text(text.replace("return 4 if self.aes == 512 else 2", "return 4"))
    assert processor.read_text() != text
    assert run(tmp_path / "cache", house=house)[:2] == (0, 1)


def test_another_processor_has_its_own(tmp_path: Path, house: Path) -> None:
    folder = tmp_path / "cache"
    run(folder, house=house, TRUYVET_KERNEL="table")
    ours = {path.name for path in folder.rglob("*.nb*")}
    shutil.rmtree(folder)
    other = run(folder, house=house, TRUYVET_KERNEL="table", NUMBA_CPU_NAME="generic")
    assert other[:2] == (0, 1)
    # In files of its own: two that fill a cache that both see must not take each other's.
    assert ours.isdisjoint(path.name for path in folder.rglob("*.nb*"))


def test_what_cannot_be_kept_runs_nevertheless(tmp_path: Path, house: Path) -> None:
    # Without optimisation code refers to memory of its process.
    plain = run(tmp_path / "cache", house=house, TRUYVET_KERNEL="table")
    for _ in range(2):
        assert run(tmp_path / "other", house=house, TRUYVET_KERNEL="table", NUMBA_OPT="0") == plain


def test_damaged_files_are_compiled_anew(tmp_path: Path, house: Path) -> None:
    folder = tmp_path / "cache"
    _, _, identifier = run(folder, house=house)
    kept = [path for path in folder.rglob("*") if path.is_file()]
    assert kept
    for path in kept:
        path.write_bytes(path.read_bytes()[:100])
    assert run(folder, house=house) == (0, 1, identifier)
    assert run(folder, house=house) == (1, 0, identifier)


def test_a_folder_that_cannot_be_written_is_passed_over(tmp_path: Path, house: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    home = tmp_path / "home"
    first = run(blocked / "cache", house=house, XDG_CACHE_HOME=str(home))
    second = run(blocked / "cache", house=house, XDG_CACHE_HOME=str(home))
    assert first[:2] == (0, 1)
    assert second[:2] == (1, 0)
    assert (home / "truyvet" / "kernels").is_dir()


def test_without_any_folder_kernels_still_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "candidate_folders", lambda: iter(()))
    cache.cache_folder.cache_clear()
    try:
        group = cache.compiled(scan.group, scan.GROUP_SIGNATURE)
    finally:
        cache.cache_folder.cache_clear()
    rows, bounds = group(
        np.array([144], np.uint32),
        np.array([144], np.uint16),
        1,
        np.ones(1, np.int32),
        np.array([0, 63], np.uint8),
    )
    assert rows.tolist() == [0]
    assert bounds.tolist() == [0, 1]


def test_a_folder_others_can_write_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What lies there is run, so whoever can write it could have us run anything.
    for name in ("open", "ours"):
        (tmp_path / name / "truyvet-kernels").mkdir(parents=True)
    (tmp_path / "open" / "truyvet-kernels").chmod(0o777)
    monkeypatch.setenv("TRUYVET_CACHE_DIR", str(tmp_path / "open"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "ours"))
    cache.cache_folder.cache_clear()
    try:
        assert cache.cache_folder() == tmp_path / "ours" / "truyvet-kernels"
    finally:
        cache.cache_folder.cache_clear()


def test_warming_up_leaves_nothing_to_compile(tmp_path: Path, house: Path) -> None:
    environment = os.environ | {"TRUYVET_CACHE_DIR": str(tmp_path), "TRUYVET_KERNEL": KERNEL}
    code = "from matcher.columns.warm_up import compile_ahead; print(compile_ahead()[0].name)"
    warmed = subprocess.run(
        [sys.executable, "-c", code],
        cwd=house,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert warmed.stdout.split() == [KERNEL]
    assert run(tmp_path, house=house)[:2] == (1, 0)
