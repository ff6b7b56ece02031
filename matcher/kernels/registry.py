"""What each kernel of `matcher.processor` is made of, compiled when first asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from typing import Any

from matcher.kernels import aes, aes_table, hkdf, scan
from matcher.kernels.cache import compiled
from matcher.processor import Kernel

__all__ = ["derive_function", "fill_function", "scan_function"]

_HKDF = {
    None: (hkdf.hkdf_sha, 4),
    4: (hkdf.hkdf_4_lanes, 4),
    8: (hkdf.hkdf_8_lanes, 8),
    16: (hkdf.hkdf_16_lanes, 16),
}
_AES = {
    None: (aes_table.expand_table, 1, aes_table.encrypt_table, aes_table.derive_table, 8),
    128: (aes.expand_128, 1, aes.encrypt_128, aes.derive_128, 8),
    256: (aes.expand_256, 2, aes.encrypt_256, aes.derive_256, 8),
    # This one tells of the group that was probed the time before.
    512: (aes.expand_512, 4, aes.encrypt_512, aes.derive_512, 9),
}


_lock = threading.Lock()


def _parts(kernel: Kernel) -> dict[str, Any]:
    expand, expand_lanes, encrypt, derive, found_lag = _AES[kernel.aes]
    hkdf_keys, hkdf_lanes = _HKDF[kernel.hkdf_lanes]
    parts = (hkdf_keys, hkdf_lanes, expand, expand_lanes, encrypt, derive, found_lag, kernel.bits)
    return dict(zip(scan.KERNEL_PARTS, parts, strict=True))


@cache
def _compiled(which: str, kernel: Kernel) -> Callable[..., Any]:
    if which == "scan":
        return compiled(scan.scan, scan.SCAN_SIGNATURE, name=kernel.name, **_parts(kernel))
    return compiled(scan.derive, scan.DERIVE_SIGNATURE, name=kernel.name, **_parts(kernel))


@cache
def _fill() -> Callable[..., Any]:
    return compiled(scan.fill, scan.FILL_SIGNATURE)


def scan_function(kernel: Kernel) -> Callable[..., int]:
    """Return `scan.scan` of a kernel, from the cache or compiled now (seconds, once a machine)."""
    with _lock:
        return _compiled("scan", kernel)


def derive_function(kernel: Kernel) -> Callable[..., None]:
    """Return `scan.derive` of a kernel, likewise."""
    with _lock:
        return _compiled("derive", kernel)


def fill_function() -> Callable[..., None]:
    """Return `scan.fill`, likewise."""
    with _lock:
        return _fill()
