"""The ARM kernels: their assembly looked at, and run under emulation against `cryptography`."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from matcher.kernels.emit import aarch64
from tests.matcher.kernels.naive import reference_identifiers

COMPILER, EMULATOR = "aarch64-linux-gnu-gcc", "qemu-aarch64"
HARNESS = Path(__file__).with_name("aarch64_harness.c")


@cache
def functions() -> dict[str, str]:
    """The assembly of each function, by name."""
    found = re.findall(
        r"^(truyvet_\w+):(.*?)^\.Lfunc_end", aarch64.emit_assembly(), re.MULTILINE | re.DOTALL
    )
    return dict(found)


def test_every_round_is_a_fused_pair() -> None:
    for name, blocks in (("truyvet_encrypt", 24), ("truyvet_derive", 24)):
        text = functions()[name]
        pairs = re.findall(r"\taese\tv(\d+)\.16b, v\d+\.16b\n\taesmc\tv\1\.16b, v\1\.16b\n", text)
        assert len(pairs) == blocks * 9
        assert len(re.findall(r"\taesmc\t", text)) == blocks * 9
        assert len(re.findall(r"\taese\t", text)) == blocks * 10


HASHING = ("truyvet_hkdf", "truyvet_compress_block_4", "truyvet_compress_known_4")


def test_no_table_is_read() -> None:
    # A table of AES or SHA would be read a byte or a word at a time, at a computed place.
    for name in ("truyvet_encrypt", "truyvet_expand", *HASHING):
        text = functions()[name]
        assert not re.findall(r"\tldr[bh]\t", text), name
        assert not re.findall(r"\tldr\tw\d+, \[x\d+, [wx]\d+", text), name
    probes = re.findall(r"\tldr\tx\d+, \[x\d+, x\d+", functions()["truyvet_derive"])
    assert len(probes) <= 24


def test_keys_are_hashed_four_at_a_time() -> None:
    for name in HASHING[1:]:
        assert len(re.findall(r"\tadd\tv\d+\.4s", functions()[name])) > 64 * 6
        assert not re.findall(r"\tror\t", functions()[name])


def test_every_identifier_is_that_of_cryptography(tmp_path: Path) -> None:
    missing = [tool for tool in (COMPILER, EMULATOR) if not shutil.which(tool)]
    if missing:
        pytest.skip(f"not installed: {' '.join(missing)} (gcc-aarch64-linux-gnu, qemu-user)")
    kernels, program = tmp_path / "kernels.o", tmp_path / "harness"
    kernels.write_bytes(aarch64.emit_object())
    subprocess.run(
        [COMPILER, "-static", "-O2", "-Wall", "-Werror", HARNESS, kernels, "-o", program],
        check=True,
    )
    rng = np.random.default_rng(6)
    count = 200
    keys = rng.integers(0, 256, (count, 16), dtype=np.uint8)
    starts = rng.integers(0, 2**32 - 144, count, dtype=np.uint64).astype(np.uint32)
    starts[:6] = [0, 255, 256 - 24, 65535, 2**24 - 1, 2**32 - 144]
    words = rng.integers(0, 2**63, 256, dtype=np.uint64) | rng.integers(0, 2**63, 256, np.uint64)
    text = struct.pack("<I", len(words)) + words.tobytes() + struct.pack("<I", count)
    for key, start in zip(keys, starts, strict=True):
        text += key.tobytes() + struct.pack("<I", start)
    run = subprocess.run([EMULATOR, program], input=text, capture_output=True, check=True)
    answers = np.frombuffer(run.stdout, np.uint8).reshape(count * 6, 385)
    expected = reference_identifiers(keys, starts)
    assert np.array_equal(answers[:, :384].reshape(count, 144, 16), expected)

    low = expected.reshape(count * 6, 24, 16).copy().view(np.uint64)[:, :, 0]
    word = words[(low >> np.uint64(3)) & np.uint64(255)]
    bits = [word >> (low >> np.uint64(shift) & np.uint64(63)) for shift in (56, 48)]
    may = (~(bits[0] | bits[1]) & np.uint64(1)).any(axis=1)
    assert np.array_equal(answers[1:, 384].astype(bool), may[:-1])
    assert may.any()
    assert not may.all()
