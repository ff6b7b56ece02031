"""Exposure windows: half hours near a key, and the scans in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from matcher.definition import KeyMatch, is_matchable
from matcher.risk.attenuation import MeasuredSighting, measured_sightings
from tracing_core.protocol.diagnosis_key import ReportType
from tracing_core.protocol.exposure_window import ExposureWindow, Infectiousness, ScanInstance
from tracing_core.protocol.interval import utc_day

__all__ = [
    "DEFAULT_SECONDS_SINCE_LAST_SCAN",
    "MAX_MINUTES_SINCE_LAST_SCAN",
    "SCAN_GAP_SECONDS",
    "WINDOW_SECONDS",
    "WindowMapping",
    "exposure_windows",
    "seconds_since_last_scan",
]

WINDOW_SECONDS = 1800
"""A window ends this long after its first sighting (``maxExposureWindowDurationMinutes``)."""

SCAN_GAP_SECONDS = 25.5
"""Sightings at most this far apart belong to one scan: 1.5 × (4 s of scan + 13 s by which it may be
extended)."""

MAX_MINUTES_SINCE_LAST_SCAN = 5
"""The longest time that one scan stands for."""

DEFAULT_SECONDS_SINCE_LAST_SCAN = 120
"""The time that a scan stands for if the scan before it is unknown."""

_Run = list[MeasuredSighting]


class WindowMapping(Protocol):
    """The mapping of keys to windows (``DiagnosisKeysDataMapping`` of the protocol)."""

    @property
    def report_type_when_missing(self) -> ReportType:
        """The report type of a key that states none."""

    def infectiousness(self, days_since_onset: int | None) -> Infectiousness:
        """Return how infectious the key's owner was; None for an unknown day of onset."""


def exposure_windows(
    match: KeyMatch,
    configuration: WindowMapping,
    measured: Sequence[MeasuredSighting] | None = None,
) -> list[ExposureWindow]:
    """Return the windows near one key, by time; none if the key is revoked or not infectious.

    `measured` is what `measured_sightings` returns for the match, if that is known already.
    """
    infectiousness = configuration.infectiousness(match.key.days_since_onset_of_symptoms)
    if infectiousness is Infectiousness.NONE or not is_matchable(match.key):
        return []
    report_type = match.key.report_type
    if report_type is ReportType.UNKNOWN:
        report_type = configuration.report_type_when_missing
    windows = _runs(
        measured_sightings(match) if measured is None else measured,
        lambda run, sighting: sighting.seen_at - run[0].seen_at < WINDOW_SECONDS,
    )
    return [
        ExposureWindow(
            date=utc_day(window[0].seen_at),
            report_type=report_type,
            infectiousness=infectiousness,
            calibration_confidence=window[0].calibration_confidence,
            scan_instances=_scan_instances(window),
        )
        for window in windows
    ]


def _runs(
    sightings: Sequence[MeasuredSighting], continues: Callable[[_Run, MeasuredSighting], bool]
) -> list[_Run]:
    runs: list[_Run] = []
    for sighting in sightings:
        if runs and continues(runs[-1], sighting):
            runs[-1].append(sighting)
        else:
            runs.append([sighting])
    return runs


def _scan_instances(window: _Run) -> tuple[ScanInstance, ...]:
    scans = _runs(
        window, lambda run, sighting: sighting.seen_at - run[-1].seen_at <= SCAN_GAP_SECONDS
    )
    return tuple(_scan_instance(scan) for scan in scans)


def _scan_instance(scan: _Run) -> ScanInstance:
    samples = [sample for sighting in scan for sample in sighting.attenuations_db]
    return ScanInstance(
        # The mean rounded half up, in whole numbers.
        typical_attenuation_db=(2 * sum(samples) + len(samples)) // (2 * len(samples)),
        min_attenuation_db=min(samples),
        seconds_since_last_scan=seconds_since_last_scan(scan[0].seen_at, scan[0].previous_scan_at),
    )


def seconds_since_last_scan(seen_at: int, previous_scan_at: int | None) -> int:
    """Return the time that a scan stands for: whole minutes since the previous one, 0 to 300 s.

    Parameters
    ----------
    seen_at, previous_scan_at
        When the scan and the one before it were (UTC Unix seconds); None or 0 if unknown.
    """
    if not previous_scan_at:
        return DEFAULT_SECONDS_SINCE_LAST_SCAN
    minutes = seen_at // 60 - previous_scan_at // 60
    # A previous scan in the future means that the clock was set back; it adds no time.
    return 60 * max(0, min(MAX_MINUTES_SINCE_LAST_SCAN, minutes))
