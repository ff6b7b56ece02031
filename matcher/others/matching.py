"""Matching of a log of another protocol with the keys that were published for it.

What is sent there states no transmit power, so the strength of a meeting stays unknown and only its
minutes are counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from matcher.notes import DaySpan, LogFacts
from matcher.others.result import OtherMatch, OtherResult
from matcher.others.sightings import OtherIndex, read_other_log
from matcher.portable.slots import heard_in
from matcher.risk.windows import seconds_since_last_scan
from tracing_core.errors import ExportFileError, InvalidValue
from tracing_core.export_file.file_kind import advice_for_key_file
from tracing_core.protocol.bluezone import BLUEZONE, BluezoneKey
from tracing_core.protocol.bluezone_list import MAX_LIST_BYTES, BluezoneList, parse_bluezone_list
from tracing_core.protocol.interval import utc_day
from tracing_core.protocol.slots import TracingProtocol
from tracing_core.store.files import file_errors
from tracing_core.store.left_out import LeftOut
from tracing_core.store.other_sighting import OtherSighting

__all__ = ["match_bluezone", "minutes_by_day", "read_bluezone_list", "sightings_of_key"]

_Key = TypeVar("_Key")
_MINUTE = 60


def sightings_of_key(protocol: TracingProtocol[_Key], key: _Key, log: OtherIndex) -> list[int]:
    """Return the positions of the sightings that match a key, by time, then by position."""
    found = {
        position
        for run in protocol.runs(key, log.heard_between)
        for position, _ in heard_in(run, log, protocol.max_seconds_heard)
    }
    return sorted(found, key=lambda position: (log.seen_at(position), position))


def minutes_by_day(sightings: Iterable[OtherSighting]) -> dict[int, int]:
    """Return for how many minutes something was heard, by UTC day.

    Each minute of the clock with a sighting stands for the minutes since the device listened
    before: at most 5, and 2 if that is unknown.

    Parameters
    ----------
    sightings
        Sightings in order of time, of any number of keys; together they count once.
    """
    minutes: dict[int, int] = {}
    for minute, heard in groupby(sightings, key=lambda each: each.seen_at // _MINUTE):
        first = next(heard)
        seconds = seconds_since_last_scan(first.seen_at, first.previous_scan_at)
        day = utc_day(minute * _MINUTE)
        minutes[day] = minutes.get(day, 0) + seconds // _MINUTE
    return minutes


def read_bluezone_list(path: Path) -> BluezoneList:
    """Read a list of keys that Bluezone published.

    Raises
    ------
    ExportFileError
        When the file is not such a list, or it is too long.
    StoreError
        When the file cannot be read.
    """
    with file_errors(path), path.open("rb") as file:
        data = file.read(MAX_LIST_BYTES + 1)
    try:
        return parse_bluezone_list(data)
    except InvalidValue as error:
        advice = advice_for_key_file(data[:4096])
        why = f"{error}: give the list of keys as it was published" if advice is None else advice.en
        raise ExportFileError(f"{path} is not a list of Bluezone keys: {why}") from error


def match_bluezone(
    log: Path | Iterable[OtherSighting], lists: Sequence[Path], *, research: bool = False
) -> OtherResult:
    """Match what Bluezone recorded with lists of the keys that it published.

    Parameters
    ----------
    log
        An agent's database, JSON Lines of sightings of other protocols, or such sightings.
    lists
        The lists. A record that several have counts once.
    research
        Include which keys matched, and when, in `OtherResult.to_json`.

    Raises
    ------
    InvalidLog, StoreError, ExportFileError
        When the log or a list cannot be used.
    """
    left_out = LeftOut()
    if isinstance(log, Path):
        log = read_other_log(log, left_out, protocol=BLUEZONE.name)
    index = OtherIndex(each for each in log if each.protocol == BLUEZONE.name)
    keys: dict[BluezoneKey, tuple[int, int]] = {}
    read = [read_bluezone_list(path) for path in lists]
    for number, each in enumerate(read):
        for place, key in each.keys:
            keys.setdefault(key, (number, place))
    matches = []
    for key, (file_number, place) in keys.items():
        positions = sightings_of_key(BLUEZONE, key, index)
        if positions:
            matches.append(OtherMatch(file_number, place, tuple(map(index.__getitem__, positions))))
    return OtherResult(
        protocol=BLUEZONE.name,
        log=LogFacts.of(len(index), 0, index.days(), index.heard_after, left_out),
        files=tuple(map(str, lists)),
        diagnosis_keys=len(keys),
        skipped_keys=sum(each.unusable for each in read),
        first_unusable=_first_unusable(lists, read),
        shortened_keys=sum(each.shortened for each in read),
        key_days=_days_of(keys),
        matches=tuple(matches),
        minutes=minutes_by_day(_together(matches)),
        research=research,
    )


def _together(matches: Iterable[OtherMatch]) -> list[OtherSighting]:
    every = {id(each): each for match in matches for each in match.sightings}
    return sorted(every.values(), key=lambda each: each.seen_at)


def _first_unusable(lists: Sequence[Path], read: Sequence[BluezoneList]) -> str:
    named = zip(lists, read, strict=True)
    return next((f"{path}, {each.first_unusable}" for path, each in named if each.unusable), "")


def _days_of(keys: Iterable[BluezoneKey]) -> DaySpan | None:
    spans = [(utc_day(key.time_start), utc_day(key.time_end)) for key in keys]
    if not spans:
        return None
    return DaySpan(min(first for first, _ in spans), max(last for _, last in spans))
