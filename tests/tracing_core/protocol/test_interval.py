import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing_core.errors import InvalidInterval
from tracing_core.protocol.interval import (
    INTERVAL_SECONDS,
    TEK_ROLLING_PERIOD,
    checked_interval,
    interval_number,
    interval_start,
    rolling_start,
    utc_day,
)

intervals = st.integers(0, 2**32 - 1)


@given(intervals)
def test_an_interval_lasts_ten_minutes(number):
    start = interval_start(number)
    assert interval_number(start) == number
    assert interval_number(start + INTERVAL_SECONDS - 1) == number
    if number < 2**32 - 1:
        assert interval_number(start + INTERVAL_SECONDS) == number + 1


@given(intervals)
def test_a_rolling_start_is_midnight_utc(number):
    start = rolling_start(number)
    assert start <= number < start + TEK_ROLLING_PERIOD
    assert interval_start(start) % 86400 == 0
    assert utc_day(interval_start(number)) == start // TEK_ROLLING_PERIOD


@pytest.mark.parametrize("number", [-1, 2**32])
def test_numbers_beyond_32_bits(number):
    with pytest.raises(InvalidInterval, match="0 to 4294967295"):
        checked_interval(number)
    with pytest.raises(InvalidInterval):
        interval_number(number * 600)


def test_fractions_of_seconds():
    assert interval_number(599.999) == 0
    assert interval_number(600.0) == 1
    assert utc_day(86399.9) == 0


@pytest.mark.parametrize("moment", [float("nan"), float("inf"), float("-inf")])
def test_no_moment_at_all(moment):
    with pytest.raises(InvalidInterval):
        interval_number(moment)
