"""What a child process does to try a kernel: compile it, run it, and look at the answer."""

from __future__ import annotations

import sys

import numpy as np

from matcher.columns import oracle as portable_columns
from matcher.columns.columns import KeyColumns, SightingColumns
from matcher.columns.index import SightingIndex
from matcher.columns.join import derive_columns, match_columns
from matcher.kernels import trial
from matcher.kernels.cache import kept_if_right
from matcher.kernels.processor import KERNELS

__all__ = ["main"]

_KEYS = 5  # more than the lanes of any register, and no multiple of them


def main(loop: str, name: str) -> None:
    """Compile and run it; exit with an error if its answer is not that of `cryptography`."""
    trial.running = True
    kernel = KERNELS[name]
    rng = np.random.default_rng()
    data = rng.integers(0, 256, (_KEYS, 16), np.uint8)
    starts = rng.integers(0, 2**31, _KEYS, np.uint32)
    keys = KeyColumns(data, starts, rng.integers(1, 145, _KEYS, np.uint16))
    derived = portable_columns.derive(keys)
    with kept_if_right():
        if loop == "derive":
            right = np.array_equal(derive_columns(keys, kernel), derived)
        else:
            heard = (starts[:, None] + np.arange(derived.shape[1], dtype=np.uint32)).reshape(-1)
            index = SightingIndex(SightingColumns.of(derived.reshape(-1, 16), heard), kernel)
            found = np.stack(match_columns(keys, index), axis=1)
            right = np.array_equal(found, np.concatenate(portable_columns.match(keys, index)))
        if not right:
            sys.exit(trial.WRONG)
