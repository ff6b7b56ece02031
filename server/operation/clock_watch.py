"""Watch over the clock of a running server, whose log shows when and why anything is held back."""

from __future__ import annotations

import logging

from server.context import Server
from server.store.known_time import KnownTime

__all__ = ["ClockWatch"]

_SECONDS_BETWEEN_LINES = 3_600
_log = logging.getLogger(__name__)


class ClockWatch:
    """Compares the clock with the known time, and logs a difference once an hour."""

    def __init__(self) -> None:
        self._state = "right"
        self._logged_at = 0

    def look(self, server: Server) -> KnownTime:
        """Return what is certain about the time, noted for all nodes; log a difference.

        Raises
        ------
        StoreError
            When the database cannot be used.
        """
        with server.database.begin() as conn:
            time = server.time.note(conn, server.clock)
        server.counters.clock_doubt_seconds.set(time.doubt_seconds)
        self._log(time, f"'truyvet server clock --is-right --home {server.settings.home}'")
        return time

    def _log(self, time: KnownTime, command: str) -> None:
        state = "far ahead" if time.is_far_ahead else time.doubt or "right"
        passed = time.running_seconds - self._logged_at
        if state == self._state and (state == "right" or passed < _SECONDS_BETWEEN_LINES):
            return
        if state == "right":
            _log.info("the clock agrees with what is known again")
        elif state == "behind":
            _log.error(
                "the clock shows %s less than when it was last seen: set the clock right or, if it"
                " is right, run %s",
                _length(time.behind_seconds),
                command,
            )
        else:
            held = "keys in use" if state == "ahead" else "all key files"
            _log.error(
                "the clock may be %s ahead, since no time server vouches for it, so %s are held"
                " back and little is deleted: set the clock right or, if it is right, run %s",
                _length(time.doubt_seconds),
                held,
                command,
            )
        self._state, self._logged_at = state, time.running_seconds


def _length(seconds: float) -> str:
    hours = round(seconds / 3_600)
    if hours < 48:
        return f"{hours} hour{'s' * (hours != 1)}"
    return f"{round(hours / 24)} days"
