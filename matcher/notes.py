"""Notes of a result: what was left out of a log, and why no exposure counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from matcher.definition import KeyMatch
from matcher.portable.clock_offset import ClockOffset
from matcher.risk import Assessment, RiskParameters
from matcher.risk.attenuation import Measurement
from matcher.risk.model import NO_LEVEL
from matcher.tables.rows import day_text
from tracing_core.clock import clock_from_environment
from tracing_core.protocol.exposure_window import Infectiousness
from tracing_core.protocol.interval import utc_day
from tracing_core.store.left_out import LeftOut

__all__ = [
    "DaySpan",
    "LogFacts",
    "Note",
    "Notes",
    "counted",
    "first_future_day",
    "span_json",
    "span_of",
]

_DAY_SECONDS = 86_400
# A log in local time may be half a day ahead of UTC.
_DAYS_AHEAD = 2
_LARGEST_ZONE_SECONDS = 14 * 3600


def first_future_day() -> int:
    """Return the first UTC day that lies in the future by this machine's clock."""
    return utc_day(clock_from_environment().now()) + _DAYS_AHEAD


class DaySpan(NamedTuple):
    """The first and the last of some UTC days, in days since the Unix epoch."""

    first: int
    last: int

    def __str__(self) -> str:
        if self.first == self.last:
            return day_text(self.first)
        return f"{day_text(self.first)} to {day_text(self.last)}"


def span_json(span: DaySpan | None) -> dict[str, str | None]:
    """Return the first and the last day as text; both None without a day."""
    if span is None:
        return {"first": None, "last": None}
    return {"first": day_text(span.first), "last": day_text(span.last)}


def span_of(days: Sequence[int]) -> DaySpan | None:
    """Return the span of some days in order; None without one."""
    return DaySpan(days[0], days[-1]) if days else None


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a reader of the result must know."""

    code: str
    """The stable word for programs; docs/matching.md lists them."""
    text: str
    """A sentence or two, without keys, identifiers and times finer than a day."""

    def to_json(self) -> dict[str, str]:
        """Return code and text."""
        return {"code": self.code, "text": self.text}


@dataclass(frozen=True, slots=True)
class LogFacts:
    """What a log holds, and what of it cannot be used."""

    sightings: int
    """Lines or rows that could be read."""
    suspect_sightings: int
    """Number of those that were logged under a suspect clock and left out."""
    unmeasured_sightings: int
    """Number of the others whose strength is unknown; they match, but never count as near."""
    first_unmeasured: str
    """Where the first of them is, such as ``line 3``; "" without one."""
    unreadable: int
    """Number of further lines or rows, which cannot be read and were left out."""
    first_unreadable: str
    """Where the first of them is, and why it cannot be read; "" without one."""
    future_sightings: int
    """Number of sightings later than this machine's tomorrow."""
    days: tuple[int, ...] = field(repr=False)
    """The UTC days of the sightings that are not suspect, in order."""
    last_day: int | None
    """The last of them that is not in the future; the last of all if all are; None without one."""

    @classmethod
    def of(
        cls,
        sightings: int,
        suspect: int,
        days: Sequence[int],
        heard_after: Callable[[int], int],
        left_out: LeftOut,
    ) -> LogFacts:
        """Collect the facts of a log that was read; `heard_after` counts what is later."""
        first_future = first_future_day()
        known = [day for day in days if day < first_future]
        future = heard_after(first_future * _DAY_SECONDS - 1) if len(known) < len(days) else 0
        error = left_out.first_unreadable
        return cls(
            sightings,
            suspect,
            left_out.unmeasured,
            left_out.first_unmeasured,
            left_out.unreadable,
            "" if error is None else str(error),
            future,
            tuple(days),
            max(known, default=max(days, default=None)),
        )

    @property
    def span(self) -> DaySpan | None:
        """The first and the last of `days`; None without one."""
        return span_of(self.days)

    def to_json(self) -> dict[str, Any]:
        """Return the facts for programs."""
        return {
            "sightings": self.sightings,
            "suspect_sightings": self.suspect_sightings,
            "unmeasured_sightings": self.unmeasured_sightings,
            "first_unmeasured": self.first_unmeasured or None,
            "unreadable": self.unreadable,
            "first_unreadable": self.first_unreadable or None,
            "future_sightings": self.future_sightings,
            "days": span_json(self.span),
        }


