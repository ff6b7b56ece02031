"""Every kernel this processor runs derives what `cryptography` derives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.columns.join import derive_columns
from matcher.columns.key_columns import KeyColumns
from matcher.kernels.processor import Kernel, supported_kernels
from tests.matcher.kernels.naive import reference_identifiers

KERNELS = supported_kernels()
LAST_START = 2**32 - 144


@pytest.fixture(params=KERNELS, ids=lambda kernel: kernel.name)
def kernel(request: pytest.FixtureRequest) -> Kernel:
    chosen: Kernel = request.param
    return chosen


@given(
    keys=st.lists(
        st.tuples(st.binary(min_size=16, max_size=16), st.integers(0, LAST_START)), max_size=70
    )
)
def test_any_keys(keys: list[tuple[bytes, int]]) -> None:
    data = np.frombuffer(b"".join(key for key, _ in keys), np.uint8).reshape(len(keys), 16)
    starts = np.array([start for _, start in keys], np.uint32)
    expected = reference_identifiers(data, starts)
    for kernel in KERNELS:
        assert np.array_equal(derive_columns(KeyColumns.of(data, starts), kernel), expected)


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 15, 16, 17, 63, 64, 65, 129])
def test_numbers_of_keys_that_fill_no_vector(kernel: Kernel, count: int) -> None:
    rng = np.random.default_rng(count)
    data = rng.integers(0, 256, (count, 16), dtype=np.uint8)
    starts = rng.integers(0, LAST_START, count, dtype=np.uint32)
    found = derive_columns(KeyColumns.of(data, starts), kernel)
    assert np.array_equal(found, reference_identifiers(data, starts))


@pytest.mark.parametrize("start", [0, 112, 255, 256 - 24, 65535 - 70, 2**24 - 5, LAST_START])
def test_intervals_whose_bytes_carry(kernel: Kernel, start: int) -> None:
    data = np.random.default_rng(start).integers(0, 256, (4, 16), dtype=np.uint8)
    starts = np.full(4, start, np.uint32)
    found = derive_columns(KeyColumns.of(data, starts), kernel)
    assert np.array_equal(found, reference_identifiers(data, starts))


def test_a_hundred_thousand_keys() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        data = rng.integers(0, 256, (5000, 16), dtype=np.uint8)
        starts = rng.integers(0, LAST_START, 5000, dtype=np.uint32)
        expected = reference_identifiers(data, starts)
        for kernel in KERNELS:
            if kernel.compiled:
                found = derive_columns(KeyColumns.of(data, starts), kernel)
                assert np.array_equal(found, expected), kernel.name
