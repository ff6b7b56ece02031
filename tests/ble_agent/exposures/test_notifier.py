"""Telling the owner: a command without a shell, and the desktop; once, and never too much."""

from __future__ import annotations

import datetime
import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ble_agent.config import load_config
from ble_agent.exposures.exposure_day import ExposureDay
from ble_agent.exposures.notifier import (
    Notifier,
    note_delivery,
    undelivered_days,
    unseen_days,
)
from ble_agent.store.database import open_store
from tests.ble_agent.radio.bluez.fake_bluez import private_bus
from tracing_core.clock import ManualClock
from tracing_core.errors import InvalidValue

MONDAY = ExposureDay(datetime.date(2027, 1, 4), "high", 5000.0, 40)
TUESDAY = ExposureDay(datetime.date(2027, 1, 5), "low", 900.0, 12)
FAINT = ExposureDay(datetime.date(2027, 1, 6), "none", 3.0, 1)

WRITE = "import os, sys; open(sys.argv[1], 'a').write(f'{sys.argv[2:]} {sorted(os.environ)}\\n')"


def teller(*command: str, **environment: str) -> Notifier:
    return Notifier(command, is_desktop=True, language="vi", environment=environment)


def test_each_day_and_level_is_told_once(tmp_path: Path) -> None:
    with open_store(tmp_path) as db:
        assert unseen_days(db, [MONDAY, FAINT]) == [MONDAY]
        assert unseen_days(db, [MONDAY]) == []
        assert unseen_days(db, [MONDAY, TUESDAY]) == [TUESDAY]
        worse = ExposureDay(TUESDAY.date, "high", 9000.0, 60)
        assert unseen_days(db, [MONDAY, worse]) == [worse]
        assert unseen_days(db, []) == []
        # A key that was taken back and confirmed again is news again.
        assert unseen_days(db, [MONDAY]) == [MONDAY]


def test_the_command_gets_level_and_day_and_nothing_else(tmp_path: Path) -> None:
    out = tmp_path / "out; touch x"
    secrets = {"TRUYVET_HOME": "/secret", "PATH": os.environ["PATH"], "HOME": "/h", "TOKEN": "t"}
    teller(sys.executable, "-c", WRITE, str(out), **secrets).notify([MONDAY, TUESDAY])
    lines = out.read_text().splitlines()
    assert [line.partition("]")[0] for line in lines] == [
        "['high', '2027-01-04'",
        "['low', '2027-01-05'",
    ]
    assert "TRUYVET" not in out.read_text()
    assert "TOKEN" not in out.read_text()
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("level", "given"),
    [
        ("$(touch x); `y` | z", "__touch x__ _y_ _ z"),
        ("--output=x", "_-output_x"),
        ("rất cao", "rất cao"),
        ("very-high", "very-high"),
    ],
)
def test_a_level_gives_no_orders_to_the_command_nor_to_a_shell_behind_it(
    tmp_path: Path, level: str, given: str
) -> None:
    # The authority names its levels, and the owner's command may hand them on, as ssh does.
    out = tmp_path / "out"
    told = ExposureDay(MONDAY.date, level, 1.0, 1)
    teller(sys.executable, "-c", WRITE, str(out)).notify([told])
    assert out.read_text().startswith(f"['{given}', '2027-01-04']")