def counted(number: int, noun: str) -> str:
    """Return a number and its noun, in the plural where needed."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


class Notes:
    """The notes of one log's result.

    Parameters
    ----------
    log, key_days, matches, measured, assessment, parameters
        The result.
    offset
        By how much the log's clock was off; None if unknown.
    revoked
        Number of keys that matched until they were revoked.
    """

    def __init__(
        self,
        log: LogFacts,
        key_days: Sequence[int],
        matches: Sequence[KeyMatch],
        measured: Sequence[Measurement],
        assessment: Assessment,
        parameters: RiskParameters,
        offset: ClockOffset | None,
        revoked: int,
    ) -> None:
        self._log = log
        self._key_days = key_days
        self._matches = matches
        self._assessment = assessment
        self._parameters = parameters
        self._offset = offset
        self._revoked = revoked
        self._without_strength = sum(each.without_strength for each in measured)
        self._without_power = sum(each.without_power for each in measured)
        self._matched = sum(len(match.sightings) for match in matches)

    def all(self) -> tuple[Note, ...]:
        """Return what was left out, then why no exposure counts, if none does."""
        notes = [*self._left_out(), *self._clock()]
        if self._assessment.level == NO_LEVEL:
            notes += self._why_nothing()
        return tuple(notes)

    def _left_out(self) -> Iterator[Note]:
        log = self._log
        if log.unreadable:
            lines = "1 line or row" if log.unreadable == 1 else f"{log.unreadable:,} lines or rows"
            yield Note(
                "unreadable",
                f"{lines} cannot be read and are left out. The first: {log.first_unreadable}.",
            )
        if log.unmeasured_sightings:
            first = f", first in {log.first_unmeasured}" if log.first_unmeasured else ""
            yield Note(
                "unknown_strength",
                f"{counted(log.unmeasured_sightings, 'sighting')} of unknown strength{first}, never"
                " counted as near: only -127 to -1 dBm are measured. Check for a lost minus sign.",
            )
        if log.future_sightings:
            yield Note(
                "future",
                f"{counted(log.future_sightings, 'sighting')} later than today: check the clocks of"
                " the device and of this machine.",
            )
        if self._without_power:
            yield Note(
                "metadata",
                f"{self._without_power:,} of {counted(self._matched, 'sighting')} that matched"
                " state no possible transmit power and never count as near: check that aem is what"
                " was received.",
            )

    def _clock(self) -> Iterator[Note]:
        offset = self._offset
        if offset is None or (self._matches and (not offset.is_steady or not offset.seconds)):
            return
        keys = f"Identifiers of {counted(offset.keys, 'key')} were heard"
        if not offset.is_steady:
            yield Note(
                "clock_offset",
                f"{keys}, but at times when they were not sent: the device's clock was wrong, or"
                " they were replayed.",
            )
            return
        hours = f"{abs(offset.seconds) / 3600:g} h"
        if not offset.seconds:
            yield Note(
                "clock_offset", f"{keys}, but only after they were last sent: they were replayed."
            )
            return
        side, sign = ("after", "+") if offset.seconds > 0 else ("before", "-")
        cause = "the device's clock was wrong"
        if abs(offset.seconds) <= _LARGEST_ZONE_SECONDS:
            cause = f"seen_at seems to be local time (UTC{sign}{hours.removesuffix(' h')})"
        yield Note(
            "clock_offset",
            f"{keys} about {hours} {side} they were sent: {cause}. Write times in UTC.",
        )

    def _why_nothing(self) -> Iterator[Note]:
        if not self._matches:
            yield from self._why_no_match()
        elif not self._assessment.windows:
            yield from self._why_no_window()
        elif not self._assessment.days:
            yield from self._why_no_day()
        else:
            yield from self._why_no_level()

    def _why_no_match(self) -> Iterator[Note]:
        log = self._log
        if not log.sightings:
            yield Note("empty_log", "The log holds no sighting.")
        elif not log.days:
            yield Note("suspect_clock", "Every sighting was logged under a suspect clock.")
        if not self._key_days:
            yield Note("no_keys", "The key files hold no key.")
        if self._revoked:
            keys = "1 key" if self._revoked == 1 else f"Each of {self._revoked:,} keys"
            yield Note("revoked", f"{keys} that matched was revoked later.")
        elif log.days and self._key_days and self._offset is None:
            if set(log.days).isdisjoint(self._key_days):
                yield Note(
                    "no_common_day",
                    f"The log ({log.span}) and the keys ({span_of(self._key_days)}) share no day.",
                )
            else:
                yield Note("no_match", "No identifier in the log belongs to one of the keys.")

    def _why_no_window(self) -> Iterator[Note]:
        infectiousness = self._parameters.infectiousness
        if all(
            infectiousness(match.key.days_since_onset_of_symptoms) is Infectiousness.NONE
            for match in self._matches
        ):
            yield Note(
                "not_infectious",
                f"By {self._parameters.name}, no owner of the keys that matched was infectious.",
            )
        elif self._without_strength:
            yield Note(
                "only_unmeasured",
                f"{self._without_strength:,} of {counted(self._matched, 'sighting')} that matched"
                " have no known strength, and no other can be measured.",
            )

    def _why_no_day(self) -> Iterator[Note]:
        texts = {
            "too_old": "older than the days that count",
            "too_weak": "too far away or too short to count",
            "report_type": "of a report type that does not count",
        }
        for reason, count in sorted(self._assessment.left_out.items()):
            text = texts.get(reason, f"left out ({reason})")
            windows = counted(count, "exposure window")
            yield Note(reason, f"{windows} {text}, by {self._parameters.name}.")
        if not self._assessment.left_out:
            yield Note("no_day", f"By {self._parameters.name}, no exposure window counts.")

    def _why_no_level(self) -> Iterator[Note]:
        name = self._parameters.name
        if self._assessment.score > 0:
            yield Note("below_threshold", f"No day reaches a level of {name}.")
            return
        nearest = min(
            scan.min_attenuation_db
            for window in self._assessment.windows
            for scan in window.scan_instances
        )
        yield Note(
            "too_far",
            f"By {name}, everything was too far away or too short to count; the lowest attenuation"
            f" was {nearest} dB.",
        )
