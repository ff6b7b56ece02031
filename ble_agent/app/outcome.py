"""Outcome of a command: for programs, for the owner, and for the exit code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tracing_core.errors import TracingError

__all__ = ["Outcome"]


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command prints, and the error that it ends with."""

    facts: Mapping[str, Any]
    """The object that ``--json`` prints."""
    text: str
    """What the owner reads instead."""
    failure: TracingError | None = None
    """Error to raise once the outcome was printed; None if all went well."""
    needs_owner: bool = False
    """Whether something needs the owner, so that the exit code is 1."""
    on_seen: Callable[[], None] = _nothing
    """Called once a terminal has shown the text."""
