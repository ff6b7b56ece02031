"""A kernel's first use on a machine, in a process of its own.

LLVM ends the process when it cannot select an instruction, and the call of an intrinsic it does not
know is a jump to nowhere; Python catches neither. So what the cache does not have yet is compiled,
run and held against `cryptography` by a child, which leaves it in the cache.
"""

from __future__ import annotations

import signal
import subprocess
import sys

from matcher.kernels.processor import Kernel

__all__ = ["WRONG", "try_out"]

running = False
"""Whether this process is such a child."""

WRONG = 3
"""The child's exit code when what the kernel computes is wrong."""
_LONGEST_REASON = 160


def try_out(loop: str, kernel: Kernel) -> None:
    """Have a child compile and run a kernel's ``scan`` or ``derive``.

    Raises
    ------
    RuntimeError
        When the child did not survive it, or its answer is wrong. What is merely an exception there
        would be one here, where it can be caught.
    """
    if running or not sys.executable:
        return
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        f"from matcher.columns.kernel_trial import main; main({loop!r}, {kernel.name!r})"
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
    except OSError:  # no more processes, perhaps: then it is tried here
        return
    if done.returncode < 0:
        words = [signal.Signals(-done.returncode).name, *done.stderr.strip().splitlines()[-1:]]
        raise RuntimeError(": ".join(words)[:_LONGEST_REASON])
    if done.returncode == WRONG:
        raise RuntimeError("what it computes is wrong")
