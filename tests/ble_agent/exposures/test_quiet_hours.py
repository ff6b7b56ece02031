"""Quiet hours: nothing is shown or started in them, and what waits comes once when they end."""

from __future__ import annotations

import asyncio
import datetime
import os
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ble_agent.authority.client import ServerClient
from ble_agent.authority.link import ServerLink
from ble_agent.authority.membership import join
from ble_agent.config import AgentConfig, load_config
from ble_agent.exposures.checker import Checker
from ble_agent.exposures.exposure_day import ExposureDay
from ble_agent.exposures.notifier import Notifier, held_days, unseen_days
from ble_agent.store.database import open_store
from ble_agent.store.state import HELD_BACK, NOTIFIED, NOTIFY_FAULT
from tests.ble_agent.app.test_whom_it_concerns import meet
from tests.ble_agent.fake_server import FakeServer, fake_server
from tracing_core.clock import ManualClock
from tracing_core.errors import InvalidSetting
from tracing_core.store.database import Database
from tracing_core.trust.join_line import JoinLine

HOUR = 3600
MIDNIGHT = 18_865 * 24 * HOUR
NIGHT = (22 * 60, 7 * 60)


@pytest.fixture(autouse=True)
def saigon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Ho_Chi_Minh")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def at(local: str) -> float:
    """Return the time of a local moment, such as ``2021-08-26 23:30``."""
    return datetime.datetime.fromisoformat(local).timestamp()


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("", None),
        ("22:00-07:00", (1320, 420)),
        ("9:05 - 17:30", (545, 1050)),
        ("22:00–07:00", (1320, 420)),
        ("23:59-00:00", (1439, 0)),
    ],
)
def test_quiet_hours_are_two_times_of_day(
    tmp_path: Path, text: str, minutes: tuple[int, int] | None
) -> None:
    (tmp_path / "agent.toml").write_text(f'quiet_hours = "{text}"\n')
    assert load_config(tmp_path, {}).quiet_minutes == minutes


@pytest.mark.parametrize(
    "text", ["22:00", "22:00-24:00", "25:00-7:00", "7-8", "22:00-22:00", "22:00-07:00\n", " "]
)
def test_wrong_quiet_hours_are_one_clear_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        AgentConfig(tmp_path, quiet_hours=text)
    assert caught.value.place == "quiet_hours"
    assert '"22:00-07:00"' in str(caught.value)
    assert '"22:00-07:00"' in caught.value.vi
    assert "\n" not in f"{caught.value}{caught.value.vi}"


@given(st.text(alphabet="0123456789:- –٣", max_size=14))
def test_any_text_is_hours_or_refused(text: str) -> None:
    try:
        minutes = AgentConfig(Path(), quiet_hours=text).quiet_minutes
    except InvalidSetting:
        return
    assert (minutes is None) == (text == "")
    assert minutes is None or all(0 <= minute < 1440 for minute in minutes)


@pytest.mark.parametrize(
    ("quiet", "moment", "seconds"),
    [
        (NIGHT, "2021-08-26 21:59:59", 0),
        (NIGHT, "2021-08-26 22:00:00", 9 * HOUR),
        (NIGHT, "2021-08-26 23:59:30", 7 * HOUR + 30),
        (NIGHT, "2021-08-27 00:00:00", 7 * HOUR),
        (NIGHT, "2021-08-27 06:59:59", 1),
        (NIGHT, "2021-08-27 07:00:00", 0),
        ((8 * 60, 9 * 60), "2021-08-27 08:30:00", HOUR / 2),
        ((8 * 60, 9 * 60), "2021-08-27 09:00:00", 0),
        ((8 * 60, 9 * 60), "2021-08-27 07:59:59", 0),
        (None, "2021-08-27 03:00:00", 0),
    ],
)
def test_quiet_hours_go_by_the_local_clock(
    quiet: tuple[int, int] | None, moment: str, seconds: float
) -> None:
    notifier = Notifier((), is_desktop=False, language="vi", quiet_minutes=quiet)
    assert notifier.quiet_seconds(at(moment)) == seconds


class Device:
    """A device that met somebody, its server, and the notifications that came."""

    def __init__(self, folder: Path, server: FakeServer, clock: ManualClock) -> None:
        self.home, self.out, self.clock, self.server = (
            folder / "home",
            folder / "out",
            clock,
            server,
        )
        self.home.mkdir(mode=0o700)
        with open_store(self.home) as db, ServerClient(server.url, clock) as client:
            join(db, client, JoinLine.parse(server.line), clock.now())

    def expose(self, began: int) -> None:
        with open_store(self.home) as db:
            keys = meet(db, began)
        self.server.add_file(f"{len(self.server.files):05}.zip", keys)

    def start(self, program: str = 'echo "$*" >> "$0"', url: str = "") -> Checker:
        """Return the checks of an agent that has just started."""
        notifier = Notifier(
            ("sh", "-c", program, str(self.out)),
            is_desktop=False,
            language="vi",
            environment={"PATH": os.environ["PATH"]},
            quiet_minutes=NIGHT,
        )
        return Checker(ServerLink(self.home, self.clock, url), Random(1), notifier=notifier)

    @property
    def came(self) -> list[str]:
        return self.out.read_text().splitlines() if self.out.exists() else []


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(at("2021-08-26 23:30:00"))


