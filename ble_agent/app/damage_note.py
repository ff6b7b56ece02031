"""Note to the owner that recordings were damaged, for as long as encounters may be missing."""

from __future__ import annotations

from ble_agent.exposures.local_days import local_date
from ble_agent.messages.catalogue import say
from ble_agent.messages.language import date_text
from ble_agent.store.state import DamageState
from tracing_core.protocol.interval import utc_date

__all__ = ["damage_day", "damage_note"]


def damage_day(damage: DamageState | None) -> str | None:
    """Return the UTC day of the last recovery, for programs; None without one in 14 days."""
    if damage is None:
        return None
    return utc_date(damage["at"]).isoformat()


def damage_note(damage: DamageState | None, language: str, *, is_joined: bool) -> str:
    """Return what the owner must know about a recovery; "" without one.

    A device that has joined an authority again need not do so.
    """
    if damage is None:
        return ""
    date = date_text(local_date(damage["at"]), language)
    note = say("damaged", language, date=date, count=damage["sightings"])
    if not damage["keys"]:
        note += " " + say("damaged_keys", language, date=date)
    if not damage["joined"] and not is_joined:
        note += " " + say("damaged_membership", language)
    return note
