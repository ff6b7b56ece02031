"""A server whose clock is wrong, while it runs or when it starts (attacks.md T4)."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from server.context import Server
from server.export.exporter import run_due
from server.operation.clock_watch import ClockWatch
from server.operation.worker import run_due_work
from server.publish.upload import take_upload
from server.store.diagnosis_keys import find_keys
from server.store.known_time import KnownTime, TimeKeeper
from server.verification.certificate import Claims
from tests.server.homes import NOW, TODAY, key, open_server, upload_of
from tracing_core.clock import Clock, ManualClock, ScaledClock
from tracing_core.export_file import read_export
from tracing_core.http.publish_request import PublishedKey
from tracing_core.protocol.diagnosis_key import ReportType

HOUR = 3_600
DAY = 86_400
YEAR = 365 * DAY
FEW = {"export_padding_keys": 5, "export_padding_spread": 1}
CONFIRMED = Claims(ReportType.CONFIRMED_TEST)
MIDNIGHT = TODAY * 600.0


@contextmanager
def running(
    home: Path, clock: Clock, vouches: Callable[[Clock], bool] | None = None
) -> Iterator[Server]:
    server = open_server(home, clock, **FEW)
    if vouches is not None:
        server = replace(server, time=TimeKeeper(vouches))
    yield server
    server.close()


def report(server: Server, *keys: PublishedKey) -> None:
    take_upload(server, "VN", upload_of(*keys), CONFIRMED)


def published(server: Server, keys: list[PublishedKey]) -> int:
    """Return how many of some keys are in a key file."""
    folder = server.settings.home / "exports/VN"
    found = {each.key_data for path in folder.glob("*.zip") for each in read_export(path).keys}
    return len(found.intersection(each.key_data for each in keys))


def time_of(server: Server) -> KnownTime:
    with server.database.read() as conn:
        return server.time.read(conn, server.clock)


# attacks.md T4: the clock, and the hours for which the keys that left still counted.
TABLE = [
    (7, 3.0),
    (7, 6.0),
    (7, 12.0),
    (7, 18.0),
    (7, 23.9),
    (13, 18.0),
    (23, 6.0),
    (23, 7.2),
    (23, 12.0),
    (7, 30.0),
    (7, 72.0),
    (7, 365 * 24.0),
]


@pytest.mark.parametrize("is_restarted", [False, True], ids=["running", "started anew"])
@pytest.mark.parametrize(("hour", "leap"), TABLE)
def test_no_key_in_use_leaves_by_a_clock_that_is_ahead(
    tmp_path: Path, hour: int, leap: float, is_restarted: bool
) -> None:
    home, clock = tmp_path / "home", ManualClock(MIDNIGHT + hour * HOUR)
    in_use = [key(TODAY) for _ in range(20)]
    expired = [key(TODAY - 144) for _ in range(5)]
    with running(home, clock) as server:
        watch = ClockWatch()
        run_due_work(server, watch)
        for each in in_use:
            report(server, each)
        report(server, *expired[:1])
        if is_restarted:
            clock = ManualClock(clock.now() + leap * HOUR)
        else:
            clock.jump(clock.now() + leap * HOUR)
            for _ in range(3):
                run_due_work(server, watch)
                run_due(server, "VN")
            assert published(server, in_use) == 0
    if not is_restarted:
        return
    with running(home, clock) as server:
        watch = ClockWatch()
        for _ in range(3):
            run_due_work(server, watch)
            if leap < 14 * 24:
                run_due(server, "VN")
        assert published(server, in_use) == 0
        # Nor later, before two hours after their last use by the true time.
        left = MIDNIGHT + DAY + 2 * HOUR - (MIDNIGHT + hour * HOUR)
        while left > HOUR:
            clock.advance(HOUR)
            left -= HOUR
            run_due_work(server, watch)
            assert published(server, in_use) == 0
        # But in the end they do: seconds that have certainly passed prove that they expired. Only
        # a clock by which all of them are too old must be set right first.
        if leap > 14 * 24:
            clock.jump(clock.now() - leap * HOUR)
        for _ in range(40):
            clock.advance(HOUR)
            run_due_work(server, watch)
        assert published(server, in_use) == len(in_use)
        assert published(server, expired) == 1


def test_keys_of_every_day_wait_while_a_wrong_clock_goes_on_for_a_week(tmp_path: Path) -> None:
    home, clock = tmp_path / "home", ManualClock(MIDNIGHT + 7 * HOUR)
    with running(home, clock) as server:
        run_due_work(server, ClockWatch())
    true, clock = ManualClock(clock.now()), ManualClock(clock.now() + 30 * HOUR)
    with running(home, clock) as server:
        watch = ClockWatch()
        days: list[tuple[float, list[PublishedKey]]] = []
        for hour in range(7 * 24):
            if hour % 24 == 3:
                day = int(true.now() // DAY)
                keys = [key(day * 144) for _ in range(3)]
                for each in keys:
                    report(server, each)
                days.append(((day + 1) * DAY + 2 * HOUR, keys))
            for each in (true, clock):
                each.advance(HOUR)
            run_due_work(server, watch)
            for leaves_at, keys in days:
                if true.now() < leaves_at:
                    assert published(server, keys) == 0
        left = [keys for leaves_at, keys in days if leaves_at + 12 * HOUR < true.now()]
        # Three uploads with a newer key each day prove the time; none waits for 26 hours.
        assert len(left) >= 5
        assert all(published(server, keys) == 3 for keys in left[:-1])


def test_a_week_off_holds_no_key_for_ever(tmp_path: Path) -> None:
    home, clock = tmp_path / "home", ManualClock(NOW)
    before, after = key(TODAY), key(TODAY + 7 * 144)
    with running(home, clock) as server:
        run_due_work(server, ClockWatch())
        report(server, before)
    clock = ManualClock(NOW + 7 * DAY)
    with running(home, clock) as server:
        watch = ClockWatch()
        run_due_work(server, watch)
        report(server, after)
        assert time_of(server).doubt_seconds == 7 * DAY
        for _ in range(38):
            clock.advance(HOUR)
            run_due_work(server, watch)
        # No window closed while the clock was far ahead, for a day; then 26 hours for the key.
        assert published(server, [before]) == 1
        assert published(server, [after]) == 0
        for _ in range(24):
            clock.advance(HOUR)
            run_due_work(server, watch)
        assert published(server, [before, after]) == 2


def _by_a_time_server(server: Server) -> Server:
    return replace(server, time=TimeKeeper(lambda _: True))


def _by_the_operator(server: Server) -> Server:
    with server.database.begin() as conn:
        server.time.believe(conn, server.clock)
    return server


def _by_three_uploads(server: Server) -> Server:
    for count in range(3):
        assert time_of(server).doubt_seconds == 7 * DAY, count
        report(server, key(TODAY + 7 * 144))
    return server


@pytest.mark.parametrize("prove", [_by_a_time_server, _by_the_operator, _by_three_uploads])
def test_what_proves_the_clock_ends_the_wait(
    tmp_path: Path, prove: Callable[[Server], Server]
) -> None:
    home, clock = tmp_path / "home", ManualClock(NOW)
    one = key(TODAY)
    with running(home, clock) as server:
        report(server, one)
    clock = ManualClock(NOW + 7 * DAY)
    with running(home, clock) as server:
        run_due_work(server, ClockWatch())
        assert published(server, [one]) == 0
        server = prove(server)
        run_due_work(server, ClockWatch())
        assert time_of(server).doubt_seconds < DAY
        assert published(server, [one]) == 1


def test_two_uploads_or_one_of_many_keys_prove_nothing(tmp_path: Path) -> None:
    home, clock = tmp_path / "home", ManualClock(NOW)
    with running(home, clock):
        pass
    clock = ManualClock(NOW + 7 * DAY)
    with running(home, clock) as server:
        report(server, *(key(TODAY + 144 * day) for day in range(7)))
        again = key(TODAY + 7 * 144)
        for _ in range(5):
            report(server, again)
        assert time_of(server).doubt_seconds == 7 * DAY


def test_all_nodes_share_what_one_has_seen(tmp_path: Path) -> None:
    home, one = tmp_path / "home", ManualClock(NOW)
    other = ManualClock(NOW + DAY)
    with running(home, one) as first, running(home, other) as second:
        assert time_of(second).doubt_seconds == DAY
        for clock in (one, other):
            clock.advance(20 * HOUR)
        run_due_work(second, ClockWatch())
        one.advance(HOUR)
        run_due_work(first, ClockWatch())
        # The other node has run for 20 hours; an hour of the first has been noted since.
        assert time_of(second).at == NOW + 21 * HOUR
        with first.database.begin() as conn:
            first.time.believe(conn, one)
        assert time_of(second).at == one.now()
        assert time_of(first).at == one.now()


def test_a_clock_that_leapt_ahead_deletes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home, clock = tmp_path / "home", ManualClock(NOW)
    one = key()

    def is_stored(server: Server) -> bool:
        with server.database.read() as conn:
            return one.key_data in find_keys(conn, [one.key_data])

    with running(home, clock) as server:
        watch = ClockWatch()
        run_due_work(server, watch)
        report(server, one)
        clock.jump(NOW + YEAR)
        with caplog.at_level(logging.ERROR):
            run_due_work(server, watch)
        assert "may be 365 days ahead" in caplog.text
        assert "server clock --is-right" in caplog.text
        assert server.storage.names("VN") == {"VN/index.txt", "VN/index.jws"}
        caplog.clear()
        for _ in range(3):
            run_due_work(server, watch)
        assert caplog.text == ""
    clock = ManualClock(NOW + YEAR)
    with running(home, clock) as server:
        watch = ClockWatch()
        for _ in range(48):
            clock.advance(HOUR)
            run_due_work(server, watch)
        assert is_stored(server)
        # Set right again, it goes on.
        clock.jump(NOW + 48 * HOUR)
        caplog.clear()
        with caplog.at_level(logging.INFO):
            run_due_work(server, watch)
        assert "agrees with what is known again" in caplog.text
        assert is_stored(server)
        for _ in range(15):
            clock.advance(DAY)
            run_due_work(server, watch)
        assert not is_stored(server)


def test_a_clock_that_is_behind_is_named_and_lets_no_key_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home, clock = tmp_path / "home", ManualClock(NOW)
    one = key(TODAY)
    with running(home, clock) as server:
        watch = ClockWatch()
        run_due_work(server, watch)
        report(server, one)
        clock.jump(NOW - 3 * DAY)
        with caplog.at_level(logging.ERROR):
            run_due_work(server, watch)
        assert "shows 3 days less than when it was last seen" in caplog.text
        assert published(server, [one]) == 0
        assert time_of(server).behind_seconds == 3 * DAY


def test_a_time_server_corrects_what_was_believed(tmp_path: Path) -> None:
    home, clock = tmp_path / "home", ManualClock(NOW + YEAR)
    with running(home, clock):
        pass
    clock = ManualClock(NOW)
    with running(home, clock, vouches=lambda _: True) as server:
        run_due_work(server, ClockWatch())
    clock = ManualClock(NOW + DAY)
    with running(home, clock) as server:
        assert time_of(server).doubt_seconds == DAY


def test_clocks_that_are_set_for_a_trial_are_believed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running(home, ScaledClock(shown=NOW, real=0, rate=1)) as server:
        assert time_of(server).is_vouched_for
    fast = ScaledClock(shown=NOW + YEAR, real=time.time(), rate=1e6)
    with running(home, fast) as server:
        assert time_of(server).doubt_seconds == 0


def test_what_is_certain_is_the_earlier_of_the_two_times() -> None:
    known = KnownTime(NOW, NOW - 60, 0, is_vouched_for=False)
    assert known.certain == NOW - 60
    assert replace(known, now=NOW - 100).certain == NOW - 100
