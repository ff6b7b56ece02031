"""Notifications that there is something to read: one per day and level, until one arrives."""

from __future__ import annotations

import asyncio
import datetime
import logging
import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ble_agent.exposures.local_days import Dates
from ble_agent.messages.catalogue import say, with_home
from ble_agent.store.state import HELD_BACK, NOTIFIED, NOTIFY_FAULT, HeldDayState
from tracing_core.clock import Clock
from tracing_core.configuration.env2 import NO_LEVEL
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction

__all__ = [
    "Notice",
    "Notifier",
    "held_days",
    "note_delivery",
    "note_late_delivery",
    "undelivered_days",
    "unseen_days",
]

_NAME = "truyvet"
_DESKTOP_SECONDS = 10.0
_DAY_MINUTES = 24 * 60
# Enough for a script to find its programs and the desktop, and nothing of ours.
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR")

_logger = logging.getLogger(__name__)


class Notice(Protocol):
    """A day to notify the owner of."""

    @property
    def date(self) -> datetime.date:
        """The UTC day."""

    @property
    def level(self) -> str:
        """The authority's name for the risk."""

    @property
    def owner_dates(self) -> Dates:
        """The days that the owner reads."""


@dataclass(frozen=True, slots=True)
class _HeldDay:
    date: datetime.date
    level: str
    owner_dates: Dates


def unseen_days(db: Database, days: Iterable[Notice], *, hold_back: bool = False) -> list[Notice]:
    """Return the days whose present level the owner was not notified of; record them as done.

    Days below every threshold of the authority are left out.

    Parameters
    ----------
    db
        The agent's database.
    days
        What the check found.
    hold_back
        Whether to keep them for `held_days` too, as they are not to be notified of now.

    Raises
    ------
    StoreError
        When that cannot be recorded: without the record, every check would notify again.
    """
    days = [day for day in days if day.level != NO_LEVEL]
    notified: Mapping[str, str] = NOTIFIED.get(db) or {}
    now = {day.date.isoformat(): day.level for day in days}
    new = [day for day in days if notified.get(day.date.isoformat()) != day.level]
    before = HELD_BACK.get(db) or {}
    held = {date: day for date, day in before.items() if now.get(date) == day["level"]}
    if hold_back:
        held |= {day.date.isoformat(): _held(day) for day in new}
    if now != notified or held != before:
        with transaction(db):
            NOTIFIED.set(db, now)
            HELD_BACK.set(db, held)
    return new


def _held(day: Notice) -> HeldDayState:
    return {"level": day.level, "local_date": day.owner_dates[-1].isoformat()}


def held_days(db: Database) -> list[Notice]:
    """Return the days that were held back and are still to be notified of."""
    return [
        _HeldDay(
            datetime.date.fromisoformat(date),
            day["level"],
            (datetime.date.fromisoformat(day["local_date"]),),
        )
        for date, day in sorted((HELD_BACK.get(db) or {}).items())
    ]


def note_late_delivery(db: Database, failed: Sequence[Notice], clock: Clock) -> None:
    """Note that no day is held back any more, and those at which the owner's command failed."""
    fault = NOTIFY_FAULT.get(db)
    with transaction(db):
        HELD_BACK.clear(db)
        if failed:
            days = {} if fault is None else fault["days"]
            days |= {day.date.isoformat(): day.level for day in failed}
            NOTIFY_FAULT.set(db, {"at": int(clock.now()), "days": days})


def undelivered_days(db: Database, days: Iterable[Notice]) -> list[Notice]:
    """Return the days at which the owner's command failed, if they still have that level."""
    fault = NOTIFY_FAULT.get(db)
    failed = {} if fault is None else fault["days"]
    return [day for day in days if failed.get(day.date.isoformat()) == day.level]


def note_delivery(db: Database, failed: Sequence[Notice], clock: Clock) -> None:
    """Note the days at which the owner's command failed, for the status and the next check."""
    if not failed and NOTIFY_FAULT.get(db) is None:
        return
    with transaction(db):
        if failed:
            days = {day.date.isoformat(): day.level for day in failed}
            NOTIFY_FAULT.set(db, {"at": int(clock.now()), "days": days})
        else:
            NOTIFY_FAULT.clear(db)


