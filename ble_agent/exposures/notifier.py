"""Notifications that there is something to read: one per day and level."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence

from ble_agent.exposures.check import ExposureDay
from ble_agent.messages.catalogue import say
from ble_agent.store.state import NOTIFIED
from tracing_core.configuration.env2 import NO_LEVEL
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction

__all__ = ["Notifier", "unseen_days"]

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


class Notifier:
    """Starts the owner's command and shows a notification on the desktop.

    Parameters
    ----------
    command
        Program and arguments; no shell reads them. Level and day are added. Empty: none.
    is_desktop
        Whether to show a notification on the desktop, if there is one.
    language
        Language of the notification.
    environment
        Variables of the command and the desktop.
    command_seconds
        Time after which the command is killed.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        is_desktop: bool,
        language: str,
        environment: Mapping[str, str] = os.environ,
        command_seconds: float = 30.0,
    ) -> None:
        self._command = tuple(command)
        self._is_desktop = is_desktop
        self._language = language
        self._environment = environment
        self._command_seconds = command_seconds

    def notify(self, days: Sequence[ExposureDay]) -> None:
        """Notify the owner of some days; failures are only logged: the check itself went well."""
        for day in days:
            self._start_command(day)
        if days and self._is_desktop:
            self._show_on_desktop()

    def _start_command(self, day: ExposureDay) -> None:
        if not self._command:
            return
        passed_on = {
            name: self._environment[name] for name in _PASSED_ON if name in self._environment
        }
        try:
            process = subprocess.Popen(
                [*self._command, _plain(day.level), day.date.isoformat()],
                env=passed_on,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except (OSError, ValueError):
            _logger.warning("%s", say("log_notify_failed", self._language))
            return
        try:
            failed = process.wait(self._command_seconds) != 0
        except subprocess.TimeoutExpired:
            # The whole group, so that nothing that the command started goes on.
            os.killpg(process.pid, 9)
            process.wait()
            failed = True
        if failed:
            _logger.warning("%s", say("log_notify_failed", self._language))

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
                        say("notify_body", self._language),
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
