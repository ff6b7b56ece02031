from __future__ import annotations

import itertools
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ble_agent.air.schedule import CONTINUOUS, Action, ScanTiming, Schedule
from tracing_core.protocol.interval import interval_number

seeds = st.integers(0, 2**32)


def run(
    seed: int,
    hours: float,
    *,
    rotation_takes: float = 0.3,
    began: float = 0.0,
    scan: ScanTiming | None = None,
) -> Iterator[tuple[Action, float, float]]:
    """What a radio without faults does: the action, when it began, when it was done."""
    schedule = Schedule(Random(seed), scan)
    schedule.silenced(began, 0.0)
    now = began
    while now < began + hours * 3600:
        action, now = schedule.next_step(now)
        begun = now
        if action is Action.SCAN:
            now += schedule.scan_seconds
            schedule.scanned(begun)
        else:
            now += rotation_takes
            schedule.rotated(begun, now)
        yield action, begun, now


@given(seeds, st.floats(0.0, 60.0))
def test_changes_are_ten_to_twenty_minutes_apart_whenever_within_them_they_happen(
    seed: int, rotation_takes: float
) -> None:
    changes = [
        (begun, done)
        for action, begun, done in run(seed, 12, rotation_takes=rotation_takes)
        if action is Action.ROTATE
    ]
    pairs = list(itertools.pairwise(changes))
    assert len(pairs) > 30
    # The first change tells the schedule how slow the adapter is.
    for (began, done), (next_began, next_done) in pairs[1:]:
        assert next_began - done >= 600
        assert next_done - began <= 1200
        # Twice the time it takes is left for it.
        assert next_began - began <= 1200 - max(10, 2 * rotation_takes)


@given(seeds, st.floats(1.6e9, 1.7e9))
def test_each_change_falls_into_a_later_interval(seed: int, started: float) -> None:
    intervals = [
        interval_number(begun)
        for action, begun, _ in run(seed, 24, began=started)
        if action is Action.ROTATE
    ]
    assert all(one < other for one, other in itertools.pairwise(intervals))


@given(seeds)
def test_scans_begin_three_and_a_half_to_five_minutes_apart(seed: int) -> None:
    starts = [begun for action, begun, _ in run(seed, 12) if action is Action.SCAN]
    gaps = [later - earlier for earlier, later in itertools.pairwise(starts)]
    assert min(gaps) >= 210
    assert max(gaps) <= 300
    assert max(gaps) - min(gaps) > 30


@given(seeds)
def test_no_change_is_due_during_a_scan(seed: int) -> None:
    pauses = [
        begun - done
        for (before, _, done), (action, begun, _) in itertools.pairwise(run(seed, 12))
        if before is Action.SCAN and action is Action.ROTATE
    ]
    assert len(pauses) > 30
    # A change that was due during a scan would begin as soon as that is done.
    assert min(pauses) > 4.9


@given(seeds)
def test_who_listens_all_the_time_is_deaf_only_during_a_change(seed: int) -> None:
    steps = list(run(seed, 12, scan=CONTINUOUS))
    assert all(begun == done for (_, _, done), (_, begun, _) in itertools.pairwise(steps))
    changes = [(begun, done) for action, begun, done in steps if action is Action.ROTATE]
    for (began, done), (next_began, next_done) in itertools.pairwise(changes):
        assert next_began - done >= 600
        assert next_done - began <= 1200


def test_who_need_not_wait_sends_at_once() -> None:
    schedule = Schedule(Random(1))
    schedule.silenced(100.0, 0.0)
    assert schedule.next_step(100.0) == (Action.ROTATE, 100.0)


def test_gaps_between_changes_are_spread_over_the_whole_range() -> None:
    changes = [begun for action, begun, _ in run(7, 2000) if action is Action.ROTATE]
    gaps = [later - earlier for earlier, later in itertools.pairwise(changes)]
    tenths = [0] * 10
    for gap in gaps:
        tenths[min(9, int((gap - 605) / 58.5))] += 1
    expected = len(gaps) / 10
    assert all(0.8 * expected < count < 1.2 * expected for count in tenths), tenths


def test_after_an_interruption_nothing_is_sent_until_told_but_scanning_goes_on() -> None:
    schedule = Schedule(Random(1))
    schedule.silenced(100.0, 400.0)
    assert schedule.next_step(100.0) == (Action.SCAN, 100.0)
    schedule.scanned(100.0)
    due = []
    now = 104.0
    while not due:
        action, now = schedule.next_step(now)
        if action is Action.ROTATE:
            due.append(now)
        else:
            schedule.scanned(now)
    assert 500.0 <= due[0] <= 560.0


def test_devices_that_wait_for_the_same_interval_do_not_begin_together() -> None:
    moments = set()
    for seed in range(20):
        schedule = Schedule(Random(seed), ScanTiming(4, 1e6, 1e6))
        schedule.scanned(0.0)
        schedule.silenced(0.0, 300.0)
        moments.add(schedule.next_step(0.0)[1])
    assert len(moments) == 20


def test_what_is_overdue_after_sleep_is_done_now_and_the_change_comes_first() -> None:
    schedule = Schedule(Random(1))
    schedule.scanned(0.0)
    schedule.rotated(0.0, 1.0)
    assert schedule.next_step(50_000.0) == (Action.ROTATE, 50_000.0)


@pytest.mark.parametrize("seconds", [0.0, 30.0, 10_000.0])
def test_a_radio_that_cannot_send_only_scans(seconds: float) -> None:
    schedule = Schedule(Random(1))
    assert schedule.next_step(seconds) == (Action.SCAN, seconds)
