"""The next key file: when it is due, and how many keys wait."""

from __future__ import annotations

from typing import NamedTuple

from server.context import Server
from server.export.schedule import exported_until
from server.export.windows import window_of
from server.store.diagnosis_keys import count_keys_from
from server.store.known_time import KnownTime

__all__ = ["Outlook", "next_export"]


class Outlook(NamedTuple):
    """What an operator may expect."""

    due_at: int
    """When the next key file may be written (UTC Unix seconds)."""
    waiting_keys: int
    """Keys that have not left yet, without padding."""
    time: KnownTime
    """What is certain about the time."""


def next_export(server: Server, region: str) -> Outlook:
    """Return when a region's next key file is due."""
    settings = server.settings
    with server.database.read() as conn:
        time = server.time.read(conn, server.clock)
        begin = exported_until(conn, region)
        begin = int(time.now) if begin is None else begin
        end = window_of(begin, settings.export_period_seconds).end
        return Outlook(
            end + settings.export_min_window_age_seconds, count_keys_from(conn, region, begin), time
        )
