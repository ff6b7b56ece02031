"""Registry of the parts of each kernel, compiled at first use."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache, partial
from typing import Any

from numba.core.registry import cpu_target

from matcher.kernels.cache import compiled
from matcher.kernels.emit import aarch64, aes, aes_table, hkdf
from matcher.kernels.first_run import run_first
from matcher.kernels.loops import scan
from matcher.kernels.processor import Kernel
from tracing_core.errors import InvalidValue

__all__ = ["derive_function", "fill_function", "group_function", "load", "scan_function"]

_HKDF = {
    None: (hkdf.hkdf_sha, 4),
    4: (hkdf.hkdf_4_lanes, 4),
    8: (hkdf.hkdf_8_lanes, 8),
    16: (hkdf.hkdf_16_lanes, 16),
}
_AES = {
    None: (aes_table.expand_table, 1, aes_table.encrypt_table, aes_table.derive_table, 8),
    128: (aes.EXPAND[128], 1, aes.ENCRYPT[128], aes.DERIVE[128], 8),
    256: (aes.EXPAND[256], 2, aes.ENCRYPT[256], aes.DERIVE[256], 8),
    # This one answers for the group probed by the previous call.
    512: (aes.EXPAND[512], 4, aes.ENCRYPT[512], aes.DERIVE[512], 9),
}
_NEON = (aarch64.expand_neon, 1, aarch64.encrypt_neon, aarch64.derive_neon, 8)

_LOOPS: dict[str, tuple[Callable[..., Any], Any]] = {
    "scan": (scan.scan, scan.SCAN_SIGNATURE),
    "derive": (scan.derive, scan.DERIVE_SIGNATURE),
}

_lock = threading.Lock()


def _check_target(kernel: Kernel) -> None:
    """Raise an error if Numba would not use a feature that a kernel needs.

    LLVM would end the process.
    """
    switches = cpu_target.target_context.codegen()._tm_features.split(",")
    lacking = kernel.features - {switch[1:] for switch in switches if switch.startswith("+")}
    if lacking:
        needs = " ".join(sorted(lacking))
        raise InvalidValue(f"kernel {kernel.name} needs {needs}, which Numba's settings exclude")


def _parts(kernel: Kernel) -> dict[str, Any]:
    _check_target(kernel)
    aes_parts = _NEON if kernel.machine == "aarch64" else _AES[kernel.aes]
    expand, expand_lanes, encrypt, derive, found_lag = aes_parts
    hkdf_keys, hkdf_lanes = _HKDF[kernel.hkdf_lanes]
    parts = (hkdf_keys, hkdf_lanes, expand, expand_lanes, encrypt, derive, found_lag, kernel.bits)
    return dict(zip(scan.KERNEL_PARTS, parts, strict=True))


@cache
def _compiled(loop: str, kernel: Kernel) -> Callable[..., Any]:
    function, signature = _LOOPS[loop]
    first_run = partial(run_first, loop, kernel)
    return compiled(function, signature, name=kernel.name, first_run=first_run, **_parts(kernel))


@cache
def _fill() -> Callable[..., Any]:
    return compiled(scan.fill, scan.FILL_SIGNATURE)


@cache
def _group() -> Callable[..., Any]:
    return compiled(scan.group, scan.GROUP_SIGNATURE)


def scan_function(kernel: Kernel) -> Callable[..., int]:
    """Return `scan.scan` of a kernel, cached or compiled now (seconds, once per machine)."""
    with _lock:
        return _compiled("scan", kernel)


def derive_function(kernel: Kernel) -> Callable[..., None]:
    """Return `scan.derive` of a kernel, cached or compiled now."""
    with _lock:
        return _compiled("derive", kernel)


def fill_function() -> Callable[..., None]:
    """Return `scan.fill`, cached or compiled now."""
    with _lock:
        return _fill()


def group_function() -> Callable[..., Any]:
    """Return `scan.group`, cached or compiled now."""
    with _lock:
        return _group()


def load(kernel: Kernel, *, many_logs: bool = False) -> None:
    """Load all that a join of one log, or of many logs, needs, so that nothing fails later."""
    scan_function(kernel)
    fill_function()
    group_function()
    if many_logs:
        derive_function(kernel)
