"""Telling the owner that there is something to read, once for each day and level."""

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
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction

__all__ = ["Notifier", "unseen_days"]

_NAME = "truyvet"
_COMMAND_SECONDS = 30.0
_DESKTOP_SECONDS = 10.0
# Enough for a script to find its programs and the desktop, and nothing of ours.
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR")

_logger = logging.getLogger(__name__)


def unseen_days(db: Database, days: Iterable[ExposureDay]) -> list[ExposureDay]:
    """Return the days that the owner was not told of yet at their level, and note that they are.

    Days whose level reaches no threshold are nobody's alarm.

    Raises
    ------
    StoreError
        When that cannot be noted; then nobody is told, for it would be told again and again.
    """
    days = [day for day in days if day.level != "none"]
    told: Mapping[str, str] = NOTIFIED.get(db) or {}
    now = {day.date.isoformat(): day.level for day in days}
    new = [day for day in days if told.get(day.date.isoformat()) != day.level]
    if now != told:
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
        Whether to ask the desktop, if there is one.
    language
        Of the notification.
    environment
        Where the command's and the desktop's variables come from.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        is_desktop: bool,
        language: str,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._command = tuple(command)
        self._is_desktop = is_desktop
        self._language = language
        self._environment = environment

    def tell(self, days: Sequence[ExposureDay]) -> None:
        """Tell of some days; what goes wrong is logged, for the check itself went well."""
        for day in days:
            self._start(day)
        if days and self._is_desktop:
            self._show()

    def _start(self, day: ExposureDay) -> None:
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
            failed = process.wait(_COMMAND_SECONDS) != 0
        except subprocess.TimeoutExpired:
            # The whole group, or what it started would go on.
            os.killpg(process.pid, 9)
            process.wait()
            failed = True
        if failed:
            _logger.warning("%s", say("log_notify_failed", self._language))

    def _show(self) -> None:
        if not self._environment.get("DBUS_SESSION_BUS_ADDRESS"):
            return
        try:
            asyncio.run(asyncio.wait_for(self._notify(), _DESKTOP_SECONDS))
        except ImportError:
            # The desktop is an extra: `agent` has the library, `hci` does not.
            _logger.debug("no dbus-fast")
        except Exception as error:
            _logger.warning("%s", say("log_desktop_failed", self._language))
            _logger.debug("desktop: %s", type(error).__name__)

    async def _notify(self) -> None:
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
    """Return a level without what a command takes for an option, or a shell behind it for more."""
    # The authority names its levels, and must not be able to have a device do anything.
    return re.sub(r"^-|[^\w -]", "_", level)
