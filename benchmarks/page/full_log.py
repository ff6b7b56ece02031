"""Home with a full log: 900,000 sightings over 14 days, made up."""

from __future__ import annotations

import random
from pathlib import Path

from ble_agent.store.database import RETENTION_SECONDS, make_home, open_store
from tracing_core.store.sighting import Sighting, insert_sightings
from tracing_core.store.sqlite import transaction

__all__ = ["make_full_home"]

_SCAN_SECONDS = 300
_AEM = bytes(4)
# Of the identifiers in a scan, those that the one before did not hear.
_NEW = 0.29


def make_full_home(home: Path, now: int, rows: int = 900_000) -> int:
    """Fill a new home with scans up to a time, and return the number of sightings.

    Parameters
    ----------
    home
        The folder to make.
    now
        The end of the log (UTC Unix seconds). Its beginning is almost 14 days before.
    rows
        About how many sightings to make.
    """
    make_home(home)
    chosen = random.Random(1)
    moments = range(now - RETENTION_SECONDS + 3_600, now, _SCAN_SECONDS)
    near = [chosen.randbytes(16) for _ in range(rows // len(moments))]
    with open_store(home) as db:
        with transaction(db):
            for moment in moments:
                near = [chosen.randbytes(16) if chosen.random() < _NEW else rpi for rpi in near]
                heard = (Sighting(rpi, _AEM, (-60, -61), moment, moment - 300) for rpi in near)
                insert_sightings(db, heard)
        return int(db.table("sighting").count)
