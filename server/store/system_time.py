"""What the kernel knows about its clock, for a server that must not trust the clock alone."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import NamedTuple

from tracing_core.clock import Clock, ScaledClock

__all__ = ["Boot", "elapsed_seconds", "is_synchronised", "this_boot"]

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_UPTIME = Path("/proc/uptime")

# The kernel's NTP_PHASE_LIMIT: from this maximum error on, `timedatectl` says "not synchronized".
# Setting the clock by hand raises the error to it (`ntp_clear` in kernel/time/ntp.c).
_UNSYNCHRONISED_MICROSECONDS = 16_000_000
# The kernel's time and ours are read one after the other, on a machine that may be busy.
_LARGEST_DIFFERENCE_SECONDS = 60


class Boot(NamedTuple):
    """A moment of one run of the machine."""

    boot_id: str
    uptime: float
    """Seconds since the machine started, suspend included."""


def is_synchronised(clock: Clock) -> bool:
    """Return True if a time server vouches for a clock.

    Only the system's own clock can be vouched for. A clock from ``TRUYVET_CLOCK`` is the statement
    of the person who set it, for a trial, and counts as right.
    """
    if isinstance(clock, ScaledClock):
        return True
    if type(clock) is not Clock:
        return False
    kernel = _kernel_clock()
    if kernel is None or kernel.largest_error_microseconds >= _UNSYNCHRONISED_MICROSECONDS:
        return False
    # The state describes the kernel's clock, which is not ours under libfaketime.
    return abs(kernel.seconds - clock.now()) <= _LARGEST_DIFFERENCE_SECONDS


class _KernelClock(NamedTuple):
    seconds: int
    largest_error_microseconds: int


def _kernel_clock() -> _KernelClock | None:
    """Return the state of the kernel's clock by adjtimex(2); None where it may not be read."""
    try:
        import ctypes

        # The leading fields of `struct timex`: modes, offset, freq, maxerror, esterror, status,
        # constant, precision, tolerance, time. Nothing is set, because modes is 0.
        timex = (ctypes.c_long * 64)()
        if ctypes.CDLL(None).adjtimex(ctypes.byref(timex)) == -1:
            return None
    except (ImportError, MemoryError, AttributeError, OSError):
        return None
    return _KernelClock(seconds=timex[9], largest_error_microseconds=timex[3])


def _uptime() -> float | None:
    # The file, because libfaketime also moves the monotonic clocks.
    with contextlib.suppress(OSError, ValueError, IndexError):
        return float(_UPTIME.read_text().split()[0])
    return None


def this_boot(clock: Clock) -> Boot | None:
    """Return the present moment of this run of the machine; None if it cannot be known."""
    if type(clock) is not Clock:
        return None
    uptime = _uptime()
    with contextlib.suppress(OSError, ValueError):
        boot_id = _BOOT_ID.read_text().strip()
        if uptime is not None and boot_id:
            return Boot(boot_id[:36], uptime)
    return None


def elapsed_seconds(clock: Clock) -> float:
    """Return seconds since an arbitrary moment, from a source that cannot be set."""
    uptime = _uptime() if type(clock) is Clock else None
    return clock.monotonic() if uptime is None else uptime
