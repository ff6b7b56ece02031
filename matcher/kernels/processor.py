"""Kernels, and the choice of one for this processor.

An instruction that the processor lacks ends the process instead of raising an error. So the choice
is made here, before anything is compiled, from the features that LLVM sees, or those that
``NUMBA_CPU_FEATURES`` allows. ``TRUYVET_KERNEL`` overrides it by name.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from functools import cache

from tracing_core.errors import InvalidValue, MissingExtra, require

__all__ = ["KERNELS", "Kernel", "choose_kernel", "host_features", "supported_kernels"]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A way to derive identifiers and compare them with a log."""

    name: str
    """Its name, as in ``TRUYVET_KERNEL``."""
    aes: int | None
    """Width of the AES registers in bits; None without AES instructions."""
    hkdf_lanes: int | None
    """Keys hashed together, one per vector lane; None if SHA instructions hash one by one."""
    machine: str | None
    """``x86_64`` or ``aarch64``; None where it runs anywhere."""
    features: frozenset[str] = frozenset()
    """Features that the processor must have, by LLVM's names."""
    compiled: bool = True
    """Whether it needs NumPy and Numba."""

    @property
    def bits(self) -> int:
        """Return how many bits of the filter represent an identifier.

        One AVX-512 instruction selects eight bits of a word, so four cost no more than one.
        Elsewhere each bit costs a shift, and two let few enough identifiers pass.
        """
        return 4 if self.aes == 512 else 2


def _x86(name: str, aes: int, hkdf_lanes: int | None, *features: str) -> Kernel:
    return Kernel(name, aes, hkdf_lanes, "x86_64", frozenset(("aes", *features)))


_VAES_512 = ("vaes", "avx512f", "avx512bw", "avx512vl", "avx512vbmi")

# The best first, as far as features show; `supported_kernels` also looks at the maker.
_ALL = (
    _x86("vaes512-sha", 512, None, *_VAES_512, "sha"),
    _x86("vaes512-avx512", 512, 16, *_VAES_512),
    _x86("vaes256-sha", 256, None, "vaes", "avx2", "sha"),
    _x86("vaes256-avx2", 256, 8, "vaes", "avx2"),
    _x86("aesni-avx512", 128, 16, "avx512f", "avx512bw"),
    _x86("aesni-sha", 128, None, "avx", "sha"),
    _x86("aesni-avx2", 128, 8, "avx2"),
    _x86("aesni-sse", 128, 4, "sse4.1"),
    Kernel("neon-aes", 128, 4, "aarch64", frozenset({"neon", "aes"})),
    Kernel("table", None, 4, None),
    Kernel("portable", None, None, None, compiled=False),
)

KERNELS = {kernel.name: kernel for kernel in _ALL}
"""Every kernel by name, the best first."""


@cache
def host_features() -> frozenset[str]:
    """Return the features of this processor that LLVM sees."""
    binding = require("llvmlite.binding", extra="matcher")
    return frozenset(name for name, there in binding.get_host_cpu_features().items() if there)


def _features() -> frozenset[str]:
    """Return the features that the processor has and Numba's variables allow."""
    allowed = os.environ.get("NUMBA_CPU_FEATURES")
    if allowed is None and os.environ.get("NUMBA_CPU_NAME", "").lower() == "generic":
        allowed = ""
    found = host_features()
    if allowed is not None:
        switches = [switch.strip() for switch in allowed.split(",")]
        found &= frozenset(switch[1:] for switch in switches if switch.startswith("+"))
    if os.environ.get("NUMBA_ENABLE_AVX") == "0":
        found = frozenset(name for name in found if not name.startswith("avx"))
    return found


def _processor_name() -> str:
    chosen = os.environ.get("NUMBA_CPU_NAME")
    if chosen:
        return chosen
    name: str = require("llvmlite.binding", extra="matcher").get_host_cpu_name()
    return name


def _missing(kernel: Kernel) -> str | None:
    """Return what this machine lacks for a kernel; None if it can run it."""
    if not kernel.compiled:
        return None
    if kernel.machine not in (None, platform.machine().lower().replace("amd64", "x86_64")):
        return f"a processor of kind {kernel.machine}"
    try:
        require("numba", extra="matcher")
        lacking = kernel.features - _features()
    except MissingExtra as error:
        return str(error)
    return " ".join(sorted(lacking)) or None


def supported_kernels() -> list[Kernel]:
    """Return the kernels this processor can run, the best first; the portable one is the last."""
    names = [name for name, kernel in KERNELS.items() if _missing(kernel) is None]
    # Intel's SHA unit is slower than 16 lanes of its AVX-512, AMD's is faster (kernels.hkdf), and
    # with 8 lanes either maker's is faster than the lanes.
    if "vaes512-sha" in names and not _processor_name().startswith("znver"):
        names.remove("vaes512-sha")
        names.insert(names.index("vaes512-avx512") + 1, "vaes512-sha")
    return [KERNELS[name] for name in names]


def choose_kernel(name: str | None = None) -> Kernel:
    """Return the kernel of that name, else of ``TRUYVET_KERNEL``, else the best for the processor.

    Raises
    ------
    InvalidValue
        When no kernel has this name, or the processor lacks its features.
    """
    name = name or os.environ.get("TRUYVET_KERNEL")
    if not name:
        return supported_kernels()[0]
    kernel = KERNELS.get(name)
    if kernel is None:
        raise InvalidValue(f"unknown kernel {name!r:.40}: use one of {', '.join(KERNELS)}")
    missing = _missing(kernel)
    if missing is not None:
        supported = ", ".join(each.name for each in supported_kernels())
        raise InvalidValue(
            f"kernel {name} needs {missing}, which this machine lacks: use one of {supported}"
        )
    return kernel
