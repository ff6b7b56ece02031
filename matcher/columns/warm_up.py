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
    """Compile all that one log or many will want; return the kernel and the cache.

    The folder is None if there is none that can be written; every process then compiles anew.

    Raises
    ------
    InvalidValue
        When ``TRUYVET_KERNEL`` names what does not run here, or is not compiled.
    TracingError
        When no kernel can be compiled.
    """
    kernel = loaded_kernel(choose_kernel, many_logs=True)
    if kernel is None:
        raise TracingError("nothing was compiled: jobs of any size will go without a kernel")
    if not kernel.compiled:
        raise InvalidValue(f"kernel {kernel.name} is nothing to compile: unset TRUYVET_KERNEL")
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
