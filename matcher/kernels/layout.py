"""Numbers that the kernels and their callers share; this needs no library."""

from __future__ import annotations

__all__ = ["GROUP"]

GROUP = 24
"""Intervals that are derived and probed together: a sixth of a day, six registers of 512 bits."""
