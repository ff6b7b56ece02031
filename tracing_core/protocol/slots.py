"""Slots: what a published key says about the identifiers of its device, whatever the protocol.

A slot is an identifier and the seconds in which hearing it counts. A protocol turns a published key
into slots, and says for how long a heard identifier counts and whether the sender states its power.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

__all__ = ["HeardBetween", "Run", "Slot", "TracingProtocol", "always", "slots"]

_Key = TypeVar("_Key", contravariant=True)

HeardBetween = Callable[[int, int], bool]
"""Whether anything was heard from a first to a last second (UTC Unix seconds, both included)."""


@dataclass(frozen=True, slots=True)
class Slot:
    """An identifier, and the seconds in which hearing it counts."""

    identifier: bytes = field(repr=False)
    first: int
    """The first second that counts (UTC Unix seconds)."""
    last: int
    """The last second that counts."""

    def counts(self, seen_at: int) -> bool:
        """Return whether it counts that the identifier was heard at a moment."""
        return self.first <= seen_at <= self.last


@dataclass(frozen=True, slots=True)
class Run:
    """Slots that follow each other at equal distances.

    Times are in milliseconds, since a protocol may divide a day into parts of broken seconds.
    """

    identifiers: Sequence[bytes] = field(repr=False)
    """The identifier of each slot."""
    first_ms: int
    """When the first slot begins to count (UTC Unix milliseconds)."""
    step_ms: int
    """From the beginning of one slot to that of the next; 0 if all begin together."""
    length_ms: int
    """From the beginning of a slot to its last moment."""

    def slot(self, number: int) -> Slot:
        """Return a slot by its number, counted from 0."""
        first = self.first_ms + number * self.step_ms
        last = first + self.length_ms
        return Slot(self.identifiers[number], -(-first // 1000), last // 1000)


def always(_first: int, _last: int) -> bool:
    """Return True: something may have been heard at any time."""
    return True


class TracingProtocol(Protocol[_Key]):
    """A protocol whose published keys are matched.

    `_Key` is a published key of the protocol.
    """

    @property
    def name(self) -> str:
        """The name, for programs."""

    @property
    def identifier_length(self) -> int:
        """Bytes in an identifier."""

    @property
    def max_seconds_heard(self) -> int | None:
        """Seconds for which an identifier counts after it was first heard.

        None if the protocol's slots alone decide.
        """

    @property
    def states_power(self) -> bool:
        """Whether what is sent states the transmit power; if not, no attenuation is known."""

    def runs(self, key: _Key, heard_between: HeardBetween = always) -> Iterator[Run]:
        """Derive the slots of a key, in runs.

        Parameters
        ----------
        key
            A published key.
        heard_between
            Runs of a time in which nothing was heard are left out.
        """


def slots(protocol: TracingProtocol[_Key], key: _Key) -> Iterator[Slot]:
    """Yield all slots of a key in their order."""
    for run in protocol.runs(key):
        for number in range(len(run.identifiers)):
            yield run.slot(number)
