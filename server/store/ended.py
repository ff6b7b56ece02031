"""The note in the home folder that the deployment has ended, which is all that remains of it.

It is written before anything is deleted, so a server that was stopped meanwhile goes on deleting
when it starts.
"""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import NamedTuple

from tracing_core.errors import InvalidValue, StoreError
from tracing_core.paths import is_there
from tracing_core.store.files import file_errors, write_durably
from tracing_core.trust.last_day import read_last_day

__all__ = ["ENDED_FILE", "Ended", "note_ended", "read_ended", "refuse_ended"]

ENDED_FILE = "ended.json"
"""Name of the file in the home folder."""


class Ended(NamedTuple):
    """A deployment whose last day is over for certain."""

    last_day: datetime.date
    is_emptied: bool
    """True when everything was deleted."""


def read_ended(home: Path) -> Ended | None:
    """Return what the home folder says of the end; None if it says nothing.

    Raises
    ------
    StoreError
        When the file cannot be read.
    """
    path = home / ENDED_FILE
    with file_errors(path):
        if not is_there(path):
            return None
        data = path.read_bytes()
    try:
        fields = json.loads(data)
        return Ended(read_last_day(fields["last_day"]), fields["emptied"] is True)
    except (ValueError, KeyError, TypeError, InvalidValue) as error:
        raise StoreError(f"{path} cannot be read: restore it from a backup") from error


def note_ended(home: Path, ended: Ended) -> None:
    """Write down that the deployment has ended.

    Raises
    ------
    StoreError
        When the file cannot be written.
    """
    fields = {"last_day": ended.last_day.isoformat(), "emptied": ended.is_emptied}
    write_durably(home / ENDED_FILE, json.dumps(fields).encode())


def refuse_ended(home: Path) -> None:
    """Check that a home folder belongs to a deployment that goes on.

    Raises
    ------
    StoreError
        When it has ended.
    """
    ended = read_ended(home)
    if ended is not None:
        raise StoreError(
            f"the last day was {ended.last_day}, and everything in {home} is deleted: to go on,"
            " set up another home, and let devices join by its line"
        )
