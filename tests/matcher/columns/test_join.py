"""The compiled join finds what the definition finds, whatever it is given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.columns.index import ColumnIndex
from matcher.columns.join import match_columns
from matcher.columns.key_columns import KeyColumns
from matcher.columns.sighting_columns import SightingColumns
from matcher.columns.value_set import ValueSet
from matcher.kernels.processor import Kernel, supported_kernels
from matcher.many.join import DayPartition
from tests.matcher.kernels.naive import naive_pairs, planted, random_keys
from tracing_core.errors import InvalidValue
from tracing_core.protocol.rolling_proximity_identifier import derive_rpis
from tracing_core.protocol.temporary_exposure_key import derive_rpik

KERNELS = supported_kernels()
DAY = 18_400 * 144
LAST = 2**32 - 1


@pytest.fixture(params=KERNELS, ids=lambda kernel: kernel.name)
def kernel(request: pytest.FixtureRequest) -> Kernel:
    chosen: Kernel = request.param
    return chosen


def pairs(
    keys: KeyColumns, sightings: SightingColumns, kernel: Kernel, threads: int = 1
) -> list[tuple[int, int]]:
    found = match_columns(keys, ColumnIndex(sightings, kernel), threads=threads)
    return list(zip(found.key_row.tolist(), found.sighting_row.tolist(), strict=True))


def heard(keys: KeyColumns, *sightings: tuple[int, int, int]) -> SightingColumns:
    """Make a log of (key's row, interval the identifier is of, interval it was heard in)."""
    rpis = [
        derive_rpis(derive_rpik(keys.key_data[row].tobytes()), own, 1)[0]
        for row, own, _ in sightings
    ]
    return SightingColumns.of(
        np.frombuffer(b"".join(rpis), np.uint8).reshape(len(rpis), 16),
        np.array([when for *_, when in sightings], np.uint32),
    )


def one_key(start: int, period: int = 144) -> KeyColumns:
    return random_keys(np.random.default_rng(start % 1000), np.array([start]), np.array([period]))


@given(
    seed=st.integers(0, 2**32),
    base=st.sampled_from([0, 1, 100, DAY, DAY - 77, LAST - 1000, LAST - 143]),
    count=st.integers(0, 80),
    spread=st.integers(0, 600),
    noise=st.integers(0, 300),
    shifted=st.booleans(),
)
@settings(max_examples=40)
def test_random_keys_and_logs(
    seed: int, base: int, count: int, spread: int, noise: int, shifted: bool
) -> None:
    rng = np.random.default_rng(seed)
    starts = np.minimum(base + rng.integers(0, spread + 1, count), LAST - 143)
    if not shifted:
        starts -= starts % 144
    periods = np.where(rng.random(count) < 0.5, 144, rng.integers(1, 145, count))
    keys = random_keys(rng, starts, periods)
    sightings = planted(rng, keys, 60, noise)
    expected = naive_pairs(keys, sightings)
    for kernel in KERNELS:
        assert pairs(keys, sightings, kernel) == expected, kernel.name


def test_many_keys_and_threads(kernel: Kernel) -> None:
    rng = np.random.default_rng(8)
    count = 500 if not kernel.compiled else 40_000
    keys = random_keys(rng, DAY + 144 * rng.integers(0, 4, count))
    sightings = planted(rng, keys, 500, 20_000)
    chosen = np.unique(rng.integers(0, count, 300))
    found = pairs(keys, sightings, kernel, threads=3)
    assert found == pairs(keys, sightings, kernel)
    some = KeyColumns.of(keys.key_data[chosen], keys.rolling_start[chosen])
    rows = {int(row): place for place, row in enumerate(chosen)}
    assert naive_pairs(some, sightings) == [
        (rows[key], sighting) for key, sighting in found if key in rows
    ]
    assert len(found) > 150


@pytest.mark.parametrize(("off", "counts"), [(-13, 0), (-12, 1), (0, 1), (12, 1), (13, 0)])
@pytest.mark.parametrize("own", [0, 11, 12, 23, 24, 71, 131, 132, 143])
def test_two_hours_and_not_an_interval_more(
    kernel: Kernel, off: int, counts: int, own: int
) -> None:
    keys = one_key(DAY)
    sightings = heard(keys, (0, DAY + own, DAY + own + off))
    assert len(pairs(keys, sightings, kernel)) == counts


@pytest.mark.parametrize("start", [DAY, DAY + 1, DAY + 100, DAY - 1])
@pytest.mark.parametrize("period", [1, 2, 23, 24, 25, 143, 144])
def test_only_the_intervals_of_a_keys_use(kernel: Kernel, start: int, period: int) -> None:
    keys = one_key(start, period)
    owns = [start - 1, start, start + period - 1, start + period]
    sightings = heard(keys, *((0, own, own) for own in owns))
    assert pairs(keys, sightings, kernel) == sorted({(0, 1), (0, 2)})


def test_the_first_intervals_of_all(kernel: Kernel) -> None:
    keys = one_key(0)
    sightings = heard(keys, (0, 0, 0), (0, 0, 12), (0, 0, 13), (0, 12, 0), (0, 13, 0))
    assert pairs(keys, sightings, kernel) == [(0, 0), (0, 1), (0, 3)]


def test_the_last_intervals_of_all(kernel: Kernel) -> None:
    keys = one_key(LAST - 143)
    sightings = heard(
        keys, (0, LAST, LAST), (0, LAST, LAST - 12), (0, LAST, LAST - 13), (0, LAST - 12, LAST)
    )
    # Wrapped to 32 bits, this identifier's interval and the first of all would be close.
    wrapped = heard(keys, (0, LAST, 3))
    assert pairs(keys, sightings, kernel) == [(0, 0), (0, 1), (0, 3)]
    assert pairs(keys, wrapped, kernel) == []


def test_nothing_on_either_side(kernel: Kernel) -> None:
    keys = one_key(DAY)
    no_keys = random_keys(np.random.default_rng(0), np.zeros(0, np.uint32))
    nothing = SightingColumns.of(np.zeros((0, 16), np.uint8), np.zeros(0, np.uint32))
    assert pairs(keys, nothing, kernel) == []
    assert pairs(no_keys, heard(keys, (0, DAY, DAY)), kernel) == []
    assert pairs(no_keys, nothing, kernel, threads=2) == []


def test_one_key_twice_and_one_identifier_often(kernel: Kernel) -> None:
    key = one_key(DAY)
    keys = KeyColumns.of(np.repeat(key.key_data, 3, axis=0), np.full(3, DAY, np.uint32))
    # More pairs than the kernel has room for at first.
    sightings = heard(keys, *[(0, DAY + 5, DAY + 5)] * 700)
    expected = [(row, sighting) for row in range(3) for sighting in range(700)]
    assert pairs(keys, sightings, kernel) == expected


def test_sightings_under_a_suspect_clock_never_match(kernel: Kernel) -> None:
    keys = one_key(DAY)
    log = heard(keys, (0, DAY, DAY), (0, DAY + 1, DAY + 1))
    suspect = SightingColumns(log.rpi, log.interval, np.array([True, False]))
    assert pairs(keys, suspect, kernel) == [(0, 1)]


def test_identifiers_that_share_half_their_bytes(kernel: Kernel) -> None:
    keys = one_key(DAY)
    true = heard(keys, (0, DAY + 7, DAY + 7))
    rpi = np.repeat(true.rpi, 3, axis=0)
    rpi[1, 15] ^= 1
    rpi[2, 0] ^= 1
    log = SightingColumns.of(rpi, np.full(3, DAY + 7, np.uint32))
    assert pairs(keys, log, kernel) == [(0, 0)]


@pytest.mark.parametrize("low", [0, 24, 40, 58])
@pytest.mark.parametrize("high", [0, 24, 40, 58])
def test_identifiers_chosen_to_fall_on_one_place(low: int, high: int) -> None:
    # Whichever bits of its halves a sender varies, the others being what the filter looks at.
    rpi = np.zeros((4096, 2), np.uint64)
    rpi[:, 0] = np.arange(4096) % 64 << low
    rpi[:, 1] = np.arange(4096) // 64 << high
    log = SightingColumns.of(rpi.view(np.uint8), np.full(4096, DAY, np.uint32))
    assert longest_run(ColumnIndex(log, KERNELS[0]).day(DAY // 144).heads >= 0) < 200
    ours = ValueSet(4096)
    ours.add(log.rpi)
    assert ours.count == 4096
    assert longest_run(ours.occupied()) < 200


def longest_run(taken: np.ndarray) -> int:
    return max(len(run) for run in taken.tobytes().split(b"\0"))


def test_a_log_of_far_days_and_a_key_between() -> None:
    keys = random_keys(np.random.default_rng(1), np.array([0, DAY, LAST - 143]))
    log = heard(keys, (0, 3, 3), (2, LAST, LAST))
    assert pairs(keys, log, KERNELS[0]) == [(0, 0), (2, 1)]


def test_arrays_that_cannot_be_written(kernel: Kernel) -> None:
    rng = np.random.default_rng(2)
    keys = random_keys(rng, np.full(9, DAY))
    log = planted(rng, keys, 20, 50)
    expected = naive_pairs(keys, log)
    for column in (keys.key_data, keys.rolling_start, keys.rolling_period, log.rpi, log.interval):
        column.flags.writeable = False
    assert pairs(keys, log, kernel) == expected


@pytest.mark.parametrize(
    "kernel", [each for each in supported_kernels() if each.compiled], ids=lambda each: each.name
)
def test_a_day_of_many_logs_is_indexed_as_one_of_a_log_is(kernel: Kernel) -> None:
    rng = np.random.default_rng(3)
    keys = random_keys(rng, DAY + 144 * rng.integers(0, 3, 20))
    log = planted(rng, keys, 50, 9_000)
    seen_at = log.interval.astype(np.int64) * 600
    many = DayPartition.of(keys, log.rpi.view(np.uint64), seen_at, log.clock_suspect, kernel)
    index = ColumnIndex(log, kernel)
    assert many.days.tolist()
    for day in many.days.tolist():
        ours, theirs = many.day(day), index.day(day)
        assert np.array_equal(ours.words, theirs.words)
        # Nearly all bits of a filter mean that what they stand for was not heard.
        assert np.unpackbits(ours.words.view(np.uint8)).mean() > 0.8
        assert np.array_equal(np.sort(ours.rows), np.sort(theirs.rows))


def test_an_index_for_another_kernel_is_refused() -> None:
    index = ColumnIndex(heard(one_key(DAY), (0, DAY, DAY)), KERNELS[0])
    with pytest.raises(InvalidValue, match="the index is for kernel"):
        match_columns(one_key(DAY), index, kernel=KERNELS[-1])
    with pytest.raises(InvalidValue, match="1 thread or more"):
        match_columns(one_key(DAY), index, threads=0)


def test_idle_days_and_groups_are_never_derived() -> None:
    keys = random_keys(np.random.default_rng(1), DAY + 144 * np.arange(14))
    index = ColumnIndex(heard(keys, (3, DAY + 3 * 144 + 30, DAY + 3 * 144 + 30)), KERNELS[0])
    assert index.days.tolist() == [DAY // 144 + 3]
    assert index.group_masks.tolist() == [0b11]  # intervals 18 to 42 lie in groups 0 and 1
    assert index.day(DAY // 144 + 3).groups.tolist() == [0, 1]
