"""Lists of Bluezone keys for tests, and what their owners sent."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tracing_core.protocol.bluezone import BLUEZONE, BluezoneKey
from tracing_core.protocol.slots import Slot, slots

__all__ = ["list_of", "record_of", "slots_of"]


def record_of(key: BluezoneKey) -> dict[str, Any]:
    """Return the record of a key as Bluezone published it."""
    return {
        "daily_key": key.key_data.hex(),
        "time_start": key.time_start,
        "time_end": key.time_end,
        "max": key.slots_per_day,
    }


def list_of(keys: Iterable[BluezoneKey]) -> bytes:
    """Return a list as an operator gives it."""
    return json.dumps({"data": [record_of(key) for key in keys]}).encode()


def slots_of(key: BluezoneKey) -> list[Slot]:
    """Return what the key's phone sent, and when."""
    return list(slots(BLUEZONE, key))
