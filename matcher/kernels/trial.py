"""A kernel's first use on a machine, in a process of its own.

LLVM ends the process when it cannot select an instruction, and the call of an intrinsic it does not
know is a jump to nowhere; Python catches neither. So what the cache does not have yet is compiled,
run and held against `cryptography` by a child, which leaves it in the cache.
"""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np

from matcher.processor import KERNELS, Kernel

__all__ = ["main", "try_out"]

running = False
"""Whether this process is such a child."""

_WRONG = 3  # the child's exit code
_KEYS = 5  # more than the lanes of any register, and no multiple of them
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
        f"from matcher.kernels.trial import main; main({loop!r}, {kernel.name!r})"
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
    if done.returncode == _WRONG:
        raise RuntimeError("what it computes is wrong")


def main(loop: str, name: str) -> None:
    """Compile and run it; exit with an error if its answer is not that of `cryptography`."""
    global running
    running = True
    from matcher.columns import KeyColumns, SightingColumns
    from matcher.index import SightingIndex
    from matcher.kernels import portable
    from matcher.kernels.cache import kept_if_right
    from matcher.kernels.join import derive_columns, match_columns

    kernel = KERNELS[name]
    rng = np.random.default_rng()
    data = rng.integers(0, 256, (_KEYS, 16), np.uint8)
    starts = rng.integers(0, 2**31, _KEYS, np.uint32)
    keys = KeyColumns(data, starts, rng.integers(1, 145, _KEYS, np.uint16))
    derived = portable.derive(keys)
    with kept_if_right():
        if loop == "derive":
            right = np.array_equal(derive_columns(keys, kernel), derived)
        else:
            heard = (starts[:, None] + np.arange(derived.shape[1], dtype=np.uint32)).reshape(-1)
            index = SightingIndex(SightingColumns.of(derived.reshape(-1, 16), heard), kernel)
            found = np.stack(match_columns(keys, index), axis=1)
            right = np.array_equal(found, np.concatenate(portable.match(keys, index)))
        if not right:
            sys.exit(_WRONG)
