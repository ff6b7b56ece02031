"""Outcome of a command: for programs, for the owner, and for the exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracing_core.errors import TracingError

__all__ = ["Outcome"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command prints, and the error that it ends with."""

    facts: Mapping[str, Any]
    """The object that ``--json`` prints."""
    text: str
    """What the owner reads instead."""
    failure: TracingError | None = None
    """Error to raise once the outcome was printed; None if all went well."""
