"""The check of a column's shape, type and layout."""

from __future__ import annotations

from typing import Any

from tracing_core.errors import InvalidValue

__all__ = ["check_column"]


def check_column(name: str, column: Any, shape: tuple[int, ...], kind: str) -> None:
    """Raise `InvalidValue` unless a column is a contiguous array of this shape and type."""
    if column.shape != shape or column.dtype != kind or not column.flags.c_contiguous:
        raise InvalidValue(f"column {name} must be a contiguous {kind} array of shape {shape}")
