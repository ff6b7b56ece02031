"""Assembly of whole logs from what was found in their parts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from matcher.many.mapper import Mapper
from matcher.many.search import LogFindings, PartFindings, search_again
from matcher.many.source import LogId, LogSource, Tally, Unreadable
from tracing_core.errors import InvalidLog

__all__ = ["added_tallies", "added_unreadable", "empty_tally", "whole_logs"]


def whole_logs(
    findings: list[PartFindings], parts: Sequence[LogSource], mapper: Mapper
) -> dict[LogId, LogFindings]:
    """Join what the parts hold of each log that met a key.

    An identifier counts for 1200 seconds after it was first heard, which may be in another part.
    So every part of such a log is searched again, for all its sightings of those identifiers.
    """
    found = _added(findings)
    spread = _spread(findings, found)
    if not spread:
        return found
    heard = b"".join({each.rpi for log_id in spread for each in found[log_id].sightings})
    again = partial(
        search_again,
        log_ids=frozenset(spread),
        identifiers=np.frombuffer(heard, "uint8").reshape(-1, 16),
    )
    asked = sorted({number for numbers in spread.values() for number in numbers})
    for log_id in spread:
        found[log_id] = LogFindings(found[log_id].key_rows, [])
    for more in mapper.map(again, [parts[number] for number in asked]):
        for log_id, sightings in more.items():
            found[log_id].sightings.extend(sightings)
    return found


def _added(findings: list[PartFindings]) -> dict[LogId, LogFindings]:
    found: dict[LogId, LogFindings] = {}
    for part in findings:
        for log_id, more in part.found.items():
            known = found.get(log_id, LogFindings((), []))
            found[log_id] = LogFindings(
                tuple(sorted({*known.key_rows, *more.key_rows})), known.sightings + more.sightings
            )
    return found


def _spread(
    findings: list[PartFindings], found: dict[LogId, LogFindings]
) -> dict[LogId, list[int]]:
    """Return the logs that lie in several parts, and the numbers of those parts."""
    parts: dict[LogId, list[int]] = {}
    for number, part in enumerate(findings):
        for log_id in found.keys() & set(part.log_ids):
            parts.setdefault(log_id, []).append(number)
    return {log_id: numbers for log_id, numbers in parts.items() if len(numbers) > 1}


def empty_tally(logs: int) -> Tally:
    """Return the tally of logs without a sighting."""
    zeros = np.zeros(logs, "int64")
    return Tally(zeros, zeros.copy(), zeros - 1, zeros - 1, zeros.copy())


def added_unreadable(findings: list[PartFindings]) -> dict[LogId | None, Unreadable]:
    """Return what cannot be read of each log over all parts; None is for rows without a log."""
    found: dict[LogId | None, Unreadable] = {}
    for part in findings:
        for log_id, more in part.unreadable.items():
            found[log_id] = found[log_id].and_later(more) if log_id in found else more
    return found


def added_tallies(findings: list[PartFindings]) -> tuple[list[LogId], Tally]:
    """Return all logs in the order of their ids, and the tallies of their parts added up.

    Raises
    ------
    InvalidLog
        When some logs have text as their id and others a number.
    """
    if len(findings) == 1:
        numbers = {log_id: number for number, log_id in enumerate(findings[0].log_ids)}
        tally = findings[0].tally
    else:
        numbers = {}
        for part in findings:
            for log_id in part.log_ids:
                numbers.setdefault(log_id, len(numbers))
        tally = empty_tally(len(numbers))
        for part in findings:
            at = np.array([numbers[log_id] for log_id in part.log_ids], "int64")
            tally.sightings[at] += part.tally.sightings
            tally.suspect_sightings[at] += part.tally.suspect_sightings
            tally.unmeasured_sightings[at] += part.tally.unmeasured_sightings
            tally.last_seen_at[at] = np.maximum(tally.last_seen_at[at], part.tally.last_seen_at)
            tally.last_past_at[at] = np.maximum(tally.last_past_at[at], part.tally.last_past_at)
    if len({type(log_id) for log_id in numbers}) > 1:
        raise InvalidLog("log_id is text in some files and a number in others: write them alike")
    log_ids = sorted(numbers)
    order = [numbers[log_id] for log_id in log_ids]
    return log_ids, Tally(*(column[order] for column in tally))
