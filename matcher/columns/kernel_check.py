"""The child process of a kernel's first run: it compiles the kernel and checks its values."""

from __future__ import annotations

import sys

import numpy as np

from matcher.columns import portable
from matcher.columns.index import ColumnIndex
from matcher.columns.join import derive_columns, match_columns
from matcher.columns.key_columns import KeyColumns
from matcher.columns.sighting_columns import SightingColumns
from matcher.kernels.cache import kept_if_right
from matcher.kernels.first_run import WRONG, become_child
from matcher.kernels.processor import KERNELS

__all__ = ["main"]

_KEYS = 5  # more than the lanes of any AES register, and not a multiple


def main(loop: str, name: str) -> None:
    """Compile and run a kernel; exit with `WRONG` if it disagrees with `cryptography`."""
    become_child()
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
            index = ColumnIndex(SightingColumns.of(derived.reshape(-1, 16), heard), kernel)
            found = np.stack(match_columns(keys, index), axis=1)
            right = np.array_equal(found, np.concatenate(portable.match(keys, index)))
        if not right:
            sys.exit(WRONG)
