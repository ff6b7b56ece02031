"""The check of published keys while the agent runs: in a thread of its own, now and then."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from random import Random

from ble_agent.authority.client import ServerClient
from ble_agent.authority.download import KnownAnswers, PartialFile
from ble_agent.authority.membership import find_membership, load_membership
from ble_agent.exposures.check import CheckResult, check
from ble_agent.exposures.notifier import Notifier, unseen_days
from ble_agent.messages.catalogue import explain, say
from ble_agent.messages.refusals import not_possible
from ble_agent.store.database import open_store
from ble_agent.store.home import PART_NAME
from ble_agent.store.threads import in_thread
from tracing_core.clock import Clock
from tracing_core.errors import TracingError

__all__ = ["Checker"]

_logger = logging.getLogger(__name__)
_UNJOINED_SECONDS = 4 * 3600.0
_RETRY_SECONDS = 1800.0
_FIRST_CHECK_SECONDS = (30.0, 300.0)


class Checker:
    """Checks at the pace the authority asks for, not on a grid that all devices share.

    Parameters
    ----------
    home
        The agent's folder.
    clock
        The agent's clock.
    random
        Where jitter comes from.
    server
        Where the server is now; "" if where this device joined it.
    language
        Of the lines in the log that name a fault.
    notifier
        Tells the owner of what is new; None tells nobody.
    """

    def __init__(
        self,
        home: Path,
        clock: Clock,
        random: Random,
        *,
        server: str = "",
        language: str = "en",
        notifier: Notifier | None = None,
    ) -> None:
        self._home = home
        self._clock = clock
        self._random = random
        self._server = server
        self._language = language
        self._notifier = notifier
        self._cancelled = threading.Event()

    async def run(self) -> None:
        """Check until cancelled."""
        await self._clock.sleep(self._random.uniform(*_FIRST_CHECK_SECONDS))
        while True:
            seconds = await in_thread(self._check, self._cancelled)
            await self._clock.sleep(seconds * self._random.uniform(0.8, 1.2))

    def _check(self) -> float:
        """Check once, and return after how many seconds to check again."""
        seconds = _UNJOINED_SECONDS
        try:
            with open_store(self._home) as db:
                membership = find_membership(db)
                if membership is None:
                    fault = explain(not_possible("not_joined"), self._language)
                    _logger.warning("%s", say("log_not_joined", self._language, fault=fault))
                    return seconds
                seconds = float(membership.config.check_interval_seconds)
                url = self._server or membership.line.url
                with ServerClient(
                    url,
                    self._clock,
                    cancelled=self._cancelled.is_set,
                    known=KnownAnswers(db),
                    partial=PartialFile(self._home / PART_NAME),
                ) as client:
                    result = check(db, client, self._clock)
                self._tell(result)
                if self._notifier is not None:
                    self._notifier.tell(unseen_days(db, result.days))
                return float(load_membership(db).config.check_interval_seconds)
        except TracingError as error:
            _logger.warning("check: %s", explain(error, self._language))
        return min(seconds, _RETRY_SECONDS)

    def _tell(self, result: CheckResult) -> None:
        if result.failure is not None:
            _logger.warning("check: %s", explain(result.failure, self._language))
        _logger.info("checked %d new key files", result.key_files)
        if result.days:
            # The log is no place for days and strengths.
            _logger.info("there is something to read: truyvet agent check")
