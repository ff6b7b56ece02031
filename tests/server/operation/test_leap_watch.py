"""A running server whose clock leaps ahead, as after a fault of the machine."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.context import Server
from server.operation.leap_watch import LeapWatch
from server.operation.worker import run_due_work
from server.publish.upload import take_upload
from server.store.diagnosis_keys import find_keys
from server.verification.certificate import Claims
from tests.server.homes import NOW, key, open_server, upload_of
from tracing_core.clock import ManualClock, ScaledClock
from tracing_core.protocol.diagnosis_key import ReportType

DAY = 86_400
YEAR = 365 * DAY


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def server(tmp_path: Path, clock: ManualClock) -> Iterator[Server]:
    server = open_server(tmp_path / "home", clock, export_padding_keys=5, export_padding_spread=1)
    yield server
    server.close()


def test_nothing_is_exported_or_deleted_on_the_word_of_a_clock_that_leapt_ahead(
    server: Server, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    watch = LeapWatch(clock)
    one = key()
    run_due_work(server, watch)
    take_upload(server, "VN", upload_of(one), Claims(ReportType.CONFIRMED_TEST))

    def is_stored() -> bool:
        with server.database.read() as conn:
            return one.key_data in find_keys(conn, [one.key_data])

    for _ in range(2):
        clock.jump(NOW + YEAR + 3_600)
        with caplog.at_level(logging.ERROR):
            run_due_work(server, watch)
        assert "leapt ahead by 365 days" in caplog.text
        assert is_stored()
        caplog.clear()
        clock.jump(NOW + 600)
        run_due_work(server, watch)
        assert server.storage.names("VN") == {"VN/index.txt"}
        assert caplog.text == ""
    clock.advance(DAY)
    run_due_work(server, watch)
    assert len(server.storage.names("VN")) > 1
    assert is_stored()


def test_a_clock_that_stays_ahead_for_a_day_is_believed(clock: ManualClock) -> None:
    watch = LeapWatch(clock)
    clock.jump(NOW + YEAR)
    assert watch.leap_seconds() == YEAR
    clock.advance(DAY - 1)
    assert watch.leap_seconds() == YEAR
    clock.advance(1)
    assert watch.leap_seconds() == 0
    clock.advance(30 * DAY)
    assert watch.leap_seconds() == 0


def test_a_clock_that_went_back_may_be_set_right_again(clock: ManualClock) -> None:
    watch = LeapWatch(clock)
    clock.jump(NOW - YEAR)
    assert watch.leap_seconds() == 0
    clock.jump(NOW)
    assert watch.leap_seconds() == 0
    clock.jump(NOW - YEAR)
    assert watch.leap_seconds() == 0
    clock.advance(DAY)
    assert watch.leap_seconds() == 0
    clock.jump(NOW + DAY)
    assert watch.leap_seconds() == YEAR


def test_small_leaps_long_waits_and_fast_clocks_are_no_leaps(clock: ManualClock) -> None:
    watch = LeapWatch(clock)
    for _ in range(20):
        clock.jump(clock.now() + DAY)
        assert watch.leap_seconds() == 0
        clock.advance(90 * DAY)
        assert watch.leap_seconds() == 0
    fast = LeapWatch(ScaledClock(shown=NOW, real=0, rate=1e6))
    assert fast.leap_seconds() == fast.leap_seconds() == 0
