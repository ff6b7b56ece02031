"""The list of keys that Bluezone published: JSON, a record per person who was infected."""

from __future__ import annotations

from typing import Any, NamedTuple

from tracing_core.errors import InvalidKey, InvalidValue
from tracing_core.json_object import JSONObject, parse_json, read_array
from tracing_core.protocol.bluezone import (
    BLUEZONE_KEY_LENGTH,
    MAX_DAYS,
    MAX_SLOTS_PER_DAY,
    USUAL_SLOTS_PER_DAY,
    BluezoneKey,
)

__all__ = ["MAX_LIST_BYTES", "MAX_RECORDS", "BluezoneList", "parse_bluezone_list"]

MAX_RECORDS = 10_000
"""The most records that a list may have."""

MAX_LIST_BYTES = 4 << 20
"""The most bytes that a list may have; 10,000 records take less than 2 MB."""

_LATEST = 100_000_000_000
_LONGEST_SECONDS = MAX_DAYS * 86_400


class BluezoneList(NamedTuple):
    """The records of a list."""

    keys: list[tuple[int, BluezoneKey]]
    """The keys that can be used, each with the place of its record, counted from 0."""
    records: int
    """Number of records."""
    first_unusable: str
    """What is wrong with the first record that cannot be used; "" without one."""
    shortened: int
    """Number of records that span more than 30 days, of which the first 30 are used."""

    @property
    def unusable(self) -> int:
        """Number of records that cannot be used."""
        return self.records - len(self.keys)


def parse_bluezone_list(data: bytes) -> BluezoneList:
    """Read a list; a record that cannot be used is left out, and the others are read.

    Raises
    ------
    InvalidValue
        When this is not such a list, or it is too long.
    """
    if len(data) > MAX_LIST_BYTES:
        raise InvalidValue(f"a list must have at most {MAX_LIST_BYTES} bytes")
    try:
        parsed = parse_json(data.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError) as error:
        raise InvalidValue("it is not JSON") from error
    records = read_array(JSONObject(parsed, "the list")["data"], "data")
    if len(records) > MAX_RECORDS:
        raise InvalidValue(
            f"a list must have at most {MAX_RECORDS:,} records, not {len(records):,}"
        )
    keys = []
    first_unusable = ""
    shortened = 0
    for place, record in enumerate(records):
        try:
            key, is_shortened = _key(record, f"data[{place}]")
        except InvalidValue as error:
            first_unusable = first_unusable or str(error)
            continue
        keys.append((place, key))
        shortened += is_shortened
    return BluezoneList(keys, len(records), first_unusable, shortened)


def _key(value: Any, name: str) -> tuple[BluezoneKey, bool]:
    record = JSONObject(value, name, where=f"{name}.")
    digits = record.text("daily_key", 2 * BLUEZONE_KEY_LENGTH)
    start = record.integer("time_start", 0, _LATEST - 1)
    end = record.integer("time_end", start, _LATEST - 1)
    per_day = USUAL_SLOTS_PER_DAY
    if record.get("max") is not None:
        per_day = record.integer("max", 1, MAX_SLOTS_PER_DAY)
    last = min(end, start + _LONGEST_SECONDS - 1)
    try:
        # bytes.fromhex takes spaces too.
        key_data = bytes.fromhex(digits) if len(digits) == 2 * BLUEZONE_KEY_LENGTH else b""
        return BluezoneKey(key_data, start, last, per_day), last < end
    except (ValueError, InvalidKey) as error:
        raise InvalidValue(f"{name}.daily_key must be 64 hex digits") from error
