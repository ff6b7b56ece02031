"""What fuzzing found worth keeping: both ways of parsing agree, and touch nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.fuzz.kernel_memory import Checked, Kernel, python_body
from tests.fuzz.targets import TARGETS, KernelTarget, read_seeds, seeds_path, write_seeds

KERNELS = {name: target for name, target in TARGETS.items() if isinstance(target, KernelTarget)}

each_target = pytest.mark.parametrize("name", sorted(TARGETS))


@each_target
def test_the_seeds(name: str) -> None:
    target = TARGETS[name]
    with target.in_python() as check:
        assert {check(example) for example in target.examples()} == {"taken"}
        outcomes = {check(seed) for seed in read_seeds(seeds_path(name))}
    assert outcomes == {"taken", "refused"} | ({"left"} if name in KERNELS else set())


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_the_seeds_beside_unreadable_pages(name: str) -> None:
    # In a process of its own, since a byte too far ends it.
    run = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "replay", name, seeds_path(name)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, (run.stdout[-2000:], run.stderr[-2000:])
    assert len(run.stdout.splitlines()) == len(read_seeds(seeds_path(name))) + 1


def wrong_by_one(kernel: Kernel) -> Kernel:
    def run(*arguments: object) -> object:
        result = kernel(*arguments)
        arguments[3][0] ^= 1  # type: ignore[index]
        return result

    return run


def giving_up(kernel: Kernel) -> Kernel:
    return lambda *arguments: -1 if kernel.__name__ == "parse_keys" else False


@pytest.mark.parametrize("name", sorted(KERNELS))
@pytest.mark.parametrize("spoilt", [wrong_by_one, giving_up])
def test_a_wrong_parser_is_noticed(name: str, spoilt: Callable[[Kernel], Kernel]) -> None:
    target = KERNELS[name]
    with target.parsing_with(spoilt(python_body(target.kernel))) as check:
        noticed = 0
        for example in target.examples():
            try:
                check(example)
            except AssertionError:
                noticed += 1
    assert noticed


def test_a_byte_too_far_is_noticed() -> None:
    column = Checked(np.zeros((2, 3), np.uint8))
    column[1, 2] = 255
    assert column[1][2] == 255
    for at in (-1, 2):
        with pytest.raises(IndexError):
            column[at]
        with pytest.raises(IndexError):
            column[at, 0] = 1
        with pytest.raises(IndexError):
            column[1][3 * at // 2]
    for value in (-1, 256):
        with pytest.raises(OverflowError):
            column[0, 0] = value


def test_seeds_are_read_as_they_were_written(tmp_path: Path) -> None:
    seeds = [b"", b"\0", b"a\n"]
    write_seeds(tmp_path / "seeds.txt", seeds)
    assert read_seeds(tmp_path / "seeds.txt") == seeds
    (tmp_path / "folder").mkdir()
    for number, seed in enumerate(seeds):
        (tmp_path / "folder" / f"{number}").write_bytes(seed)
    assert read_seeds(tmp_path / "folder") == seeds
