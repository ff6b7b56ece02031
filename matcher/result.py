"""The result of matching one log, as an object, as JSON and as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from matcher.definition import KeyMatch
from matcher.notes import DaySpan, LogFacts, Note, counted, span_json
from matcher.risk import Assessment, DayAssessment, RiskModel
from matcher.tables.rows import (
    day_json,
    day_row,
    day_text,
    match_row,
    measured_count,
    window_json,
    window_row,
)
from matcher.tables.shown import ShownTable
from tracing_core.errors import InvalidValue, require

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = [
    "JSON_VERSION",
    "MatchResult",
    "passed_over_text",
    "skipped_text",
    "text_table",
]

_MOST_NAMES = 5

JSON_VERSION = 1
"""The version of the JSON form; it rises when a field changes its meaning or goes away."""


@dataclass(frozen=True, slots=True)
class MatchResult:
    """The result of matching a log. Its text shows no key and no identifier."""

    log: LogFacts
    """What the log holds, and what of it cannot be used."""
    files: tuple[str, ...]
    """The key files, in the order they were taken."""
    diagnosis_keys: int
    """Number of different keys in all files, including revoked ones."""
    skipped_keys: int
    """Number of keys in the files that lie outside the protocol and were left out."""
    passed_over: tuple[str, ...]
    """Files and subfolders of the folders given that are not used, by path."""
    key_days: DaySpan | None
    """The first and the last UTC day on which the keys were used; None without a key."""
    matches: tuple[KeyMatch, ...] = field(repr=False)
    """Every key that was near, in the order of first appearance. They show whom the owner met and
    when, so they are not for a screen."""
    assessment: Assessment
    model: RiskModel[Any] = field(repr=False)
    preset: str
    """The name of the risk configuration."""
    today: int
    """The UTC day, in days since the Unix epoch, that ages were counted back from."""
    signatures_checked: bool
    research: bool
    notes: tuple[Note, ...]
    """What was left out of the log and, if no exposure counts, why."""

    @property
    def sightings(self) -> int:
        """Lines or rows of the log that could be read."""
        return self.log.sightings

    @property
    def suspect_sightings(self) -> int:
        """Number of those that were logged under a suspect clock and left out."""
        return self.log.suspect_sightings

    @property
    def matched_keys(self) -> int:
        """Number of keys that were near."""
        return len(self.matches)

    @property
    def matched_identifiers(self) -> int:
        """Number of their different identifiers that were heard."""
        return sum(_identifiers(match) for match in self.matches)

    @property
    def matched_sightings(self) -> int:
        """Number of lines or rows of the log with those identifiers and a known strength."""
        return sum(measured_count(match) for match in self.matches)

    def to_json(self) -> dict[str, Any]:
        """Return what ``truyvet match --json`` prints; docs/matching.md says what each field is."""
        answer: dict[str, Any] = {
            "version": JSON_VERSION,
            "diagnosis_keys": self.diagnosis_keys,
            "skipped_keys": self.skipped_keys,
            "passed_over": list(self.passed_over),
            "matched_keys": self.matched_keys,
            "matched_identifiers": self.matched_identifiers,
            "matched_sightings": self.matched_sightings,
            "log": self.log.to_json(),
            "key_days": span_json(self.key_days),
            "notes": [note.to_json() for note in self.notes],
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
                    "sightings": measured_count(match),
                    "first_interval": min(match.intervals),
                    "last_interval": max(match.intervals),
                }
                for match in self.matches
            ]
        return answer

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the tables that `to_arrow` and `to_pandas` make, the days first."""
        others = ("exposure_windows", "matches") if self.research else ("exposure_windows",)
        return (self.model.days_name, *others)

    def to_arrow(self, table: str | None = None) -> pa.Table:
        """Return a table of the result; docs/many-logs.md says what each column is.

        Parameters
        ----------
        table
            One of `tables`; None for the days. ``matches`` needs ``research=True`` in `match`.

        Raises
        ------
        InvalidValue
            When there is no such table.
        MissingExtra
            Without pyarrow.
        """
        from matcher.tables.schemas import table_schema

        name = self.model.days_name if table is None else table
        if name not in self.tables:
            hint = "; matches need research=True" if name == "matches" else ""
            raise InvalidValue(
                f"no table {name!r:.40} in this result: use one of {', '.join(self.tables)}{hint}"
            )
        arrow = require("pyarrow", extra="arrow")
        schema = table_schema(name, self.model, research=self.research)
        return arrow.Table.from_pylist(self._rows(name), schema)

    def to_pandas(self, table: str | None = None) -> pd.DataFrame:
        """Return a table of the result as `to_arrow` does; dates are `datetime.date`.

        Raises
        ------
        InvalidValue
            When there is no such table, or a date lies beyond the year 9999.
        MissingExtra
            Without pyarrow or pandas.
        """
        found = self.to_arrow(table)
        require("pandas", extra="arrow")
        try:
            return found.to_pandas()
        except (OverflowError, ValueError) as error:
            raise InvalidValue("a date lies beyond the year 9999: use to_arrow") from error

    def _rows(self, name: str) -> list[dict[str, Any]]:
        if name == "matches":
            return [match_row(match, self.files, research=True) for match in self.matches]
        if name == "exposure_windows":
            return [window_row(window) for window in self.assessment.windows]
        return [day_row(day) for day in self.assessment.days]

    def _repr_html_(self) -> str:
        """Return the table for a person, as notebooks show it."""
        from matcher.tables.html import html_page

        notes = [note.text for note in self.notes]
        return html_page(self._head(), self._tables(), notes)

    def __str__(self) -> str:
        """Return the table for a person."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for name, fact in self._head():
            yield f"{name:9} {fact}"
        for table in self._tables():
            yield ""
            if table.rows:
                yield from text_table(table.names, table.rows)
            if table.note:
                yield table.note
        if self.notes:
            yield ""
            yield from (note.text for note in self.notes)

    def _head(self) -> list[tuple[str, str]]:
        checked = "signatures checked" if self.signatures_checked else "signatures not checked"
        files = counted(len(self.files), "file")
        suspect = (
            f", {self.suspect_sightings:,} under a suspect clock left out"
            if self.suspect_sightings
            else ""
        )
        matched = (
            f"{counted(self.matched_keys, 'key')},"
            f" {counted(self.matched_identifiers, 'identifier')},"
            f" {counted(self.matched_sightings, 'sighting')}"
        )
        score, unit = self.model.score_text(self.assessment.score), self.model.score_unit
        lines = [
            ("Log", f"{counted(self.sightings, 'sighting')}{suspect}"),
            (
                "Keys",
                f"{self.diagnosis_keys:,} in {files}, {checked}{skipped_text(self.skipped_keys)}",
            ),
            (
                "Days",
                f"log {self.log.span or '(none)'}; keys {self.key_days or '(none)'}",
            ),
            ("Matched", matched),
            ("Risk", f"{self.assessment.level} ({self.preset}, {score} {unit})"),
        ]
        if self.passed_over:
            lines.insert(2, ("Not used", passed_over_text(self.passed_over)))
        return lines

    def _tables(self) -> Iterator[ShownTable]:
        note = (
            f"Score is in {self.model.score_unit}, Nearest is the lowest attenuation in dB"
            " (lower is closer)."
        )
        yield ShownTable(
            ("Day", "Level", "Score", "Minutes", "Windows", "Nearest"),
            [self._row(day) for day in self.assessment.days],
            note if self.assessment.days else "No exposure counts.",
        )
        if self.research and self.matches:
            yield ShownTable(
                ("File", "Key", "Identifiers", "Sightings", "First interval", "Last interval"),
                [
                    tuple(str(value) for value in match.values())
                    for match in self.to_json()["matches"]
                ],
            )

    def _row(self, day: DayAssessment) -> tuple[str, ...]:
        windows = [window for window in self.assessment.windows if window.date == day.date]
        nearest = min(scan.min_attenuation_db for each in windows for scan in each.scan_instances)
        return (
            day_text(day.date),
            day.level,
            self.model.score_text(day.score),
            f"{day.minutes:.0f}",
            str(len(windows)),
            str(nearest),
        )


def _identifiers(match: KeyMatch) -> int:
    return len({sighting.rpi for sighting in match.sightings})


def skipped_text(keys: int) -> str:
    """Return how many keys were left out, to follow the number of keys; "" for none."""
    return f", {counted(keys, 'unusable key')} left out" if keys else ""


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def passed_over_text(paths: Sequence[str]) -> str:
    """Return the names of what was not used, shortened to a few."""
    names = ", ".join(map(_printable, paths[:_MOST_NAMES]))
    more = len(paths) - _MOST_NAMES
    return f"{names} and {more:,} more" if more > 0 else names


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