@pytest.fixture
def server(clock: ManualClock) -> Iterator[FakeServer]:
    with fake_server(clock=clock) as fake:
        yield fake


@pytest.fixture
def device(tmp_path: Path, server: FakeServer, clock: ManualClock) -> Device:
    return Device(tmp_path, server, clock)


def test_what_is_found_at_night_comes_once_in_the_morning(
    device: Device, clock: ManualClock
) -> None:
    device.expose(MIDNIGHT - 19 * HOUR)
    checker = device.start()
    checker.check()
    assert device.came == []
    clock.advance(4 * HOUR)
    checker.check()
    assert device.came == []
    # Another process, as after a power cut, and still the night.
    device.start().check()
    assert device.came == []
    clock.jump(at("2021-08-27 07:00:00"))
    restarted = device.start()
    for _ in range(3):
        restarted.check()
        assert device.came == ["high 2021-08-25"]
        clock.advance(HOUR)
    device.start().check()
    assert device.came == ["high 2021-08-25"]


def test_it_comes_without_a_server_too(device: Device, clock: ManualClock) -> None:
    device.expose(MIDNIGHT - 19 * HOUR)
    device.start().check()
    clock.jump(at("2021-08-27 07:00:01"))
    device.start(url="http://127.0.0.1:9").check()
    assert len(device.came) == 1


def test_a_notification_that_is_cut_off_comes_again(device: Device, clock: ManualClock) -> None:
    device.expose(MIDNIGHT - 19 * HOUR)
    device.start().check()
    clock.jump(at("2021-08-27 07:30:00"))

    class Killed(Notifier):
        def notify(self, *_: object, **__: object) -> list[object]:  # type: ignore[override]
            raise KeyboardInterrupt

    killed = Killed(["true"], is_desktop=False, language="vi", quiet_minutes=NIGHT)
    with pytest.raises(KeyboardInterrupt):
        Checker(ServerLink(device.home, clock), Random(1), notifier=killed).check()
    device.start().check()
    assert len(device.came) == 1


def test_a_command_that_fails_in_the_morning_is_started_again(
    device: Device, clock: ManualClock
) -> None:
    device.expose(MIDNIGHT - 19 * HOUR)
    device.start().check()
    clock.jump(at("2021-08-27 07:30:00"))
    # The late notification and the check after it both find the command failing.
    device.start("exit 1").check()
    with open_store(device.home) as db:
        assert NOTIFY_FAULT.get(db) is not None
        assert not HELD_BACK.get(db)
    # At night it is not started again either.
    clock.jump(at("2021-08-27 22:30:00"))
    device.start().check()
    assert device.came == []
    clock.jump(at("2021-08-28 07:30:00"))
    device.start().check()
    assert len(device.came) == 1


async def asleep(clock: ManualClock) -> None:
    for _ in range(20_000):
        if clock.sleepers:
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it does not sleep")


async def test_a_running_agent_wakes_when_the_quiet_hours_end_and_asks_no_server(
    device: Device, clock: ManualClock
) -> None:
    device.expose(MIDNIGHT - 19 * HOUR)
    device.server.configure(2, check_interval_seconds=86_400)
    running = asyncio.create_task(device.start().run())
    asked = 0
    while clock.now() < at("2021-08-27 07:10:00"):
        await asleep(clock)
        if clock.now() < at("2021-08-27 07:00:00"):
            assert device.came == []
            asked = len(device.server.asked)
        clock.advance(300)
        await asyncio.sleep(0)
    await asleep(clock)
    running.cancel()
    assert len(device.came) == 1
    assert len(device.server.asked) == asked > 0


DAYS = [
    ExposureDay(datetime.date(2021, 8, day), level, 100.0, 10)
    for day in (23, 24)
    for level in ("low", "high", "none")
]


@given(st.lists(st.tuples(st.booleans(), st.sets(st.sampled_from(DAYS), max_size=4)), max_size=8))
def test_what_is_held_back_stands_and_was_not_shown(
    checks: list[tuple[bool, set[ExposureDay]]],
) -> None:
    db = Database(memory=True)
    db.execute("CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
    for is_quiet, found in checks:
        days = list({day.date: day for day in found}.values())
        before = {(day.date, day.level) for day in held_days(db)}
        new = unseen_days(db, days, hold_back=is_quiet)
        standing = {(day.date, day.level) for day in days if day.level != "none"}
        waiting = before | {(day.date, day.level) for day in new if is_quiet}
        assert {(day.date, day.level) for day in held_days(db)} == waiting & standing
        assert {(date, level) for date, level in (NOTIFIED.get(db) or {}).items()} == {
            (date.isoformat(), level) for date, level in standing
        }
    db.close()
