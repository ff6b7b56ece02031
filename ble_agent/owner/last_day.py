"""Last day of use: what the owner agreed to, and the question to an owner who was never asked.

A device ends on the day that its owner agreed to, whatever its server says later. A device that
joined before there was such a day asks its owner once. Until the owner agrees, it goes on as it
did, since only the owner may decide that its data is deleted.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from ble_agent.authority.membership import (
    Membership,
    agreed_last_day,
    end_of_use,
    last_day_at_joining,
)
from ble_agent.messages.catalogue import say
from ble_agent.messages.language import date_text
from ble_agent.messages.refusals import not_possible
from ble_agent.store.state import LAST_DAY, OVER
from tracing_core.errors import NotPossible
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction
from tracing_core.trust.last_day import usual_last_day

__all__ = ["LastDay", "answer_last_day", "refuse_after_end"]


@dataclass(frozen=True, slots=True)
class LastDay:
    """The last day of a device that has joined an authority."""

    agreed: datetime.date | None
    """The day that the owner agreed to (UTC); None without one."""
    offered: datetime.date
    """The day that the owner can agree to."""
    is_named: bool
    """Whether the authority named the day that is offered."""
    was_asked: bool
    """Whether the owner has answered, be it with no."""
    is_over: bool
    """Whether the agreed day is over by this device's clock."""

    @classmethod
    def read(cls, db: Database, membership: Membership, now: float) -> LastDay:
        """Return what holds at a moment (UTC Unix seconds)."""
        agreed = agreed_last_day(db)
        named = membership.named_last_day
        try:
            offered = last_day_at_joining(db, membership.origin, named, now)
        except NotPossible:
            # It is over already, and agreeing to it means to end at once.
            offered = named or agreed or usual_last_day(now)
        declined = (LAST_DAY.get(db) or {}).get("declined", False)
        return cls(
            agreed,
            agreed or offered,
            named is not None,
            agreed is not None or declined,
            now >= end_of_use(db),
        )

    @property
    def is_open(self) -> bool:
        """Whether the owner has yet to answer."""
        return not self.was_asked

    def text(self, language: str) -> str:
        """Return what holds, for the owner."""
        if self.agreed is None:
            name = "last_day_asked" if self.is_open else "last_day_declined"
            if not self.is_named:
                name = f"{name}_usual"
            return say(name, language, date=date_text(self.offered, language))
        name = "last_day_is_over" if self.is_over else "last_day_agreed"
        return say(name, language, date=date_text(self.agreed, language))


def answer_last_day(
    db: Database, membership: Membership, day: datetime.date | None, now: float
) -> None:
    """Note the owner's answer.

    Parameters
    ----------
    db
        The agent's database.
    membership
        The authority.
    day
        The day that the owner was shown and agrees to; None for no.
    now
        The time (UTC Unix seconds).

    Raises
    ------
    NotPossible
        When the owner has agreed to a day before (``last_day_fixed``), or another day is offered
        by now (``last_day_changed``).
    """
    with transaction(db):
        known = LastDay.read(db, membership, now)
        if known.agreed is not None:
            raise not_possible("last_day_fixed", day=known.agreed.isoformat())
        if day is None:
            LAST_DAY.set(db, {"declined": True})
            return
        if day != known.offered:
            raise not_possible("last_day_changed", day=known.offered.isoformat())
        LAST_DAY.set(db, {"last_day": day.isoformat()})
        OVER.clear(db)


def refuse_after_end(db: Database, now: float) -> None:
    """Check that the last day is not over by this device's clock.

    Raises
    ------
    NotPossible
        When it is (``after_last_day``).
    """
    if now >= end_of_use(db):
        raise not_possible("after_last_day")
