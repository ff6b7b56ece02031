"""What all data in one file carries to another home: the policy of each table and named value.

A table that is not named here is carried row by row, and its CHECKs decide what it takes. A named
value that is not named here would be lost, so a test compares this list with those in use.
"""

from __future__ import annotations

import datetime
import enum
import functools
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, get_args, get_type_hints

from ble_agent.owner.shapes import has_shape
from ble_agent.store import state
from ble_agent.store.state import StateValue
from tracing_core.errors import InvalidValue
from tracing_core.json_object import parse_json

__all__ = ["CARRIED", "Carried", "check_value", "is_carried", "without_secrets"]

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_OF_REPORT = ("reported_at",)


class Carried(enum.Enum):
    """What becomes of a named value in another home."""

    NEVER = enum.auto()
    """It is about one database or one device: its upkeep, its radio, its clock."""
    ALONE = enum.auto()
    """It is taken unless the home has one."""
    MEMBERSHIP = enum.auto()
    """The authority, and what was agreed to with it: taken if the home has joined none."""
    WITH_AUTHORITY = enum.auto()
    """It is taken, unless the home has one, if both are of the same authority."""
    WITH_LOG = enum.auto()
    """It says what was compared with the whole log: taken only into a home without a log."""
    WITH_KEYS = enum.auto()
    """It belongs to this device's own keys: taken only into a home without keys."""


CARRIED: Mapping[str, Carried] = {
    "additions": Carried.WITH_LOG,
    "area": Carried.WITH_AUTHORITY,
    # The next check fetches and verifies the list; here it would count unverified.
    "areas": Carried.NEVER,
    "areas_document": Carried.NEVER,
    "bluezone_fault": Carried.WITH_LOG,
    "bluezone_list": Carried.WITH_LOG,
    "check_fault": Carried.WITH_LOG,
    "compacted_at": Carried.NEVER,
    "damage": Carried.ALONE,
    "exposed": Carried.WITH_AUTHORITY,
    "future_since": Carried.NEVER,
    "held_back": Carried.WITH_AUTHORITY,
    "index": Carried.WITH_AUTHORITY,
    "key_files": Carried.WITH_LOG,
    "last_check": Carried.WITH_LOG,
    "last_day": Carried.MEMBERSHIP,
    "ledger": Carried.ALONE,
    "membership": Carried.MEMBERSHIP,
    "notified": Carried.WITH_AUTHORITY,
    "notify_fault": Carried.WITH_AUTHORITY,
    "over": Carried.NEVER,
    "radio": Carried.NEVER,
    "report": Carried.WITH_KEYS,
    "room": Carried.NEVER,
    "scan": Carried.NEVER,
    "seen": Carried.WITH_AUTHORITY,
    "to_compact": Carried.NEVER,
}
"""What becomes of each named value, by its name."""


def is_carried(name: str) -> bool:
    """Return whether a named value is ever taken into another home."""
    return CARRIED.get(name, Carried.NEVER) is not Carried.NEVER


def without_secrets(name: str, value: Any) -> Any:
    """Return a named value without what only this device and its authority may know.

    Of a report only its day is left; of a membership by file, all but the device key.
    """
    if name == state.REPORT.name:
        return {field: value[field] for field in _OF_REPORT if field in value}
    if name == state.MEMBERSHIP.name and "file" in value:
        file = value["file"]
        return {"file": {field: file[field] for field in file if field != "device_api_key"}}
    return value


def check_value(name: str, text: str) -> Any:
    """Read a named value from outside.

    Raises
    ------
    InvalidValue
        When it is not as this program writes it.
    """
    try:
        value = parse_json(text)
    except (ValueError, RecursionError) as error:
        raise InvalidValue(f"the value {name} is not JSON") from error
    if not has_shape(value, _kinds()[name]):
        raise InvalidValue(f"the value {name} is not as truyvet writes it")
    if not all(map(_is_date, _DATES.get(name, _no_dates)(value))):
        raise InvalidValue(f"the value {name} names a day that does not exist")
    return value


@functools.cache
def _kinds() -> Mapping[str, Any]:
    hints = get_type_hints(state)
    kinds = {
        each.name: get_args(hints[name])[0]
        for name, each in vars(state).items()
        if isinstance(each, StateValue)
    }
    return MappingProxyType(kinds)


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _no_dates(_: Any) -> Iterable[str]:
    return ()


_DATES: Mapping[str, Callable[[Any], Iterable[str]]] = {
    "bluezone_list": lambda value: [
        *value["days"],
        *(date for day in value["days"].values() for date in day["local_dates"]),
    ],
    "exposed": lambda value: [value["date"]],
    "held_back": lambda value: [*value, *(each["local_date"] for each in value.values())],
    "last_day": lambda value: [value[name] for name in ("last_day",) if name in value],
    "ledger": lambda value: [each["date"] for each in value],
    "notified": lambda value: list(value),
    "notify_fault": lambda value: list(value["days"]),
    "seen": lambda value: list(value),
}
