"""Checks of a running agent: in a thread, at the pace that the authority asks for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from random import Random

from ble_agent.authority.link import ServerLink
from ble_agent.authority.membership import find_membership, load_membership
from ble_agent.exposures.check import CheckResult, check
from ble_agent.exposures.notifier import Notifier, unseen_days
from ble_agent.messages.catalogue import say
from ble_agent.messages.explanation import explain
from ble_agent.messages.refusals import not_possible
from ble_agent.store.database import open_store
from ble_agent.store.threads import repeat
from tracing_core.errors import TracingError

__all__ = ["Checker"]

_logger = logging.getLogger(__name__)
_UNJOINED_SECONDS = 4 * 3600.0
_RETRY_SECONDS = 1800.0
_FIRST_CHECK_SECONDS = (30.0, 300.0)
_JITTER = (0.8, 1.2)


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
    """

    def __init__(
        self,
        link: ServerLink,
        random: Random,
        *,
        language: str = "en",
        notifier: Notifier | None = None,
    ) -> None:
        self._link = link
        self._random = random
        self._language = language
        self._notifier = notifier

    async def run(self) -> None:
        """Check until cancelled."""
        first = self._random.uniform(*_FIRST_CHECK_SECONDS)
        await repeat(self._link.clock, first, self._check_and_pause)

    def _check_and_pause(self, cancelled: Callable[[], bool]) -> float:
        return self.check(cancelled) * self._random.uniform(*_JITTER)

    def check(self, cancelled: Callable[[], bool] = lambda: False) -> float:
        """Check once, and return after how many seconds to check again, without jitter."""
        seconds = _UNJOINED_SECONDS
        try:
            with open_store(self._link.home) as db:
                membership = find_membership(db)
                if membership is None:
                    fault = explain(not_possible("not_joined"), self._language)
                    _logger.warning("%s", say("log_not_joined", self._language, fault=fault))
                    return seconds
                seconds = float(membership.config.check_interval_seconds)
                with self._link.download_client(db, membership, cancelled=cancelled) as client:
                    result = check(db, client, self._link.clock)
                self._log(result)
                if self._notifier is not None:
                    self._notifier.notify(unseen_days(db, result.days))
                return float(load_membership(db).config.check_interval_seconds)
        except TracingError as error:
            fault = explain(error, self._language)
            _logger.warning("%s", say("log_check_failed", self._language, fault=fault))
        return min(seconds, _RETRY_SECONDS)

    def _log(self, result: CheckResult) -> None:
        if result.failure is not None:
            fault = explain(result.failure, self._language)
            _logger.warning("%s", say("log_check_failed", self._language, fault=fault))
        _logger.info("%s", say("log_checked", self._language, count=result.key_files))
        if result.skipped_keys:
            skipped = say("log_keys_skipped", self._language, count=result.skipped_keys)
            _logger.warning("%s", skipped)
        if result.days:
            # Days and strengths do not belong in the log.
            _logger.info("%s", say("log_something_to_read", self._language))
