"""The time that has passed for certain, whatever the clock shows."""

# A key must stay here until it has expired and two hours more. By the server's clock alone, a clock
# that is ahead publishes keys in use, and their identifiers can be sent again by anyone.
#
# A clock that leaps can be noticed while the server runs, by the monotonic clock. Across a start it
# cannot: a machine that was off for a week and one whose clock is a week ahead look the same. So
# the server keeps a second time, the *known time*, in its database, for all nodes. It only counts
# what is certain, so it may be behind the true time, and is never ahead of it:
#
# - It goes on with the seconds that a process has run, and across processes with the seconds of the
#   same run of the machine (`system_time.this_boot`).
# - It jumps to the clock when a time server vouches for the clock, or when the operator does.
# - It jumps to the start of a key that was uploaded: no honest device has a key that starts in the
#   future. One device may be wrong, or lie, so three uploads must agree.
#
# A key leaves when both times say that it may. The known time may stay behind for good, after a
# week off without a time server and with few uploads. That must not hold keys for ever, so there is
# a second count, of the seconds that have certainly passed. An honest key is used for 24 hours at
# most and cannot start after its upload. So a key may also leave when 26 hours were counted after
# it was first held back (`diagnosis_keys.postpone_keys_in_use`).

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    Integer,
    Row,
    String,
    Table,
    insert,
    select,
    update,
)

from server.store.database import metadata
from server.store.system_time import elapsed_seconds, is_synchronised, this_boot
from tracing_core.clock import Clock
from tracing_core.protocol.interval import INTERVAL_SECONDS

__all__ = ["KnownTime", "TimeKeeper", "known_time", "note_witness"]

_WITNESSES = 3
"""Uploads that must agree before they move the known time."""

_LARGE_DOUBT_SECONDS = 86_400
# By such a clock every key that waits is too old, and the files that follow would leave it out.
_HUGE_DOUBT_SECONDS = 14 * 86_400
_TOLERATED_SECONDS = 60
_NOTABLE_SECONDS = 3_600

known_time = Table(
    "known_time",
    metadata,
    Column("id", Integer, primary_key=True, doc="Always 1."),
    Column("at", BigInteger, nullable=False, doc="A moment that has passed for certain."),
    Column(
        "running_seconds",
        BigInteger,
        nullable=False,
        doc="Seconds that have passed for certain since the first start.",
    ),
    Column("setting", Integer, nullable=False, doc="Rises when `at` is set, also back."),
    Column("boot_id", String(36), doc="The run of the machine that wrote this; null if unknown."),
    Column("uptime", Float, doc="Seconds of that run at `at`."),
    Column("doubt_seconds", BigInteger, nullable=False, doc="A doubt of over a day, else 0."),
    Column("doubted_since", BigInteger, nullable=False, doc="`running_seconds` when it began."),
    Column(
        "witnesses",
        String(50),
        nullable=False,
        doc="The newest first intervals of three uploads, with spaces in between.",
    ),
)
"""One row: the known time of all nodes (UTC Unix seconds)."""

_T = known_time.c


@dataclass(frozen=True, slots=True)
class KnownTime:
    """What is certain about the present moment."""

    now: float
    """The clock (UTC Unix seconds)."""
    at: float
    """A moment that has passed for certain (UTC Unix seconds)."""
    running_seconds: int
    """Seconds that have passed for certain since the first start."""
    is_vouched_for: bool
    """True if a time server vouches for the clock."""
    doubted_seconds: int = 0
    """Seconds for which the clock has been ahead by more than a day."""

    @property
    def doubt_seconds(self) -> float:
        """How far the clock is ahead of what is certain."""
        return max(0.0, self.now - self.at)

    @property
    def behind_seconds(self) -> float:
        """How far the clock is behind a moment that has passed."""
        return max(0.0, self.at - self.now)

    @property
    def doubt(self) -> Literal["", "ahead", "behind"]:
        """How the clock is wrong, if by so much that an operator should know."""
        if self.doubt_seconds > _NOTABLE_SECONDS:
            return "ahead"
        return "behind" if self.behind_seconds > _NOTABLE_SECONDS else ""

    @property
    def certain(self) -> float:
        """The moment up to which keys may leave and be deleted (UTC Unix seconds)."""
        return min(self.now, self.at)

    @property
    def is_far_ahead(self) -> bool:
        """True if no key file may be written by this clock.

        It is ahead by more than a day, and has not yet been so for a day, or by more than 14 days.
        """
        if self.doubt_seconds > _HUGE_DOUBT_SECONDS:
            return True
        is_new = self.doubted_seconds < _LARGE_DOUBT_SECONDS
        return is_new and self.doubt_seconds > _LARGE_DOUBT_SECONDS


class _State(NamedTuple):
    at: float
    running: float
    setting: int


class _Anchor(NamedTuple):
    """A state, and when this process was there."""

    state: _State
    clock: Clock
    elapsed: float

    def now(self, clock: Clock) -> _State | None:
        """Return the state with the seconds that have passed; None for another clock."""
        if clock is not self.clock:
            return None
        passed = max(0.0, elapsed_seconds(clock) - self.elapsed)
        at, running, setting = self.state
        return _State(at + passed, running + passed, setting)