class Notifier:
    """Starts the owner's command and shows a notification on the desktop.

    Parameters
    ----------
    command
        Program and arguments; no shell reads them. Level and local day are added. Empty: none.
    is_desktop
        Whether to show a notification on the desktop, if there is one.
    language
        Language of the notification.
    environment
        Variables of the command and the desktop.
    command_seconds
        Time after which the command is killed.
    home
        The home folder to name in the command that the owner is to type; "" for the usual one.
    quiet_minutes
        The quiet hours as `AgentConfig.quiet_minutes`; `notify` itself does not look at them.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        is_desktop: bool,
        language: str,
        environment: Mapping[str, str] = os.environ,
        command_seconds: float = 30.0,
        home: str = "",
        quiet_minutes: tuple[int, int] | None = None,
    ) -> None:
        self._home = home
        self._quiet_minutes = quiet_minutes
        self._command = tuple(command)
        self._is_desktop = is_desktop
        self._language = language
        self._environment = environment
        self._command_seconds = command_seconds

    def quiet_seconds(self, now: float) -> float:
        """Return how long the quiet hours go on after a time (UTC Unix seconds); 0 outside them.

        It may be an hour off in a night in which the clocks are changed.
        """
        if self._quiet_minutes is None:
            return 0.0
        starts_at, ends_at = self._quiet_minutes
        local = datetime.datetime.fromtimestamp(now, datetime.UTC).astimezone()
        minute = 60 * local.hour + local.minute
        if (minute - starts_at) % _DAY_MINUTES >= (ends_at - starts_at) % _DAY_MINUTES:
            return 0.0
        return 60.0 * ((ends_at - minute) % _DAY_MINUTES) - local.second

    def notify(self, days: Sequence[Notice], *, again: Sequence[Notice] = ()) -> list[Notice]:
        """Notify the owner, and return the days at which the command failed.

        Failures are logged and do not raise: the check itself went well.

        Parameters
        ----------
        days
            What is new.
        again
            Days at which the command failed before; the desktop does not show them again.
        """
        failed = [day for day in (*days, *again) if not self._run_command(day)]
        if failed:
            _logger.warning("%s", say("log_notify_failed", self._language))
        if days and self._is_desktop:
            self._show_on_desktop()
        return failed

    def _run_command(self, day: Notice) -> bool:
        """Run the owner's command for a day, and return whether it went well."""
        if not self._command:
            return True
        passed_on = {
            name: self._environment[name] for name in _PASSED_ON if name in self._environment
        }
        try:
            process = subprocess.Popen(
                [*self._command, _plain(day.level), day.owner_dates[-1].isoformat()],
                env=passed_on,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except (OSError, ValueError):
            return False
        try:
            return process.wait(self._command_seconds) == 0
        except subprocess.TimeoutExpired:
            # The whole group, so that nothing that the command started goes on.
            os.killpg(process.pid, 9)
            process.wait()
            return False

    def _show_on_desktop(self) -> None:
        if not self._environment.get("DBUS_SESSION_BUS_ADDRESS"):
            return
        try:
            asyncio.run(asyncio.wait_for(self._ask_desktop(), _DESKTOP_SECONDS))
        except ImportError:
            # The extra `agent` brings the library, `hci` does not.
            _logger.debug("no dbus-fast")
        except Exception as error:
            _logger.warning("%s", say("log_desktop_failed", self._language))
            _logger.debug("desktop: %s", type(error).__name__)

    async def _ask_desktop(self) -> None:
        from dbus_fast import Message, MessageType, Variant
        from dbus_fast.aio import MessageBus

        address = self._environment["DBUS_SESSION_BUS_ADDRESS"]
        bus = await MessageBus(bus_address=address).connect()
        try:
            # org.freedesktop.Notifications, Desktop Notifications Specification 1.2.
            answer = await bus.call(
                Message(
                    destination="org.freedesktop.Notifications",
                    path="/org/freedesktop/Notifications",
                    interface="org.freedesktop.Notifications",
                    member="Notify",
                    signature="susssasa{sv}i",
                    body=[
                        _NAME,
                        0,
                        "dialog-information",
                        _NAME,
                        with_home(say("notify_body", self._language), self._home),
                        [],
                        {"urgency": Variant("y", 2)},
                        0,
                    ],
                )
            )
            if answer is None or answer.message_type is MessageType.ERROR:
                raise ConnectionError
        finally:
            bus.disconnect()


def _plain(level: str) -> str:
    """Return a level without characters that an option or a shell would give a meaning to."""
    # The authority names its levels, and must not be able to command a device.
    return re.sub(r"^-|[^\w -]", "_", level)
