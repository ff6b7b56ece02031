"""The search of one part of the logs: the unit of work of a job."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from matcher.columns.key_columns import KeyColumns
from matcher.kernels.choice import loaded_kernel
from matcher.kernels.processor import KERNELS, Kernel, choose_kernel
from matcher.many.keys import key_columns
from matcher.many.logs import ManyLogs
from matcher.many.source import LoadedLogs, LogId, LogSource, Tally, Unreadable
from tracing_core.store.sighting import Sighting

__all__ = ["LogFindings", "PartFindings", "search", "search_again"]


class LogFindings(NamedTuple):
    """What was found in one log that met a key."""

    key_rows: tuple[int, ...]
    sightings: list[Sighting]


class PartFindings(NamedTuple):
    """What was found in a part of the logs."""

    log_ids: list[LogId]
    tally: Tally
    found: dict[LogId, LogFindings]
    unreadable: Mapping[LogId | None, Unreadable]


@cache  # a failed compilation takes long, so its result is kept too
def _kernel(named: str | None) -> Kernel:
    """Return the kernel of this process; the portable one if no other can be loaded."""
    return loaded_kernel(partial(choose_kernel, named), many_logs=True) or KERNELS["portable"]


def search(part: LogSource, keys: KeyColumns | Path, side: str | None) -> PartFindings:
    """Read a part and join it with all keys."""
    from matcher.many.join import join_many_logs

    logs = part.read()
    pairs = join_many_logs(
        key_columns(keys),
        logs.rpi,
        logs.seen_at,
        logs.clock_suspect,
        side=side,
        kernel=_kernel(os.environ.get("TRUYVET_KERNEL")),
    )
    tally = logs.tally()
    log_ids = list(logs.log_ids)
    if isinstance(part, ManyLogs):
        # A part cut from in-memory columns names every log, even those it has no sightings of.
        present = np.flatnonzero(tally.sightings)
        log_ids = [log_ids[number] for number in present.tolist()]
        tally = Tally(*(column[present] for column in tally))
    # The job counts what was left out of in-memory columns, since no part has those rows.
    unreadable = {} if isinstance(part, ManyLogs) else logs.unreadable
    key_rows: dict[LogId, set[int]] = {}
    matched = logs.log[pairs.sighting_row]
    for number, key_row in zip(matched.tolist(), pairs.key_row.tolist(), strict=True):
        key_rows.setdefault(logs.log_ids[number], set()).add(key_row)
    identifiers = logs.rpi[np.unique(pairs.sighting_row)]
    heard = _heard(logs, np.unique(matched), identifiers)
    found = {
        log_id: LogFindings(tuple(sorted(rows)), heard[log_id]) for log_id, rows in key_rows.items()
    }
    return PartFindings(log_ids, tally, found, unreadable)


def search_again(
    part: LogSource, log_ids: frozenset[LogId], identifiers: NDArray[np.uint8]
) -> dict[LogId, list[Sighting]]:
    """Return the sightings of some identifiers in some logs of a part."""
    logs = part.read()
    numbers = [number for number, log_id in enumerate(logs.log_ids) if log_id in log_ids]
    return _heard(logs, np.array(numbers, "int64"), identifiers)


def _heard(
    logs: LoadedLogs, numbers: NDArray[np.int64], identifiers: NDArray[np.uint8]
) -> dict[LogId, list[Sighting]]:
    """Return all sightings of some identifiers in some logs, at any time."""
    from matcher.columns.value_set import ValueSet

    if not len(numbers):
        return {}
    wanted = np.zeros(len(logs.log_ids), "bool")
    wanted[numbers] = True
    rows = np.flatnonzero(wanted[logs.log])
    values = ValueSet()
    values.add(identifiers)
    rows = rows[values.contains(logs.rpi[rows])]
    heard: dict[LogId, list[Sighting]] = {}
    of_logs = logs.log[rows].tolist()
    for number, sighting in zip(of_logs, logs.sightings(rows), strict=True):
        heard.setdefault(logs.log_ids[number], []).append(sighting)
    return heard
