"""The true answer of every agent, computed from the air's trace alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ble_agent.demo.texts import demo_text, level_text, levels_text
from ble_agent.messages.language import Text
from ble_agent.virtual_air.trace import HeardRun, Trace
from tracing_core.configuration.env2 import NO_LEVEL, ExposureConfiguration
from tracing_core.protocol.diagnosis_key import ReportType

__all__ = ["HeardScan", "Truth", "fault", "scans", "truth"]

# The protocol's figures, repeated on purpose: the truth must not come from the code it judges.
_ONE_SCAN_SECONDS = 25.5
_MOST_MINUTES = 5
_LEAST_MINUTES = 3
_LEAST_MINUTES_UNKNOWN = 2
# Packets in flight at the end of a scan are in the trace but not in the log: they may shift a mean,
# and may be all that a short scan heard. Times differ by the delay between processes, which is
# sixty times as long on the story's clock.
_DOUBT_DB = 1.5
_DOUBT_PACKETS = 2
_DOUBT_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class HeardScan:
    """One scan of one person's radio, as far as it heard another person."""

    first: float
    last: float
    count: int
    rssi_min: float
    rssi_mean: float
    rssi_max: float


@dataclass(frozen=True, slots=True)
class Truth:
    """The answer that an agent must give."""

    day: str | None
    """The UTC day of the exposure, ``YYYY-MM-DD``; None for no exposure."""
    scans: int = 0
    """Number of scans that heard the affected person."""
    least_seconds: float = 0.0
    """Fewest weighted seconds that agree with the trace."""
    most_seconds: float = 0.0
    """Most weighted seconds that agree with the trace."""
    least_minutes: int = 0
    """Fewest minutes, not weighted, that agree with the trace."""
    most_minutes: int = 0
    """Most minutes, not weighted, that agree with the trace."""
    levels: frozenset[str] = frozenset({NO_LEVEL})
    """Levels of risk that agree with the trace: one, unless a threshold lies in between."""


def scans(runs: Iterable[HeardRun]) -> list[HeardScan]:
    """Join the runs of each scan, whatever identifiers they carried."""
    joined: list[list[HeardRun]] = []
    for run in sorted(runs, key=lambda run: run.first):
        if joined and run.first - max(seen.last for seen in joined[-1]) <= _ONE_SCAN_SECONDS:
            joined[-1].append(run)
        else:
            joined.append([run])
    return [
        HeardScan(
            first=part[0].first,
            last=max(run.last for run in part),
            count=sum(run.count for run in part),
            rssi_min=min(run.rssi_min for run in part),
            rssi_mean=sum(run.rssi_mean * run.count for run in part)
            / sum(run.count for run in part),
            rssi_max=max(run.rssi_max for run in part),
        )
        for part in joined
    ]


def _minutes(scan: HeardScan, earlier: Sequence[HeardScan]) -> tuple[int, int]:
    """Return the fewest and most minutes of a scan, given all earlier scans of its receiver."""
    last = max((before.first for before in earlier if before.last < scan.first), default=None)
    if last is None:
        return _LEAST_MINUTES_UNKNOWN, _MOST_MINUTES
    if scan.first - last > _MOST_MINUTES * 60 + _DOUBT_SECONDS:
        # A scan that hears nothing leaves no trace, so there was one in between.
        return _LEAST_MINUTES, _MOST_MINUTES
    early, late = scan.first - _DOUBT_SECONDS, scan.first + _DOUBT_SECONDS
    shortest = early // 60 - (last + _DOUBT_SECONDS) // 60
    longest = late // 60 - (last - _DOUBT_SECONDS) // 60
    return min(_MOST_MINUTES, int(shortest)), min(_MOST_MINUTES, int(longest))


def _weights(
    scan: HeardScan, transmit_dbm: int, configuration: ExposureConfiguration
) -> tuple[float, float]:
    """Return the least and the most weight that a scan's attenuation may have."""
    config = configuration.daily_summaries
    edges = (-math.inf, *config.attenuation_thresholds_db, math.inf)
    attenuation_db = max(0.0, transmit_dbm - scan.rssi_mean)
    spread = scan.rssi_max - scan.rssi_min
    doubt = max(_DOUBT_DB, _DOUBT_PACKETS * spread / scan.count)
    possible = [
        weight
        for (low, high), weight in zip(
            itertools.pairwise(edges), config.attenuation_bucket_weights, strict=True
        )
        if low < attenuation_db + doubt and attenuation_db - doubt <= high
    ]
    return min(possible), max(possible)


def _level(configuration: ExposureConfiguration, score: float) -> str:
    for level in configuration.classifications:
        if 0 < level.per_day_sum_erv_seconds <= score:
            return level.name
    return NO_LEVEL


def truth(
    trace: Trace,
    receiver: str,
    affected: str,
    *,
    transmit_dbm: int,
    configuration: ExposureConfiguration,
) -> Truth:
    """Return what a person's agent must answer once the affected person's keys are known.

    This holds for a meeting within one UTC day, and for keys of the day of symptom onset.
    """
    of_affected = [
        run for run in trace.heard if run.receiver == receiver and run.sender == affected
    ]
    if not of_affected:
        return Truth(None)
    everything = scans(run for run in trace.heard if run.receiver == receiver)
    config = configuration.daily_summaries
    factor = config.report_type_weights.get(
        ReportType.CONFIRMED_TEST, 0.0
    ) * config.infectiousness_weights.get(configuration.infectiousness(0), 0.0)
    least = most = 0.0
    fewest = greatest = 0
    found = scans(of_affected)
    for scan in found:
        shortest, longest = _minutes(scan, everything)
        light, heavy = _weights(scan, transmit_dbm, configuration)
        if scan.count <= _DOUBT_PACKETS:
            shortest = 0
        fewest += shortest
        greatest += longest
        least += shortest * 60 * light * factor
        most += longest * 60 * heavy * factor
    # Levels rise with the score, so those between the two bounds are found at their thresholds.
    between = [
        level.per_day_sum_erv_seconds
        for level in configuration.classifications
        if least <= level.per_day_sum_erv_seconds <= most
    ]
    return Truth(
        day=datetime.fromtimestamp(found[0].first, UTC).date().isoformat(),
        scans=len(found),
        least_seconds=least,
        most_seconds=most,
        least_minutes=fewest,
        most_minutes=greatest,
        levels=frozenset(_level(configuration, score) for score in (least, *between, most)),
    )


def fault(expected: Truth, answer: Mapping[str, Any]) -> Text | None:
    """Return what is wrong with an answer of ``truyvet agent check --json``; None if it is true."""
    days = answer["days"]
    if expected.day is None:
        return demo_text("fault_never") if answer["recorded"] or days else None
    if not answer["recorded"] or not days:
        return demo_text("fault_silent")
    if [day["date"] for day in days] != [expected.day]:
        found = ", ".join(day["date"] for day in days)
        return demo_text("fault_days", found=found, expected=expected.day)
    score, level, minutes = days[0]["score_seconds"], days[0]["level"], days[0]["minutes"]
    least, most = expected.least_minutes, expected.most_minutes
    if not least <= minutes <= most:
        return demo_text("fault_minutes", found=minutes, least=least, most=most)
    if not expected.least_seconds <= score <= expected.most_seconds:
        return demo_text(
            "fault_score", found=score, least=expected.least_seconds, most=expected.most_seconds
        )
    if level not in expected.levels or answer["level"] != level:
        return demo_text(
            "fault_level", found=level_text(level), expected=levels_text(expected.levels)
        )
    return None
