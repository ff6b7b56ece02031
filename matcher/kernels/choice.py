"""Which way a job goes: the kernels take longer to load than a small job takes without them."""

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
"""How long a job must take without the kernels to be done with them. Loading them, compiled
before, takes that long: Numba 0.2 seconds, its tables of types 0.2, the kernels the rest. Measured
on a Xeon with AVX-512, processor time of whole processes: 20,000 keys against 14,000 sightings took
0.71 seconds either way, 1,000 keys 0.37 and 0.73, 100,000 keys 2.1 and 0.77. To compile takes six
seconds more, once a machine; that is not waited for again, so it does not count."""

_SECONDS_A_KEY = 18e-6
_SECONDS_A_SIGHTING = 6e-6

THREADED_KEYS = 100_000
"""From how many keys on all processors work unless told otherwise: 20 milliseconds of one."""

_PORTABLE = "portable"
_LONGEST_REASON = 200

_LOGGER = logging.getLogger(__name__)


def portable_seconds(keys: int, sightings: int) -> float:
    """Return about how long the portable path takes, as measured where the kernels' loading was."""
    return keys * _SECONDS_A_KEY + sightings * _SECONDS_A_SIGHTING


def chosen_kernel(keys: int, sightings: int) -> Kernel | None:
    """Return the kernel for a job of about this size; None for the portable path.

    ``TRUYVET_KERNEL`` decides if it is set, whatever the size; without Numba, portable it is.

    Raises
    ------
    InvalidValue
        When the variable names no kernel, or one that this machine cannot run.
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
    """Return the kernel that `choose` does, loaded, for one log or for many.

    None for the portable path; that too, with a warning, if no kernel can be loaded or compiled.

    Raises
    ------
    InvalidValue
        When ``TRUYVET_KERNEL`` names what cannot be.
    """
    try:
        kernel = choose()
        if kernel is not None and kernel.compiled:
            require_numba()
            from matcher.kernels.registry import load

            load(kernel, many_logs=many_logs)
    except Exception as error:  # Numba, LLVM or their libraries: there is no end to what may break
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
            "no kernel can be compiled here, so this takes longer (%s): install numba and llvmlite"
            " anew, or set TRUYVET_KERNEL=portable",
            reason,
        )
        return None
    return kernel


def require_numba() -> None:
    """Import Numba, without which nothing is compiled.

    Raises
    ------
    MissingExtra
        When it is not installed.
    InvalidValue
        When it cannot be imported, as with a NumPy that it does not know, or may not compile.
    """
    try:
        numba = require("numba", extra="matcher")
    except MissingExtra:
        raise
    except Exception as error:
        raise InvalidValue(
            f"Numba cannot be loaded ({_reason(error)}): install numba and llvmlite anew"
        ) from error
    if numba.config.DISABLE_JIT:
        raise InvalidValue("NUMBA_DISABLE_JIT keeps Numba from compiling anything: unset it")


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST_REASON]


def available_threads() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
