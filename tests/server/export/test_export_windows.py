"""Windows that are due."""

from hypothesis import given
from hypothesis import strategies as st

from server.export.windows import due_windows, window_of

PERIODS = st.sampled_from([600, 900, 3_600, 7_200, 14_400, 43_200, 86_400])
MOMENTS = st.integers(1_600_000_000, 1_600_000_000 + 20 * 86_400)
AGES = st.integers(0, 4 * 3_600)


@given(MOMENTS, PERIODS)
def test_every_moment_lies_in_its_window_and_days_begin_with_one(moment, period):
    window = window_of(moment, period)
    assert window.start <= moment < window.end == window.start + period
    assert window.start % period == 0
    assert (window.start // 86_400 + 1) * 86_400 >= window.end


@given(MOMENTS, st.integers(0, 3 * 86_400), PERIODS, AGES)
def test_due_windows_follow_on_each_other_and_are_old_enough(begin, later, period, age):
    now = begin + later
    windows = due_windows(begin=begin, now=now, period=period, minimum_age=age, oldest=0)
    assert all(window.end <= now - age for window in windows)
    assert [each.start for each in windows[1:]] == [each.end for each in windows[:-1]]
    if windows:
        assert windows[0].start == begin or windows[0].start == window_of(begin, period).start
        assert windows[0].end > begin
        assert windows[-1].end + period > now - age
    else:
        assert window_of(begin, period).end > now - age


def test_a_window_is_due_on_the_second_and_not_before():
    def due(now):
        return due_windows(begin=0, now=now, period=3_600, minimum_age=7_200, oldest=0)

    assert due(14_399.9) == [(0, 3_600)]
    assert due(14_400) == [(0, 3_600), (3_600, 7_200)]


@given(MOMENTS, st.lists(st.integers(0, 40_000), max_size=20), PERIODS, AGES)
def test_calling_often_or_seldom_covers_the_same_windows_once(begin, steps, period, age):
    begin = window_of(begin, period).start
    now, until, seen = begin, begin, []
    for step in steps:
        now += step
        for window in due_windows(begin=until, now=now, period=period, minimum_age=age, oldest=0):
            seen.append(window)
            until = window.end
    assert seen == due_windows(begin=begin, now=now, period=period, minimum_age=age, oldest=0)


def test_after_a_change_of_the_period_the_rest_of_a_window_is_exported_alone():
    windows = due_windows(begin=3_600, now=40_000, period=14_400, minimum_age=0, oldest=0)
    assert windows == [(3_600, 14_400), (14_400, 28_800)]


def test_windows_that_hold_nothing_any_more_are_left_out():
    windows = due_windows(begin=0, now=40_000, period=3_600, minimum_age=0, oldest=30_000.5)
    assert windows[0] == (32_400, 36_000)
