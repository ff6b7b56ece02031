"""The fault of the last check, kept for the status: a check that failed earns no tick."""

from __future__ import annotations

from contextlib import suppress

from ble_agent.messages.explanation import explain
from ble_agent.store.state import BLUEZONE_FAULT, CHECK_FAULT, CheckFaultState, StateValue
from tracing_core.errors import StoreError, TracingError
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction

__all__ = ["bluezone_fault", "check_fault", "note_bluezone", "note_check"]


def note_check(db: Database, fault: TracingError | None) -> None:
    """Note how a check of the key files ended; None if nothing was passed over.

    A disk that cannot be written to has a line of its own in the status.
    """
    _note(db, CHECK_FAULT, fault)


def note_bluezone(db: Database, fault: TracingError | None) -> None:
    """Note likewise what became of the list of Bluezone keys."""
    _note(db, BLUEZONE_FAULT, fault)


def _note(db: Database, value: StateValue[CheckFaultState], fault: TracingError | None) -> None:
    with suppress(StoreError):
        if fault is None:
            if value.get(db) is not None:
                with transaction(db):
                    value.clear(db)
            return
        with transaction(db):
            value.set(db, {"en": explain(fault, "en"), "vi": explain(fault, "vi")})


def check_fault(db: Database, language: str) -> str | None:
    """Return the line about the last check's fault; None if it was complete."""
    return _text(CHECK_FAULT.get(db), language)


def bluezone_fault(db: Database, language: str) -> str | None:
    """Return the line about the list of Bluezone keys; None if it was used or there is none."""
    return _text(BLUEZONE_FAULT.get(db), language)


def _text(fault: CheckFaultState | None, language: str) -> str | None:
    if fault is None:
        return None
    return fault["vi"] if language == "vi" else fault["en"]
