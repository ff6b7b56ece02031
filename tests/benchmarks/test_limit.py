"""The limit counts the instructions a key needs, and no kernel needs fewer."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks import limit
from matcher.kernels.processor import KERNELS, supported_kernels
from tracing_core.errors import InvalidValue

HAS_AES = any(kernel.machine == "x86_64" for kernel in supported_kernels())


@pytest.mark.parametrize(("width", "count"), [(128, 1440), (256, 720), (512, 360)])
def test_ten_rounds_of_144_blocks(width: int, count: int) -> None:
    text = limit.aes_text(width)
    assert len(text) == count
    assert all("aesenc" in line for line in text)


def test_six_blocks_and_five_schedules_by_sha_instructions() -> None:
    counts = Counter(line.split()[0] for line in limit.sha_text())
    assert counts == {"vzeroupper": 1, "sha256rnds2": 192, "sha256msg1": 60, "sha256msg2": 60}


def test_six_blocks_and_five_schedules_in_lanes() -> None:
    rotations, logic, sums = limit.hashing_operations()
    # All six blocks without anything known beforehand: 6·64 rounds of 6, 4 and 7 operations, and
    # 5·48 words of 6, 2 and 3. What is known for every key saves some of it, not much.
    assert 0.9 * (6 * 64 * 6 + 5 * 48 * 6) < rotations <= 6 * 64 * 6 + 5 * 48 * 6
    assert 0.9 * (6 * 64 * 4 + 5 * 48 * 2) < logic <= 6 * 64 * 4 + 5 * 48 * 2 + 16
    assert 0.9 * (6 * 64 * 7 + 5 * 48 * 3) < sums <= 6 * 64 * 7 + 5 * 48 * 3 + 48
    assert abs(len(limit.lanes_text()) - (rotations + logic + sums) / 16) <= 1


def test_the_limit_is_the_sum_with_the_faster_hashing() -> None:
    minima = {"aes": 90.0, "schedule": 2.0, "hash_sha": 141.0, "hash_lanes": 68.0}
    assert limit.limit_ns_per_key(minima) == 160.0
    del minima["hash_lanes"]
    assert limit.limit_ns_per_key(minima) == 233.0


@pytest.mark.skipif(not HAS_AES, reason="no x86 processor with AES instructions")
def test_every_unit_of_this_processor_is_measured() -> None:
    samplers = limit.limit_samplers()
    assert {"aes", "schedule"} < set(samplers)
    assert any(name.startswith("hash_") for name in samplers)
    for sample in samplers.values():
        assert 0.1 < sample() < 1e6


@pytest.mark.parametrize(
    ("names", "hashing"),
    [
        (["vaes512-avx512", "vaes512-sha"], {"hash_sha", "hash_lanes"}),
        (["vaes256-sha", "vaes256-avx2"], {"hash_sha"}),
        (["aesni-avx512", "aesni-avx2"], {"hash_lanes"}),
    ],
)
def test_what_other_processors_hash_with(
    monkeypatch: pytest.MonkeyPatch, names: list[str], hashing: set[str]
) -> None:
    # Nothing of theirs is run here.
    for function in ("repetition", "key_schedules"):
        monkeypatch.setattr(limit, function, lambda *_: lambda _times: None)
    monkeypatch.setattr(limit, "supported_kernels", lambda: [KERNELS[name] for name in names])
    assert set(limit.limit_samplers()) == {"aes", "schedule", *hashing}


def test_without_known_hashing_there_is_no_limit_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit, "supported_kernels", lambda: [KERNELS["aesni-avx2"]])
    with pytest.raises(InvalidValue, match="SHA"):
        limit.limit_samplers()


def test_without_aes_there_is_no_limit_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limit, "supported_kernels", list)
    with pytest.raises(InvalidValue, match="x86"):
        limit.limit_samplers()
