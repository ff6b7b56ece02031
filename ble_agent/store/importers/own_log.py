"""Logs of this program: the database of another agent, or JSON Lines, gzipped or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ble_agent.store.importers.source import Tally
from matcher.portable.sightings import read_log
from tracing_core.store.sighting import Sighting

__all__ = ["OwnLog"]


class OwnLog:
    """A truyvet log: an SQLite database or JSON Lines.

    Parameters
    ----------
    name, title
        The identifier of the format, and its name in texts.
    path
        The file.
    """

    is_one_per_moment = False

    def __init__(self, name: str, title: str, path: Path) -> None:
        self.name = name
        self.title = title
        self._path = path

    def sightings(self, tally: Tally) -> Iterator[Sighting]:
        """Yield the log's sightings in order; the first line or row that cannot be read ends it."""
        for sighting in read_log(self._path):
            tally.read += 1
            yield sighting
