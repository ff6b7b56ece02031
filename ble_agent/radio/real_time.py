"""Real time, unlike the agent's clock: limits for adapters, and how long the device slept."""

from __future__ import annotations

import time
from dataclasses import dataclass

__all__ = ["Timeouts", "slept_seconds"]

_AWAKE_CLOCK = time.CLOCK_MONOTONIC
_WHOLE_CLOCK = getattr(time, "CLOCK_BOOTTIME", _AWAKE_CLOCK)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long an adapter may take, in seconds of real time."""

    open_seconds: float = 15.0
    """To open; a dongle may be loading its firmware."""
    command_seconds: float = 10.0
    """To answer a command; powering on loads firmware."""
    unplugging_seconds: float = 1.0
    """From reporting that it is off to reporting that it is gone, when it is unplugged."""
    closing_seconds: float = 5.0
    """To close."""


def slept_seconds() -> float:
    """Return how long this device has been suspended since it started; 0 if that is unknown."""
    return time.clock_gettime(_WHOLE_CLOCK) - time.clock_gettime(_AWAKE_CLOCK)
