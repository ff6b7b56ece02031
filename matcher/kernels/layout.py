"""What the kernels and those who call them agree on; it needs no library."""

from __future__ import annotations

__all__ = ["GROUP"]

GROUP = 24
"""Intervals that are derived and probed together, or not at all: a sixth of a day, six registers of
512 bits."""
