"""Run every kernel on columns with an unreadable page right before and behind them."""

from __future__ import annotations

import ctypes
import mmap
import sys

import numpy as np

from matcher.columns.index import ColumnIndex
from matcher.columns.join import derive_columns, match_columns
from matcher.columns.key_columns import KeyColumns
from matcher.columns.sighting_columns import SightingColumns
from matcher.kernels.processor import supported_kernels
from tests.matcher.kernels.naive import naive_pairs, planted, random_keys, reference_identifiers

PAGE, PROT_NONE = mmap.PAGESIZE, 0
_libc = ctypes.CDLL(None, use_errno=True)


def between_guards(column: np.ndarray, *, at_end: bool) -> np.ndarray:
    """Copy a column to where one more byte behind it (or before it) ends the process."""
    pages = -(-column.nbytes // PAGE) or 1
    region = mmap.mmap(-1, (pages + 2) * PAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(region))
    for guard in (address, address + (pages + 1) * PAGE):
        if _libc.mprotect(ctypes.c_void_p(guard), ctypes.c_size_t(PAGE), PROT_NONE):
            raise OSError(ctypes.get_errno(), "mprotect")
    offset = (pages + 1) * PAGE - column.nbytes if at_end else PAGE
    copy = np.frombuffer(region, column.dtype, column.size, offset).reshape(column.shape)
    copy[...] = column
    return copy


def main() -> None:
    rng = np.random.default_rng(4)
    for count in (1, 2, 3, 5, 7, 13, 17, 31, 65):
        plain = random_keys(
            rng, 2_649_600 + rng.integers(0, 400, count), rng.integers(1, 145, count)
        )
        log = planted(rng, plain, 30, 100)
        for at_end in (True, False):
            keys = KeyColumns(
                *(
                    between_guards(getattr(plain, name), at_end=at_end)
                    for name in KeyColumns.__dataclass_fields__
                )
            )
            guarded = SightingColumns(
                *(
                    between_guards(getattr(log, name), at_end=at_end)
                    for name in SightingColumns.__dataclass_fields__
                )
            )
            for kernel in supported_kernels():
                found = match_columns(keys, ColumnIndex(guarded, kernel))
                both = zip(found.key_row.tolist(), found.sighting_row.tolist(), strict=True)
                assert list(both) == naive_pairs(plain, log), kernel.name
                derived = derive_columns(keys, kernel)
                expected = reference_identifiers(plain.key_data, plain.rolling_start)
                assert np.array_equal(derived, expected), kernel.name
    sys.stdout.write("nothing beside the columns was touched")


def too_far() -> None:
    """Do what must end the process, else the guards guard nothing."""
    column = between_guards(np.zeros(7, np.uint8), at_end=True)
    ctypes.string_at(column.ctypes.data, 8)
    sys.stdout.write("read beside the column")


if __name__ == "__main__":
    too_far() if "--too-far" in sys.argv else main()
