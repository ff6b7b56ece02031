"""The fault of the last check, kept for the status: a check that failed earns no tick."""

from __future__ import annotations

from contextlib import suppress

from ble_agent.messages.explanation import explain
from ble_agent.store.state import CHECK_FAULT
from tracing_core.errors import StoreError, TracingError
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction

__all__ = ["check_fault", "note_check"]


def note_check(db: Database, fault: TracingError | None) -> None:
    """Note how a check ended; None if nothing was passed over.

    A disk that cannot be written to has a line of its own in the status.
    """
    with suppress(StoreError):
        if fault is None:
            if CHECK_FAULT.get(db) is not None:
                with transaction(db):
                    CHECK_FAULT.clear(db)
            return
        with transaction(db):
            CHECK_FAULT.set(db, {"en": explain(fault, "en"), "vi": explain(fault, "vi")})


def check_fault(db: Database, language: str) -> str | None:
    """Return the line about the last check's fault; None if it was complete."""
    fault = CHECK_FAULT.get(db)
    if fault is None:
        return None
    return fault["vi"] if language == "vi" else fault["en"]
