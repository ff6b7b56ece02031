"""Notifications that there is something to read: one per day and level, until one arrives."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence

from ble_agent.exposures.check import ExposureDay
from ble_agent.messages.catalogue import say, with_home
from ble_agent.store.state import NOTIFIED, NOTIFY_FAULT
from tracing_core.clock import Clock
from tracing_core.configuration.env2 import NO_LEVEL
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction

__all__ = ["Notifier", "note_delivery", "undelivered_days", "unseen_days"]

_NAME = "truyvet"
_DESKTOP_SECONDS = 10.0
# Enough for a script to find its programs and the desktop, and nothing of ours.
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR")

_logger = logging.getLogger(__name__)


def unseen_days(db: Database, days: Iterable[ExposureDay]) -> list[ExposureDay]:
    """Return the days whose present level the owner was not notified of; record them as done.

    Days below every threshold of the authority are left out.

    Raises
    ------
    StoreError
        When that cannot be recorded: without the record, every check would notify again.
    """
    days = [day for day in days if day.level != NO_LEVEL]
    notified: Mapping[str, str] = NOTIFIED.get(db) or {}
    now = {day.date.isoformat(): day.level for day in days}
    new = [day for day in days if notified.get(day.date.isoformat()) != day.level]
    if now != notified:
        with transaction(db):
            NOTIFIED.set(db, now)
    return new


def undelivered_days(db: Database, days: Iterable[ExposureDay]) -> list[ExposureDay]:
    """Return the days at which the owner's command failed, if they still have that level."""
    fault = NOTIFY_FAULT.get(db)
    failed = {} if fault is None else fault["days"]
    return [day for day in days if failed.get(day.date.isoformat()) == day.level]


def note_delivery(db: Database, failed: Sequence[ExposureDay], clock: Clock) -> None:
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
    ) -> None:
        self._home = home
        self._command = tuple(command)
        self._is_desktop = is_desktop
        self._language = language
        self._environment = environment
        self._command_seconds = command_seconds

    def notify(
        self, days: Sequence[ExposureDay], *, again: Sequence[ExposureDay] = ()
    ) -> list[ExposureDay]:
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

    def _run_command(self, day: ExposureDay) -> bool:
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