@pytest.mark.parametrize("command", [["/nowhere/program"], [sys.executable, "-c", "exit(3)"]])
def test_a_command_that_fails_is_one_line_of_the_log(
    command: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        teller(*command).notify([MONDAY])
    (record,) = caplog.records
    assert "notify_command" in record.getMessage()
    assert "2027" not in caplog.text


def test_a_command_that_hangs_is_ended_with_all_it_started(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pid = tmp_path / "pid"
    # A shell is there at once, on a busy machine too.
    hang = 'sleep 600 & echo $! >"$0"; wait'
    with caplog.at_level(logging.WARNING):
        Notifier(
            ("sh", "-c", hang, str(pid)),
            is_desktop=False,
            language="vi",
            environment={"PATH": os.environ["PATH"]},
            command_seconds=1.5,
        ).notify([MONDAY])
    assert "took too long" in caplog.text or "quá lâu" in caplog.text
    status = Path(f"/proc/{pid.read_text().strip()}/status")
    until = time.monotonic() + 30
    while alive(status):
        assert time.monotonic() < until
        time.sleep(0.01)


def alive(status: Path) -> bool:
    """Tell whether a process, by its status file, is neither gone nor waiting to be buried."""
    try:
        return "State:\tZ" not in status.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_the_settings_file_names_a_command_as_a_list(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text('notify_command = ["/bin/x", "a b"]\n')
    assert load_config(tmp_path, {}).notify_command == ("/bin/x", "a b")
    for wrong in ('"/bin/x a"', "[1]", "true"):
        (tmp_path / "agent.toml").write_text(f"notify_command = {wrong}\n")
        with pytest.raises(InvalidValue, match="notify_command"):
            load_config(tmp_path, {})


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[str]:
    if shutil.which("dbus-daemon") is None:
        pytest.skip("dbus-daemon is not installed: sudo apt install dbus")
    with private_bus(tmp_path) as address:
        yield address


def test_the_desktop_shows_that_there_is_something_and_not_what(bus: str) -> None:
    shown: list[list[object]] = []
    ready, over = threading.Event(), threading.Event()

    def desktop() -> None:
        import asyncio

        from dbus_fast import Message, MessageType
        from dbus_fast.aio import MessageBus

        async def serve() -> None:
            connection = await MessageBus(bus_address=bus).connect()
            await connection.request_name("org.freedesktop.Notifications")

            def handle(message: Message) -> Message | None:
                if message.message_type is MessageType.METHOD_CALL and message.member == "Notify":
                    shown.append(message.body)
                    return Message.new_method_return(message, "u", [1])
                return None

            connection.add_message_handler(handle)
            ready.set()
            await asyncio.to_thread(over.wait)
            connection.disconnect()

        asyncio.run(serve())

    thread = threading.Thread(target=desktop)
    thread.start()
    try:
        assert ready.wait(10)
        teller(DBUS_SESSION_BUS_ADDRESS=bus).notify([MONDAY, TUESDAY])
        teller(DBUS_SESSION_BUS_ADDRESS=bus).notify([])
    finally:
        over.set()
        thread.join(10)
    (body,) = shown
    assert body[0] == body[3] == "truyvet"
    assert "Có thông tin mới" in str(body[4])
    assert "2027" not in str(body)
    assert "high" not in str(body)


def test_a_desktop_that_is_not_there_is_one_line(
    bus: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        teller(DBUS_SESSION_BUS_ADDRESS=bus).notify([MONDAY])
        teller(DBUS_SESSION_BUS_ADDRESS="unix:path=/nowhere").notify([MONDAY])
        teller().notify([MONDAY])
    assert len(caplog.records) == 2


def test_a_notification_that_failed_is_tried_again_until_it_arrives(tmp_path: Path) -> None:
    clock = ManualClock(1_800_000_000.0)
    flag = tmp_path / "network"
    notifier = Notifier(
        ("sh", "-c", f'test -e "{flag}" && echo "$*" >> "{tmp_path}/out"', "x"),
        is_desktop=False,
        language="en",
        environment={"PATH": os.environ["PATH"]},
    )
    with open_store(tmp_path) as db:
        days = [MONDAY, FAINT]
        note_delivery(db, notifier.notify(unseen_days(db, days)), clock)
        assert undelivered_days(db, days) == [MONDAY]
        # Another level is a notification of its own.
        assert undelivered_days(db, [replace(MONDAY, level="low")]) == []
        flag.touch()
        again = undelivered_days(db, days)
        note_delivery(db, notifier.notify(unseen_days(db, days), again=again), clock)
        assert undelivered_days(db, days) == []
    assert (tmp_path / "out").read_text() == "high 2027-01-04\n"


def test_the_command_gets_the_local_day(tmp_path: Path) -> None:
    # corona-warn-app/cwa-app-android#1963
    out = tmp_path / "out"
    night = replace(MONDAY, local_dates=(datetime.date(2027, 1, 4), datetime.date(2027, 1, 5)))
    teller(sys.executable, "-c", WRITE, str(out)).notify([night])
    assert out.read_text().startswith("['high', '2027-01-05']")
