"""Compilation of every kernel ahead of the first job."""

from __future__ import annotations

from pathlib import Path

from matcher.kernels.cache import cache_folder
from matcher.kernels.choice import loaded_kernel
from matcher.kernels.loops import many_logs
from matcher.kernels.loops.export_parsing import parse_function
from matcher.kernels.loops.log_parsing import parse_lines_function
from matcher.kernels.loops.values import ascending_function, enter_function
from matcher.kernels.processor import Kernel, choose_kernel
from tracing_core.errors import InvalidValue, TracingError

__all__ = ["compile_ahead"]


def compile_ahead() -> tuple[Kernel, Path | None]:
    """Compile everything for one log and for many logs; return the kernel and the cache folder.

    Without a folder that can be written (None), every process compiles again.

    Raises
    ------
    InvalidValue
        When ``TRUYVET_KERNEL`` names a kernel that cannot run here, or the portable one.
    TracingError
        When no kernel can be compiled.
    """
    kernel = loaded_kernel(choose_kernel, many_logs=True)
    if kernel is None:
        raise TracingError(
            "nothing was compiled, so jobs of any size use the portable path: see the warning above"
        )
    if not kernel.compiled:
        raise InvalidValue(f"kernel {kernel.name} needs no compilation: unset TRUYVET_KERNEL")
    for function in (
        parse_function,
        parse_lines_function,
        enter_function,
        ascending_function,
        many_logs.count_days_function,
        many_logs.place_days_function,
        many_logs.gather_function,
        many_logs.set_bits_function,
        many_logs.probe_function,
        many_logs.tally_function,
    ):
        function()
    return kernel, cache_folder()
