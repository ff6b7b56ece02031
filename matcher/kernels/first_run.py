"""The first run of a kernel on a machine, in a process of its own.

LLVM ends the process when it cannot select an instruction, and a call of an unknown intrinsic jumps
to nowhere; Python catches neither. So a kernel that the cache lacks is compiled, run and compared
with `cryptography` by a child process, which leaves it in the cache.
"""

from __future__ import annotations

import signal
import subprocess
import sys

from matcher.kernels.processor import Kernel

__all__ = ["WRONG", "become_child", "run_first"]

WRONG = 3
"""The child's exit code when the kernel computes wrong values."""
_LONGEST_REASON = 160

_is_child = False


def become_child() -> None:
    """Compile kernels in this process from now on, without a child."""
    global _is_child
    _is_child = True


def run_first(loop: str, kernel: Kernel) -> None:
    """Compile and run the ``scan`` or ``derive`` of a kernel in a child process.

    Raises
    ------
    RuntimeError
        When the child was killed, or computed wrong values. An exception in the child is ignored:
        it would be raised here too, where it can be caught.
    """
    if _is_child or not sys.executable:
        return
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        f"from matcher.columns.kernel_check import main; main({loop!r}, {kernel.name!r})"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
    except OSError:  # no process can be started, so the kernel runs here at once
        return
    if done.returncode < 0:
        words = [signal.Signals(-done.returncode).name, *done.stderr.strip().splitlines()[-1:]]
        raise RuntimeError(": ".join(words)[:_LONGEST_REASON])
    if done.returncode == WRONG:
        raise RuntimeError("it computes wrong values")
