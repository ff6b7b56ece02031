"""Checks of a running agent: in a thread, at the pace that the authority asks for."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from contextlib import suppress
from random import Random

from ble_agent.air.heard_days import keep_counts
from ble_agent.authority.client import ServerClient
from ble_agent.authority.link import ServerLink
from ble_agent.authority.membership import Membership, find_membership, load_membership
from ble_agent.exposures.advice import owner_text
from ble_agent.exposures.check import CheckResult, check
from ble_agent.exposures.check_fault import note_check
from ble_agent.exposures.notifier import (
    Notifier,
    held_days,
    note_delivery,
    note_late_delivery,
    undelivered_days,
    unseen_days,
)
from ble_agent.messages.catalogue import say
from ble_agent.messages.explanation import explain
from ble_agent.messages.refusals import not_possible
from ble_agent.store.database import open_store
from ble_agent.store.threads import repeat
from tracing_core.errors import TracingError
from tracing_core.store.database import Database

__all__ = ["Checker"]

_logger = logging.getLogger(__name__)
_UNJOINED_SECONDS = 4 * 3600.0
_RETRY_SECONDS = 1800.0
_FIRST_CHECK_SECONDS = (30.0, 300.0)
_JITTER = (0.8, 1.2)
_SOON_SECONDS = 1.0
_LOOK_AGAIN_SECONDS = 900.0


class Checker:
    """Repeats the check, with jitter, so that devices do not all ask at the same moment.

    Parameters
    ----------
    link
        The way to the server.
    random
        Source of the jitter.
    language
        Language of the lines in the log.
    notifier
        Notifies the owner of what is new; None for no notifications.
    show
        Shows a text in the terminal that the agent runs in; None without a terminal, as under a
        service manager, whose log must not hold days and strengths.
    """

    def __init__(
        self,
        link: ServerLink,
        random: Random,
        *,
        language: str = "en",
        notifier: Notifier | None = None,
        show: Callable[[str], None] | None = None,
    ) -> None:
        self._link = link
        self._random = random
        self._language = language
        self._notifier = notifier
        self._show = show
        self._shown = ""
        self._check_at = -math.inf
        self._is_holding_back = False

    async def run(self) -> None:
        """Check until cancelled."""
        first = self._random.uniform(*_FIRST_CHECK_SECONDS)
        await repeat(self._link.clock, first, self._check_and_pause)

    def _check_and_pause(self, cancelled: Callable[[], bool]) -> float:
        """Check if that is due, else deliver what was held back; return when to call again."""
        clock = self._link.clock
        if clock.monotonic() >= self._check_at:
            pause = self.check(cancelled) * self._random.uniform(*_JITTER)
            self._check_at = clock.monotonic() + pause
        else:
            with suppress(TracingError), open_store(self._link.home) as db:
                self._deliver_held_back(db)
        pause = max(0.0, self._check_at - clock.monotonic())
        if self._notifier is not None and self._is_holding_back:
            # The clock may be set meanwhile, and a sleep goes on while the device is suspended.
            quiet = max(_SOON_SECONDS, self._notifier.quiet_seconds(clock.now()))
            return min(pause, quiet, _LOOK_AGAIN_SECONDS)
        return pause

    def check(self, cancelled: Callable[[], bool] = lambda: False) -> float:
        """Check once, and return after how many seconds to check again, without jitter."""
        seconds = _UNJOINED_SECONDS
        try:
            with open_store(self._link.home) as db:
                self._deliver_held_back(db)
                keep_counts(db, self._link.clock.now())
                membership = find_membership(db)
                if membership is None:
                    fault = explain(not_possible("not_joined"), self._language)
                    _logger.warning("%s", say("log_not_joined", self._language, fault=fault))
                    return seconds
                seconds = float(membership.config.check_interval_seconds)
                with self._link.download_client(db, membership, cancelled=cancelled) as client:
                    result = self._check(db, client, cancelled)
                self._log(result)
                membership = load_membership(db)
                self._inform(db, result, membership)
                return float(membership.config.check_interval_seconds)
        except TracingError as error:
            fault = explain(error, self._language)
            _logger.warning("%s", say("log_check_failed", self._language, fault=fault))
        return min(seconds, _RETRY_SECONDS)

    def _check(
        self, db: Database, client: ServerClient, cancelled: Callable[[], bool]
    ) -> CheckResult:
        try:
            result = check(db, client, self._link.clock)
        except TracingError as error:
            if not cancelled():
                note_check(db, error)
            raise
        note_check(db, result.key_failure)
        return result

    def _inform(self, db: Database, result: CheckResult, membership: Membership) -> None:
        """Show the owner what was found, and notify of what is new."""
        if self._show is not None and result.found_days:
            text = owner_text(result, membership, self._language)
            # The terminal still shows what was found before.
            if text != self._shown:
                self._show(text)
            self._shown = text
        if self._notifier is not None:
            if self._notifier.quiet_seconds(self._link.clock.now()):
                unseen_days(db, result.found_days, hold_back=True)
                self._is_holding_back = bool(held_days(db))
                return
            again = undelivered_days(db, result.found_days)
            new = unseen_days(db, result.found_days)
            again = [day for day in again if day not in new]
            # Until the command has ended well, it counts as failed: this process may end first.
            note_delivery(db, [*new, *again], self._link.clock)
            note_delivery(db, self._notifier.notify(new, again=again), self._link.clock)

    def _deliver_held_back(self, db: Database) -> None:
        """Notify of what was held back, unless the quiet hours go on."""
        if self._notifier is None:
            return
        held = held_days(db)
        if held and not self._notifier.quiet_seconds(self._link.clock.now()):
            # It is noted only afterwards: if this process ends first, it is delivered again.
            note_late_delivery(db, self._notifier.notify(held), self._link.clock)
            held = []
        self._is_holding_back = bool(held)

    def _log(self, result: CheckResult) -> None:
        for error in filter(None, [result.failure, *result.later_faults]):
            fault = explain(error, self._language)
            _logger.warning("%s", say("log_check_failed", self._language, fault=fault))
        if result.areas_fault is not None:
            fault = explain(result.areas_fault, self._language)
            _logger.warning("%s", say("areas_fault", self._language, fault=fault))
        _logger.info("%s", say("log_checked", self._language, count=result.key_files))
        if result.skipped_keys:
            skipped = say("log_keys_skipped", self._language, count=result.skipped_keys)
            _logger.warning("%s", skipped)
        if result.found_days and self._show is None:
            # Days and strengths do not belong in the log.
            _logger.info("%s", say("log_something_to_read", self._language))
