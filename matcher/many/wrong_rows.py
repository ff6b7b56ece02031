"""Rows of a table that lie outside the protocol, found a column at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracing_core.errors import InvalidValue, require
from tracing_core.protocol.signal_strength import STRONGEST_DBM, UNKNOWN_DBM, WEAKEST_DBM
from tracing_core.store.field_values import LATEST_MOMENT, moment

__all__ = ["MOMENTS", "reason_of", "unmeasured_rows", "wrong_rows"]

MOMENTS = ("seen_at", "previous_scan_at")
"""Columns of times, as int64."""

_Columns = Mapping[str, Any]


def wrong_rows(columns: _Columns) -> NDArray[np.bool_] | None:
    """Return which rows of some Arrow columns lie outside the protocol; None if none does."""
    masks = [_wrong(name, column) for name, column in columns.items()]
    found = [mask for mask in masks if mask is not None and mask.any()]
    return np.logical_or.reduce(found) if found else None


def _wrong(name: str, column: Any) -> NDArray[np.bool_] | None:
    nulls = column.is_null().to_numpy(zero_copy_only=False) if column.null_count else None
    if name == "rssi_dbm":
        return _empty_lists(column)  # a null is an unknown strength
    if name not in MOMENTS:
        return nulls
    values = (column if nulls is None else column.fill_null(0)).to_numpy()
    outside: NDArray[np.bool_] = (values < 0) | (values >= LATEST_MOMENT)
    return outside if nulls is None or name == "previous_scan_at" else outside | nulls


def _empty_lists(column: Any) -> NDArray[np.bool_] | None:
    if not _is_list(column):
        return None
    compute = require("pyarrow.compute", extra="arrow")
    lengths = compute.list_value_length(column).fill_null(1)
    empty: NDArray[np.bool_] = lengths.to_numpy() == 0
    return empty


def _is_list(column: Any) -> bool:
    return hasattr(column.type, "value_type")


def reason_of(columns: _Columns, row: int) -> str:
    """Return why a row lies outside the protocol, by the first such column; "" if it does not."""
    for name, column in columns.items():
        value = column[row].as_py()
        if value is None and name not in ("rssi_dbm", "previous_scan_at"):
            return f"{name} is missing"
        if value == []:
            return f"{name} must have at least one sample"
        if name in MOMENTS and value is not None:
            try:
                moment(name, value)
            except InvalidValue as error:
                return str(error)
    return ""


def unmeasured_rows(samples: Any) -> NDArray[np.bool_]:
    """Return which rows of the column ``rssi_dbm`` have no known strength."""
    if not _is_list(samples):
        return ~_known(samples)
    compute = require("pyarrow.compute", extra="arrow")
    parents = compute.list_parent_indices(samples).to_numpy()
    unmeasured = np.ones(len(samples), "bool")
    unmeasured[parents[_known(compute.list_flatten(samples))]] = False
    return unmeasured


def _known(values: Any) -> NDArray[np.bool_]:
    numbers = values.fill_null(UNKNOWN_DBM).to_numpy(zero_copy_only=False)
    known: NDArray[np.bool_] = (numbers >= WEAKEST_DBM) & (numbers <= STRONGEST_DBM)
    return known
