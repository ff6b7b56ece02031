"""A table for a person: names, cells of text, and a note below."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ShownTable"]


class ShownTable(NamedTuple):
    """What a terminal and a notebook both show."""

    names: tuple[str, ...]
    """One per column."""
    rows: list[tuple[str, ...]]
    """Cells, as many as names."""
    note: str = ""
    """A sentence below the table, or in its place."""
