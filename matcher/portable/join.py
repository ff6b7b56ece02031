"""Join of keys with a log, in plain Python; it agrees with `matcher.definition`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from matcher.definition import TOLERANCE_INTERVALS, KeyMatch, is_matchable, revised
from matcher.portable.clock_offset import (
    MOST_KEYS_TRIED,
    ClockOffset,
    clock_offset,
)
from matcher.portable.derivation import derive_identifiers
from matcher.portable.sightings import SightingIndex
from matcher.portable.slots import heard_in
from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.protocol.gaen import GAEN, gaen_run
from tracing_core.protocol.interval import TEK_ROLLING_PERIOD, ENIntervalNumber
from tracing_core.store.sighting import Sighting

__all__ = ["Join", "match_keys"]


class Join:
    """The matches of one log with key files, given one after the other.

    The identifiers of a key are derived when it first appears. Later only its 16 bytes are kept,
    unless it matched: a revision can retract or upgrade a match, but never makes one.
    """

    def __init__(self, log: SightingIndex) -> None:
        self._log = log
        self._seen: set[bytes] = set()
        self._found: dict[bytes, KeyMatch] = {}
        self._changed: set[bytes] = set()
        self._files = 0
        self._days: set[int] = set()
        self._untried: list[DiagnosisKey] = []

    @property
    def diagnosis_keys(self) -> int:
        """Number of different keys given, including revoked ones."""
        return len(self._seen)

    def key_days(self) -> list[int]:
        """Return the UTC days on which the keys were used, in order."""
        return sorted(self._days)

    def has_found(self, key: DiagnosisKey) -> bool:
        """Return whether a key matched, even if it was revoked later."""
        return key.key_data in self._found

    @property
    def revoked(self) -> int:
        """Number of keys that matched until a later record revoked them."""
        return len(self._found) - len(self.matches())

    def offset(self) -> ClockOffset | None:
        """Return by how much the log's clock was off; None if no identifier says."""
        untried = (key for key in self._untried if not self.has_found(key))
        return clock_offset(untried, self.matches(), self._log)

    def add(self, keys: Iterable[DiagnosisKey]) -> None:
        """Add the next file: its ``keys``, then its ``revised_keys``."""
        self.add_numbered(enumerate(keys))

    def add_numbered(self, keys: Iterable[tuple[int, DiagnosisKey]]) -> None:
        """Add the next file, or a selection of it, each key with its place there."""
        for index, key in keys:
            if key.key_data not in self._seen:
                self._seen.add(key.key_data)
                self._look_for(key, index)
            elif key.key_data in self._found:
                self._revise(key, index)
        self._files += 1

    def matches(self) -> list[KeyMatch]:
        """Return the matches so far, in the order their keys first appeared."""
        return [match for match in self._found.values() if is_matchable(match.key)]

    def _look_for(self, key: DiagnosisKey, index: int) -> None:
        first_day = key.rolling_start_interval_number // TEK_ROLLING_PERIOD
        last_day = (key.end_interval_number - 1) // TEK_ROLLING_PERIOD
        self._days.add(first_day)
        self._days.add(last_day)
        if len(self._untried) < MOST_KEYS_TRIED and self._log.has_day(first_day - 1, last_day + 1):
            self._untried.append(key)
        first = key.rolling_start_interval_number - TOLERANCE_INTERVALS
        end = key.end_interval_number + TOLERANCE_INTERVALS
        if not is_matchable(key) or not self._log.heard_between(first, end):
            return
        rpis, start = derive_identifiers(key), key.rolling_start_interval_number
        # Nearly every key ends here.
        if not self._log.heard(rpis):
            return
        pairs = heard_in(gaen_run(rpis, start), self._log, GAEN.max_seconds_heard)
        if pairs:
            self._found[key.key_data] = KeyMatch(
                key,
                tuple(self._log.sighting(rpis[number], position) for position, number in pairs),
                tuple(ENIntervalNumber(start + number) for _, number in pairs),
                file_number=self._files,
                key_index=index,
            )

    def _revise(self, later: DiagnosisKey, index: int) -> None:
        known = self._found[later.key_data]
        revision = revised(known.key, later)
        if revision is not None and later.key_data not in self._changed:
            self._changed.add(later.key_data)
            self._found[later.key_data] = replace(
                known, key=revision, file_number=self._files, key_index=index
            )


def match_keys(
    sightings: Iterable[Sighting] | SightingIndex, keys: Iterable[DiagnosisKey]
) -> list[KeyMatch]:
    """Return the keys that were near, in the order of first appearance.

    Parameters
    ----------
    sightings
        A log, in any order; pass an index to use the same log again.
    keys
        The records of one key file in order, or of several. A key that occurs twice counts once,
        as it stands after revisions.
    """
    log = sightings if isinstance(sightings, SightingIndex) else SightingIndex(sightings)
    join = Join(log)
    join.add(keys)
    return join.matches()
