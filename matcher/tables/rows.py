"""Windows, days and matches as JSON objects, and as rows of tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from matcher.definition import KeyMatch
from matcher.risk import DayAssessment
from tracing_core.protocol.exposure_window import ExposureWindow

__all__ = [
    "day_json",
    "day_row",
    "day_text",
    "match_row",
    "measured_count",
    "window_json",
    "window_row",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_DATE = (date.max - _EPOCH.date()).days


def day_text(day: int) -> str:
    """Return a UTC day as ``2026-11-23``."""
    # Intervals of 32 bits reach far beyond the years that dates have.
    return f"{_EPOCH + timedelta(days=day):%Y-%m-%d}" if day <= _LAST_DATE else f"day {day}"


def window_json(window: ExposureWindow) -> dict[str, Any]:
    """Return a window as ``truyvet match --json`` prints it."""
    return {
        "date": day_text(window.date),
        "report_type": window.report_type.name.lower(),
        "infectiousness": window.infectiousness.name.lower(),
        "calibration_confidence": window.calibration_confidence.name.lower(),
        "scan_instances": [
            {
                "typical_attenuation_db": scan.typical_attenuation_db,
                "min_attenuation_db": scan.min_attenuation_db,
                "seconds_since_last_scan": scan.seconds_since_last_scan,
            }
            for scan in window.scan_instances
        ],
    }


def day_json(day: DayAssessment) -> dict[str, Any]:
    """Return a day as ``truyvet match --json`` prints it."""
    return {"date": day_text(day.date), "level": day.level, **day.detail.to_json()}


def window_row(window: ExposureWindow) -> dict[str, Any]:
    """Return a window as a row; its date is a number of days, as Arrow takes dates."""
    return {**window_json(window), "date": window.date}


def day_row(day: DayAssessment) -> dict[str, Any]:
    """Return a day as a row; its date is a number of days, as Arrow takes dates."""
    return {"date": day.date, "level": day.level, **day.detail.to_row()}


def measured_count(match: KeyMatch) -> int:
    """Return how many sightings of a key have a known strength."""
    return sum(sighting.is_measured for sighting in match.sightings)


def match_row(match: KeyMatch, file_names: Sequence[str], *, research: bool) -> dict[str, Any]:
    """Return the columns of a key that was near."""
    row: dict[str, Any] = {
        "date": match.sightings[0].seen_at // 86400,
        "report_type": match.key.report_type.name.lower(),
        "identifiers": len({sighting.rpi for sighting in match.sightings}),
        "sightings": measured_count(match),
    }
    if research:
        row |= {
            # A name that is not valid text cannot stand in a column of text.
            "file": file_names[match.file_number].encode(errors="backslashreplace").decode(),
            "key_index": match.key_index,
            "key_data": match.key.key_data,
            "rolling_start_interval_number": match.key.rolling_start_interval_number,
            "heard": [
                {"rpi": sighting.rpi, "interval": interval, "seen_at": sighting.seen_at}
                for sighting, interval in zip(match.sightings, match.intervals, strict=True)
            ],
        }
    return row
