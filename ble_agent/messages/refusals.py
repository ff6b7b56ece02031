"""Errors that are known by a stable word, with their English texts."""

from __future__ import annotations

from ble_agent.messages.catalogue import say
from tracing_core.errors import NotPossible, ServerRefused

__all__ = ["not_possible", "refused"]


def refused(code: str) -> ServerRefused:
    """Return the error for a server's refusal, or for an answer that cannot be used."""
    return ServerRefused(code, say(f"error_{code}", "en"))


def not_possible(code: str) -> NotPossible:
    """Return the error for something that this device cannot do now."""
    return NotPossible(code, say(f"error_{code}", "en"))
