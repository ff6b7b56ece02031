"""Offset between a log's clock and the keys', from identifiers heard at the wrong time.

An identifier belongs to one key and one interval, whatever the log's clock showed. So a key whose
identifiers were heard outside the tolerance shows by how much the clock was off: by whole half
hours, if it showed local time.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence

from matcher.definition import KeyMatch, is_matchable
from matcher.portable.derivation import derive_identifiers
from matcher.portable.sightings import SightingIndex
from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.protocol.interval import INTERVAL_SECONDS, interval_start

__all__ = ["MOST_KEYS_TRIED", "STEP_SECONDS", "ClockOffset", "clock_offset"]

MOST_KEYS_TRIED = 20_000
"""Keys that are tried at any time, if none matched: a third of a second. They are the first ones
with a sighting on a UTC day of their use, on the day before or on the day after."""

STEP_SECONDS = 1_800
"""Time zones differ from UTC by whole half hours, but for three of 45 minutes."""

_SPREAD_SECONDS = 7_200


class ClockOffset:
    """What the sightings of some keys' identifiers say about the log's clock.

    Parameters
    ----------
    keys
        Number of keys whose identifiers were heard.
    seconds
        For each sighting, how much later it was logged than the identifier was sent.
    """

    def __init__(self, keys: int, seconds: Sequence[int]) -> None:
        self.keys = keys
        middle = statistics.median(seconds)
        self.seconds = round(middle / STEP_SECONDS) * STEP_SECONDS
        """The typical offset, in whole half hours; above 0 if the log's times are later."""
        self.is_steady = all(abs(each - middle) <= _SPREAD_SECONDS for each in seconds)
        """Whether all sightings have about the same."""


def clock_offset(
    keys: Iterable[DiagnosisKey], matches: Iterable[KeyMatch], log: SightingIndex
) -> ClockOffset | None:
    """Return the offset of a log's clock; None if no identifier says anything about it.

    Parameters
    ----------
    keys
        The keys to try if nothing matched; revoked and recursive ones are left out.
    matches
        What matched.
    log
        The log.
    """
    found = [
        [
            _seconds(sighting.seen_at, interval)
            for sighting, interval in zip(match.sightings, match.intervals, strict=True)
        ]
        for match in matches
    ] or [
        seconds for key in keys if is_matchable(key) and (seconds := _heard_at_any_time(key, log))
    ]
    every = [seconds for of_key in found for seconds in of_key]
    return ClockOffset(len(found), every) if every else None


def _heard_at_any_time(key: DiagnosisKey, log: SightingIndex) -> list[int]:
    rpis = derive_identifiers(key)
    heard = log.heard(rpis)
    if not heard:
        return []
    return [
        _seconds(log.seen_at(position), interval)
        for interval, rpi in enumerate(rpis, start=key.rolling_start_interval_number)
        if rpi in heard
        for position in log.positions(rpi)
    ]


def _seconds(seen_at: int, interval: int) -> int:
    """Return how much later than the middle of an interval something was heard."""
    return seen_at - interval_start(interval) - INTERVAL_SECONDS // 2
