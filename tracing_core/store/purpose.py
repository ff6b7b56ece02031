"""Purposes: what each table, column and file holds, what for, how long, and who can read it.

The agent and the server each list all they keep. Their documents are made from the lists, and a
test holds each limit against the real schema: what a limit does not allow, a constraint refuses.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

from tracing_core.texts import Text

__all__ = [
    "SENTENCE",
    "AnyNumber",
    "Bytes",
    "Choice",
    "ColumnPurpose",
    "Document",
    "FilePurpose",
    "KeptDays",
    "Limit",
    "PlaceName",
    "TablePurpose",
    "Whole",
    "Word",
]

SENTENCE = "Anh Tú, số 5"
"""What no column may take but one for a place's name: words about a person."""

_LONGEST_TRIED = 1 << 21


class Limit(Protocol):
    """What a column can hold, in its schema as in its description."""

    @property
    def inside(self) -> Collection[object]:
        """Values at the limit's edges, which the column takes."""

    @property
    def outside(self) -> Collection[object]:
        """Values just beyond it, which the column refuses."""

    def said(self) -> str:
        """Return the limit in words that need no language, such as ``0…144``; "" for none."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number."""

    least: int
    most: int

    @property
    def inside(self) -> Collection[object]:
        """The least and the most."""
        return (self.least, self.most)

    @property
    def outside(self) -> Collection[object]:
        """One less, and one more."""
        return (self.least - 1, self.most + 1)

    def said(self) -> str:
        """Return the range."""
        return f"{self.least:,} … {self.most:,}"


@dataclass(frozen=True, slots=True)
class AnyNumber:
    """A number that SQLite gives to a row, and that means nothing by itself."""

    @property
    def inside(self) -> Collection[object]:
        """Any number."""
        return (1,)

    @property
    def outside(self) -> Collection[object]:
        """Text."""
        return (SENTENCE,)

    def said(self) -> str:
        """Return nothing: there is no limit."""
        return ""


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes that are no text: a key, an identifier, a digest."""

    lengths: Sequence[int]
    """The numbers of bytes that there may be, the least first."""

    @property
    def inside(self) -> Collection[object]:
        """As few and as many bytes as there may be."""
        lengths = (self.lengths[0], self.lengths[-1])
        return [bytes(length) for length in lengths if length <= _LONGEST_TRIED]

    @property
    def outside(self) -> Collection[object]:
        """A byte less, and a byte more."""
        beyond = (self.lengths[0] - 1, self.lengths[-1] + 1)
        return [bytes(length) for length in beyond if 0 <= length <= _LONGEST_TRIED]

    def said(self) -> str:
        """Return the numbers of bytes."""
        if isinstance(self.lengths, range) and len(self.lengths) > 1:
            return f"{self.lengths[0]:,} … {self.lengths[-1]:,} bytes"
        return " / ".join(str(length) for length in self.lengths) + " bytes"


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a few letters, such as a file's name or a hash, and never a sentence."""

    most: int
    """Number of characters."""
    example: str
    """A word that the column takes; its last letter may be repeated."""
    least: int = 1
    """Number of characters; 0 if there may be none."""

    @property
    def inside(self) -> Collection[object]:
        """The example, and one as long as can be."""
        return (self.example, self.example.ljust(self.most, self.example[-1]))

    @property
    def outside(self) -> Collection[object]:
        """A longer one, a shorter one and a sentence."""
        shorter = [] if not self.least else [self.example[: self.least - 1]]
        return (self.example.ljust(self.most + 1, self.example[-1]), SENTENCE, *shorter)

    def said(self) -> str:
        """Return the length."""
        return f"≤ {self.most:,}" if self.least != self.most else f"{self.most:,}"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: Collection[str]

    @property
    def inside(self) -> Collection[object]:
        """The words."""
        return self.words

    @property
    def outside(self) -> Collection[object]:
        """Other words."""
        return (SENTENCE, "", *(f"{word}x" for word in self.words))

    def said(self) -> str:
        """Return the words."""
        return ", ".join(f"`{word}`" for word in self.words)


@dataclass(frozen=True, slots=True)
class Document:
    """JSON, whose fields are described elsewhere one by one."""

    most: int
    """Number of characters."""

    @property
    def inside(self) -> Collection[object]:
        """The shortest."""
        return ("{}",)

    @property
    def outside(self) -> Collection[object]:
        """What is not JSON, or longer."""
        longer = [f'"{"." * self.most}"'] if self.most <= _LONGEST_TRIED else []
        return (SENTENCE, "", *longer)

    def said(self) -> str:
        """Return the length."""
        return f"JSON, ≤ {self.most:,}"


@dataclass(frozen=True, slots=True)
class PlaceName:
    """The name of a place, as its poster has it: the only free text there is."""

    most: int = 100
    """Number of characters."""

    @property
    def inside(self) -> Collection[object]:
        """A name as long as can be."""
        return ("Quán phở số 5".ljust(self.most, "5"),)

    @property
    def outside(self) -> Collection[object]:
        """A longer one."""
        return ("Quán phở số 5".ljust(self.most + 1, "5"),)

    def said(self) -> str:
        """Return the length."""
        return f"≤ {self.most}"


@dataclass(frozen=True, slots=True)
class KeptDays(Text):
    """A time to keep, in words and as the number of days that they are made from."""

    days: int = 0
    """The days after which nothing may be left."""

    @classmethod
    def of(cls, days: int) -> Self:
        """Return the time of so many days."""
        return cls(f"{days} days", f"{days} ngày", days=days)


@dataclass(frozen=True, slots=True)
class ColumnPurpose:
    """What a column holds."""

    holds: Text
    limit: Limit
    or_null: bool = False
    """Whether it may be null, which `holds` explains."""


@dataclass(frozen=True, slots=True)
class TablePurpose:
    """What a table is for."""

    holds: Text
    why: Text
    kept: Text
    """How long; `KeptDays` where each row has a date."""
    readers: Text
    """Who can read it."""
    columns: Mapping[str, ColumnPurpose] = field(default_factory=dict)
    """By name."""


@dataclass(frozen=True, slots=True)
class FilePurpose:
    """What a file of a home folder, or all files of one pattern, are for."""

    holds: Text
    why: Text
    kept: Text
    readers: Text
