"""Choice of the compiled or the portable path: small jobs finish before Numba has loaded."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from tracing_core.errors import InvalidValue, MissingExtra, TracingError, require

if TYPE_CHECKING:
    from matcher.kernels.processor import Kernel

__all__ = [
    "THREADED_KEYS",
    "WORTH_LOADING_SECONDS",
    "available_threads",
    "chosen_kernel",
    "loaded_kernel",
    "portable_seconds",
    "require_numba",
]

WORTH_LOADING_SECONDS = 0.5
"""Jobs that take longer than this without the kernels use them. Loading compiled kernels takes this
long: Numba 0.2 seconds, its tables of types 0.2, the kernels the rest. Measured on a Xeon with
AVX-512, CPU time of whole processes: 20,000 keys with 14,000 sightings took 0.71 seconds either
way, 1,000 keys 0.37 and 0.73, 100,000 keys 2.1 and 0.77. Compilation takes six seconds more, once
per machine, so it does not count."""

_SECONDS_PER_KEY = 18e-6
_SECONDS_PER_SIGHTING = 6e-6

THREADED_KEYS = 100_000
"""From this many keys on, all CPUs are used by default; so many take one CPU 20 milliseconds."""

_PORTABLE = "portable"
_LONGEST_REASON = 200

_LOGGER = logging.getLogger(__name__)


def portable_seconds(keys: int, sightings: int) -> float:
    """Return about how long the portable path takes, on the machine of `WORTH_LOADING_SECONDS`."""
    return keys * _SECONDS_PER_KEY + sightings * _SECONDS_PER_SIGHTING


def chosen_kernel(keys: int, sightings: int) -> Kernel | None:
    """Return the kernel for a job of about this size; None for the portable path.

    ``TRUYVET_KERNEL`` decides if it is set, whatever the size. Without Numba the path is portable.

    Raises
    ------
    InvalidValue
        When the variable names an unknown kernel, or one that this machine cannot run.
    """
    named = os.environ.get("TRUYVET_KERNEL")
    if named == _PORTABLE:
        return None
    if not named and (
        portable_seconds(keys, sightings) < WORTH_LOADING_SECONDS
        or importlib.util.find_spec("numba") is None
    ):
        return None
    from matcher.kernels.processor import choose_kernel

    kernel = choose_kernel()
    return kernel if kernel.compiled else None


def loaded_kernel(choose: Callable[[], Kernel | None], *, many_logs: bool = False) -> Kernel | None:
    """Load and return the kernel that `chosen_kernel` returns, for one log or for many logs.

    Return None for the portable path; also, with a warning, if the kernel cannot be compiled.

    Raises
    ------
    InvalidValue
        When ``TRUYVET_KERNEL`` names a kernel that cannot be compiled.
    """
    try:
        kernel = choose()
        if kernel is not None and kernel.compiled:
            require_numba()
            from matcher.kernels.registry import load

            load(kernel, many_logs=many_logs)
    except Exception as error:  # Numba, LLVM and their libraries can raise anything
        named = os.environ.get("TRUYVET_KERNEL")
        if named and isinstance(error, TracingError):
            raise
        reason = _reason(error)
        if named:
            raise InvalidValue(
                f"kernel {named} cannot be compiled here ({reason}): name another in"
                " TRUYVET_KERNEL, such as portable, or unset it"
            ) from error
        _LOGGER.warning(
            "no kernel can be compiled here, so this takes longer (%s): reinstall numba and"
            " llvmlite, or set TRUYVET_KERNEL=portable",
            reason,
        )
        return None
    return kernel


def require_numba() -> None:
    """Import Numba, and check that it may compile.

    Raises
    ------
    MissingExtra
        When Numba is not installed.
    InvalidValue
        When Numba cannot be imported, as with an unknown version of NumPy, or may not compile.
    """
    try:
        numba = require("numba", extra="matcher")
    except MissingExtra:
        raise
    except Exception as error:
        raise InvalidValue(
            f"Numba cannot be loaded ({_reason(error)}): reinstall numba and llvmlite"
        ) from error
    if numba.config.DISABLE_JIT:
        raise InvalidValue("NUMBA_DISABLE_JIT keeps Numba from compiling anything: unset it")


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST_REASON]


def available_threads() -> int:
    """Return how many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