class TimeKeeper:
    """Keeps the known time of one process, and shares it with the others in the database.

    Parameters
    ----------
    vouches
        Returns True if a time server vouches for a clock.
    """

    def __init__(self, vouches: Callable[[Clock], bool] = is_synchronised) -> None:
        self._vouches = vouches
        self._anchor: _Anchor | None = None

    def read(self, conn: Connection, clock: Clock) -> KnownTime:
        """Return what is certain now, without noting it."""
        row = conn.execute(select(known_time)).one_or_none()
        now = clock.now()
        if row is None:
            return KnownTime(now, now, 0, self._vouches(clock))
        state, is_vouched_for = self._derive(row, clock, now)
        return self._known(row, state, now, is_vouched_for)

    def note(self, conn: Connection, clock: Clock) -> KnownTime:
        """Return what is certain now, and write it down; a first call believes the clock."""
        now = clock.now()
        row = self._row(conn, now)
        state, is_vouched_for = self._derive(row, clock, now)
        known = self._known(row, state, now, is_vouched_for)
        self._write(conn, clock, row, state, known)
        return known

    def believe(self, conn: Connection, clock: Clock) -> KnownTime:
        """Take the clock as right, because the operator vouches for it."""
        now = clock.now()
        row = self._row(conn, now)
        state, _ = self._derive(row, clock, now)
        state = _State(now, state.running, row.setting + 1)
        known = KnownTime(now, now, int(state.running), self._vouches(clock))
        self._write(conn, clock, row, state, known)
        return known

    def _row(self, conn: Connection, now: float) -> Row[Any]:
        query = select(known_time).with_for_update()
        row = conn.execute(query).one_or_none()
        if row is None:
            first = {"id": 1, "at": int(now), "running_seconds": 0, "setting": 0, "witnesses": ""}
            conn.execute(insert(known_time).values(**first, doubt_seconds=0, doubted_since=0))
            row = conn.execute(query).one()
        return row

    def _derive(self, row: Row[Any], clock: Clock, now: float) -> tuple[_State, bool]:
        state = _State(float(row.at), float(row.running_seconds), row.setting)
        boot = this_boot(clock)
        if boot is not None and row.uptime is not None and boot.boot_id == row.boot_id:
            passed = max(0.0, boot.uptime - row.uptime)
            state = _State(state.at + passed, state.running + passed, state.setting)
        own = self._anchor and self._anchor.now(clock)
        if own is not None and own.setting == row.setting:
            state = _State(max(state.at, own.at), max(state.running, own.running), own.setting)
        newest = [int(interval) for interval in row.witnesses.split()]
        if len(newest) == _WITNESSES:
            state = state._replace(at=max(state.at, min(newest) * INTERVAL_SECONDS))
        if not self._vouches(clock):
            return state, False
        is_back = now < state.at - _TOLERATED_SECONDS
        at = now if is_back else max(now, state.at)
        return _State(at, state.running, row.setting + is_back), True

    @staticmethod
    def _known(row: Row[Any], state: _State, now: float, is_vouched_for: bool) -> KnownTime:
        doubted = 0
        # A further leap of a day is a new doubt.
        if row.doubt_seconds and now - state.at <= row.doubt_seconds + _LARGE_DOUBT_SECONDS:
            doubted = int(state.running) - row.doubted_since
        return KnownTime(now, state.at, int(state.running), is_vouched_for, doubted)

    def _write(
        self, conn: Connection, clock: Clock, row: Row[Any], state: _State, known: KnownTime
    ) -> None:
        boot = this_boot(clock)
        is_doubted = known.doubt_seconds > _LARGE_DOUBT_SECONDS
        noted = row.doubt_seconds if known.doubted_seconds else int(known.doubt_seconds)
        values: dict[str, Any] = {
            # Rounded down, because both count only what is certain.
            "at": int(state.at),
            "running_seconds": int(state.running),
            "setting": state.setting,
            "boot_id": boot and boot.boot_id,
            "uptime": boot and boot.uptime,
            "doubt_seconds": noted if is_doubted else 0,
            "doubted_since": known.running_seconds - known.doubted_seconds if is_doubted else 0,
        }
        if state.setting != row.setting:
            values["witnesses"] = ""
        conn.execute(update(known_time).values(**values))
        self._anchor = _Anchor(state, clock, elapsed_seconds(clock))


def note_witness(conn: Connection, interval: int) -> None:
    """Note the first interval of an upload's newest key.

    It has passed if the device is honest.
    """
    row = conn.execute(select(_T.witnesses)).one_or_none()
    if row is None:
        return
    newest = [int(each) for each in row.witnesses.split()]
    if len(newest) < _WITNESSES or interval > min(newest):
        kept = sorted([*newest, interval])[-_WITNESSES:]
        conn.execute(update(known_time).values(witnesses=" ".join(map(str, kept))))
