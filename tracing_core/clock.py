"""Clocks: the system's, one that runs at another time or rate, and one moved by hand."""

from __future__ import annotations

import datetime
import heapq
import itertools
import math
import os
import re
import time
from typing import TYPE_CHECKING

from tracing_core.errors import InvalidValue

if TYPE_CHECKING:
    import asyncio

__all__ = ["Clock", "ManualClock", "ScaledClock", "clock_from_environment", "local_date"]

_VARIABLE = "TRUYVET_CLOCK"
_LATEST_SECONDS = 2e11
# Linux's CLOCK_MONOTONIC stops during suspend; other systems have no CLOCK_BOOTTIME.
_MONOTONIC_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock:
    """The system's clock."""

    def now(self) -> float:
        """Return the time in UTC Unix seconds. It may jump, as the system's clock does."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment. They never jump, and count during suspend."""
        return time.clock_gettime(_MONOTONIC_CLOCK)

    async def sleep(self, seconds: float) -> None:
        """Wait for a number of seconds of this clock."""
        # Imported only by what waits: most commands do not.
        import asyncio

        await asyncio.sleep(max(0.0, seconds))


class ScaledClock(Clock):
    """A clock that showed `shown` when the system's showed `real`, and runs `rate` times as fast.

    Processes with the same three numbers agree on the time. The text form, for the environment
    variable ``TRUYVET_CLOCK``, is ``SHOWN@REALxRATE``.
    """

    def __init__(self, *, shown: float, real: float, rate: float = 1.0) -> None:
        if not (math.isfinite(shown) and math.isfinite(real)):
            raise InvalidValue("a clock must show a finite time")
        if not 0 < rate <= 1e6:
            raise InvalidValue(f"a clock's rate must be above 0 and at most 1000000, not {rate}")
        self.shown = shown
        """What this clock showed at `real` (UTC Unix seconds)."""
        self.real = real
        """What the system's clock showed then (UTC Unix seconds)."""
        self.rate = rate

    def now(self) -> float:
        """Return the time in UTC Unix seconds."""
        return self.shown + (time.time() - self.real) * self.rate

    def monotonic(self) -> float:
        """Return scaled seconds since an arbitrary moment."""
        return super().monotonic() * self.rate

    async def sleep(self, seconds: float) -> None:
        """Wait for a number of seconds of this clock."""
        await super().sleep(seconds / self.rate)

    def __str__(self) -> str:
        return f"{self.shown!r}@{self.real!r}x{self.rate!r}"

    @classmethod
    def parse(cls, text: str) -> ScaledClock:
        """Read the form ``SHOWN@REALxRATE``; ``SHOWN`` alone starts now at the system's rate.

        Raises
        ------
        InvalidValue
            When the text has neither form.
        """
        number = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?"
        match = re.fullmatch(rf"({number})(?:@({number})x({number}))?", text)
        if match is None:
            raise InvalidValue(f"{_VARIABLE} must be SHOWN or SHOWN@REALxRATE in Unix seconds")
        shown, real, rate = match.groups()
        if real is None:
            return cls(shown=float(shown), real=time.time())
        return cls(shown=float(shown), real=float(real), rate=float(rate))


class ManualClock(Clock):
    """A clock that moves only on request: a recording's own time, or a test's."""

    def __init__(self, now: float) -> None:
        self._now = now
        self._monotonic = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> float:
        """Return the time last set, in UTC Unix seconds."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds that `advance` has added; `jump` adds none."""
        return self._monotonic

    @property
    def sleepers(self) -> int:
        """Number of tasks that are waiting for this clock."""
        return sum(not future.done() for _, _, future in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has added that many seconds."""
        import asyncio

        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._monotonic + seconds, next(self._order), future))
        await future

    def advance(self, seconds: float) -> None:
        """Let seconds pass, and wake each sleeper whose time has come."""
        self._now += seconds
        self._monotonic += seconds
        while self._sleepers and self._sleepers[0][0] <= self._monotonic:
            future = heapq.heappop(self._sleepers)[2]
            if not future.done():
                future.set_result(None)

    def jump(self, now: float) -> None:
        """Set the wall clock, as a person or NTP does; no time passes."""
        self._now = now


def clock_from_environment() -> Clock:
    """Return the clock that ``TRUYVET_CLOCK`` describes, else the system's.

    Raises
    ------
    InvalidValue
        When the variable cannot be read, or names a moment outside the years 1970 to 8307.
    """
    text = os.environ.get(_VARIABLE)
    if not text:
        return Clock()
    clock = ScaledClock.parse(text)
    if not 0 <= clock.now() <= _LATEST_SECONDS:
        raise InvalidValue(f"{_VARIABLE} must name a moment from 1970 to 8307")
    return clock


def local_date(moment: float) -> datetime.date:
    """Return the day of a time (UTC Unix seconds) in this device's time zone."""
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).astimezone().date()
