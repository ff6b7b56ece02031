"""What matching found: as an object, as JSON, and as a table for a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from matcher.definition import KeyMatch
from matcher.risk import Assessment, DayAssessment, RiskModel
from tracing_core.protocol.exposure_window import ExposureWindow

__all__ = ["JSON_VERSION", "MatchResult", "counted", "day_json", "text_table", "window_json"]

JSON_VERSION = 1

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_DATE = (date.max - _EPOCH.date()).days


@dataclass(frozen=True, slots=True)
class MatchResult:
    """What matching a log with key files found. No key and no identifier shows in its text."""

    sightings: int
    """Lines or rows of the log."""
    suspect_sightings: int
    """How many of them were logged under a suspect clock and left out."""
    files: tuple[str, ...]
    """The key files, in the order they were taken."""
    diagnosis_keys: int
    """Different keys over all files, revoked ones too."""
    matches: tuple[KeyMatch, ...] = field(repr=False)
    """Every key that was near, in the order of first appearance. They tell whom somebody met
    and when: not for the owner's screen."""
    assessment: Assessment
    model: RiskModel[Any] = field(repr=False)
    preset: str
    """The name of the risk configuration."""
    today: int
    """The UTC day, in days since the Unix epoch, that the age of exposures was counted from."""
    signatures_checked: bool
    research: bool

    @property
    def matched_keys(self) -> int:
        """How many keys were near."""
        return len(self.matches)

    @property
    def matched_identifiers(self) -> int:
        """How many different identifiers of them were heard."""
        return sum(_identifiers(match) for match in self.matches)

    @property
    def matched_sightings(self) -> int:
        """How many lines or rows of the log they make up."""
        return sum(len(match.sightings) for match in self.matches)

    def to_json(self) -> dict[str, Any]:
        """Return what ``truyvet match --json`` prints; docs/matching.md says what each field is."""
        answer: dict[str, Any] = {
            "version": JSON_VERSION,
            "diagnosis_keys": self.diagnosis_keys,
            "matched_keys": self.matched_keys,
            "matched_identifiers": self.matched_identifiers,
            "matched_sightings": self.matched_sightings,
            "exposure_windows": [window_json(window) for window in self.assessment.windows],
            self.model.days_name: [day_json(day) for day in self.assessment.days],
            "risk": {
                "preset": self.preset,
                "level": self.assessment.level,
                "score": self.assessment.score,
            },
        }
        if self.research:
            answer["matches"] = [
                {
                    "file": self.files[match.file_number],
                    "key_index": match.key_index,
                    "identifiers": _identifiers(match),
                    "sightings": len(match.sightings),
                    "first_interval": min(match.intervals),
                    "last_interval": max(match.intervals),
                }
                for match in self.matches
            ]
        return answer

    def __str__(self) -> str:
        """Return the table for a person."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        checked = "signatures checked" if self.signatures_checked else "signatures not checked"
        suspect = (
            f", {self.suspect_sightings:,} under a suspect clock left out"
            if self.suspect_sightings
            else ""
        )
        yield f"Log       {counted(self.sightings, 'sighting')}{suspect}"
        yield f"Keys      {self.diagnosis_keys:,} in {counted(len(self.files), 'file')}, {checked}"
        yield (
            f"Matched   {counted(self.matched_keys, 'key')},"
            f" {counted(self.matched_identifiers, 'identifier')},"
            f" {counted(self.matched_sightings, 'sighting')}"
        )
        score, unit = self.model.score_text(self.assessment.score), self.model.score_unit
        yield f"Risk      {self.assessment.level} ({self.preset}, {score} {unit})"
        yield ""
        if self.assessment.days:
            rows = [self._row(day) for day in self.assessment.days]
            yield from text_table(("Day", "Level", "Score", "Minutes", "Windows", "Nearest"), rows)
            yield f"Score is in {unit}, Nearest the least attenuation in dB."
        else:
            yield "No exposure counts."
        if self.research and self.matches:
            yield ""
            yield from self._research_lines()

    def _row(self, day: DayAssessment) -> tuple[str, ...]:
        windows = [window for window in self.assessment.windows if window.date == day.date]
        nearest = min(scan.min_attenuation_db for each in windows for scan in each.scan_instances)
        return (
            _date(day.date),
            day.level,
            self.model.score_text(day.score),
            f"{day.minutes:.0f}",
            str(len(windows)),
            str(nearest),
        )

    def _research_lines(self) -> Iterator[str]:
        names = ("File", "Key", "Identifiers", "Sightings", "First interval", "Last interval")
        rows = [
            tuple(str(value) for value in match.values()) for match in self.to_json()["matches"]
        ]
        yield from text_table(names, rows)


def _identifiers(match: KeyMatch) -> int:
    return len({sighting.rpi for sighting in match.sightings})


def counted(number: int, noun: str) -> str:
    """Return so many of something, in words for a person."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _date(day: int) -> str:
    # Intervals of 32 bits reach far beyond the years that dates have.
    return f"{_EPOCH + timedelta(days=day):%Y-%m-%d}" if day <= _LAST_DATE else f"day {day}"


def window_json(window: ExposureWindow) -> dict[str, Any]:
    """Return a window as ``truyvet match --json`` prints it."""
    return {
        "date": _date(window.date),
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
    return {"date": _date(day.date), "level": day.level, **day.detail.to_json()}


def text_table(names: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Yield the lines of a table: of each column the name, then its cells."""
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    for row in (names, *rows):
        cells = zip(row, widths, strict=True)
        # Words stand left, figures right.
        yield "  ".join(
            cell.ljust(width) if number < 2 else cell.rjust(width)
            for number, (cell, width) in enumerate(cells)
        ).rstrip()
