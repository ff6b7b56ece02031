"""Errors that are known by a stable word, with their English texts."""

from __future__ import annotations

from ble_agent.messages.catalogue import say
from tracing_core.errors import NotPossible, ServerRefused

__all__ = ["not_possible", "refused"]


def refused(code: str) -> ServerRefused:
    """Return the error for a server's refusal, or for an answer that cannot be used."""
    return ServerRefused(code, say(f"error_{code}", "en"))


def not_possible(code: str, **values: object) -> NotPossible:
    """Return the error for something that this device cannot do now.

    A text with placeholders has the name `code`, other texts the name ``error_`` and `code`.
    """
    name = code if values else f"error_{code}"
    error = NotPossible(code, say(name, "en", **values))
    error.vi = say(name, "vi", **values)
    return error
