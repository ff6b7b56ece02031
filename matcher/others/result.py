"""The result of matching a log of another protocol, as an object, as JSON and as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from matcher.notes import DaySpan, LogFacts, Note, counted, span_json
from matcher.result import JSON_VERSION, skipped_text, text_table
from matcher.tables.rows import day_text
from tracing_core.protocol.interval import interval_number
from tracing_core.store.other_sighting import OtherSighting

__all__ = ["OtherMatch", "OtherResult"]

_UNKNOWN_STRENGTH = "unknown"


@dataclass(frozen=True, slots=True)
class OtherMatch:
    """A published key whose device was near, and when."""

    file_number: int
    """The file that the key is in, counted from 0."""
    key_index: int
    """The place of its record in that file, counted from 0."""
    sightings: tuple[OtherSighting, ...] = field(repr=False)
    """The sightings of its identifiers, by time; one or more."""

    @property
    def identifiers(self) -> int:
        """Number of different identifiers that were heard."""
        return len({sighting.identifier for sighting in self.sightings})


@dataclass(frozen=True, slots=True)
class OtherResult:
    """The result of matching a log of another protocol. Its text shows no key or identifier."""

    protocol: str
    """Name of the protocol."""
    log: LogFacts
    """What the log holds of that protocol, and what of it cannot be used."""
    files: tuple[str, ...]
    """The files with keys."""
    diagnosis_keys: int
    """Number of different records that can be used."""
    skipped_keys: int
    """Number of records that cannot be used."""
    first_unusable: str
    """Where the first of them is, and what is wrong; "" without one."""
    shortened_keys: int
    """Number of records that span more than 30 days, of which the first 30 are used."""
    key_days: DaySpan | None
    """The first and the last UTC day that the keys cover; None without a key."""
    matches: tuple[OtherMatch, ...] = field(repr=False)
    """Every key that was near. They show when, so they are not for a screen."""
    minutes: Mapping[int, int]
    """For how many minutes any of the keys was near, by UTC day."""
    research: bool

    @property
    def matched_keys(self) -> int:
        """Number of keys that were near."""
        return len(self.matches)

    @property
    def matched_identifiers(self) -> int:
        """Number of their different identifiers that were heard."""
        return sum(match.identifiers for match in self.matches)

    @property
    def matched_sightings(self) -> int:
        """Number of lines or rows of the log with those identifiers."""
        return sum(len(match.sightings) for match in self.matches)

    @property
    def notes(self) -> tuple[Note, ...]:
        """What was left out and, if nothing matched, why."""
        return tuple(self._notes())

    def to_json(self) -> dict[str, Any]:
        """Return what ``truyvet match --json`` prints; docs/matching.md says what each field is."""
        answer: dict[str, Any] = {
            "version": JSON_VERSION,
            "protocol": self.protocol,
            "diagnosis_keys": self.diagnosis_keys,
            "skipped_keys": self.skipped_keys,
            "matched_keys": self.matched_keys,
            "matched_identifiers": self.matched_identifiers,
            "matched_sightings": self.matched_sightings,
            "log": self.log.to_json(),
            "key_days": span_json(self.key_days),
            "notes": [note.to_json() for note in self.notes],
            "strength": _UNKNOWN_STRENGTH,
            "days": [
                {"date": day_text(day), "minutes": minutes}
                for day, minutes in sorted(self.minutes.items())
            ],
        }
        if self.research:
            answer["matches"] = [self._match_json(match) for match in self.matches]
        return answer

    def _match_json(self, match: OtherMatch) -> dict[str, Any]:
        return {
            "file": self.files[match.file_number],
            "key_index": match.key_index,
            "identifiers": match.identifiers,
            "sightings": len(match.sightings),
            "first_interval": interval_number(match.sightings[0].seen_at),
            "last_interval": interval_number(match.sightings[-1].seen_at),
        }

    def __str__(self) -> str:
        """Return the table for a person."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        keys = f"{self.diagnosis_keys:,} in {counted(len(self.files), 'file')}"
        yield f"Log       {counted(self.log.sightings, 'sighting')} of {self.protocol}"
        yield f"Keys      {keys}{skipped_text(self.skipped_keys)}"
        yield f"Days      log {self.log.span or '(none)'}; keys {self.key_days or '(none)'}"
        yield (
            f"Matched   {counted(self.matched_keys, 'key')},"
            f" {counted(self.matched_identifiers, 'identifier')},"
            f" {counted(self.matched_sightings, 'sighting')}"
        )
        yield "Strength  unknown: this protocol does not state how strongly a device sends"
        yield ""
        if self.minutes:
            rows: list[tuple[str, ...]] = [
                (day_text(day), str(count)) for day, count in sorted(self.minutes.items())
            ]
            yield from text_table(("Day", "Minutes"), rows)
        else:
            yield "None recorded."
        if self.research and self.matches:
            yield ""
            names = ("File", "Key", "Identifiers", "Sightings", "First interval", "Last interval")
            matches = map(self._match_json, self.matches)
            yield from text_table(names, [tuple(map(str, each.values())) for each in matches])
        if self.notes:
            yield ""
            yield from (note.text for note in self.notes)

    def _notes(self) -> Iterator[Note]:
        if self.log.unreadable:
            count = self.log.unreadable
            lines = "1 line or row" if count == 1 else f"{count:,} lines or rows"
            text = (
                f"{lines} cannot be read and are left out. The first: {self.log.first_unreadable}."
            )
            yield Note("unreadable", text)
        if self.skipped_keys:
            text = f"Records of keys were left out; the first: {self.first_unusable}."
            yield Note("skipped_keys", text)
        if self.shortened_keys:
            records = counted(self.shortened_keys, "record")
            text = f"Of {records}, only the first 30 days were looked at."
            yield Note("shortened_keys", text)
        if self.log.future_sightings:
            sightings = counted(self.log.future_sightings, "sighting")
            text = f"By this machine's clock, {sightings} of the log cannot have happened yet."
            yield Note("future", text)
        if not self.matches:
            yield self._why_nothing()

    def _why_nothing(self) -> Note:
        if not self.log.sightings:
            return Note("empty_log", f"The log holds no sighting of {self.protocol}.")
        if self.key_days is None:
            return Note("no_keys", "The files hold no key that can be used.")
        first, last = self.key_days
        if not any(first <= day <= last for day in self.log.days):
            return Note("no_common_day", "Log and keys share no day, so they cannot match.")
        return Note("no_match", "No identifier of the log belongs to a key at its time.")
