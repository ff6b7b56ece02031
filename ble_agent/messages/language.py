"""Languages of the agent's texts: the choice of one, and the dates, sizes and paths in texts."""

from __future__ import annotations

import datetime
import os
import unicodedata
from collections.abc import Mapping, Sequence

from tracing_core.texts import LANGUAGES, Text, default_language

__all__ = [
    "LANGUAGES",
    "Text",
    "date_text",
    "dates_text",
    "default_language",
    "filled",
    "is_yes",
    "path_text",
    "size_text",
]

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
# Answers that mean yes, as `unicodedata` composes them; every other answer means no.
_YES = {"en": ("y", "yes"), "vi": ("c", "có", "co", "y", "yes")}


def filled(text: Text, values: Mapping[str, object]) -> Text:
    """Return a text with its placeholders filled.

    A value that is itself a `Text` is filled in by language.
    """
    english = {key: value.en if isinstance(value, Text) else value for key, value in values.items()}
    vietnamese = {
        key: value.vi if isinstance(value, Text) else value for key, value in values.items()
    }
    return Text(text.filled("en", **english), text.filled("vi", **vietnamese))


def is_yes(answer: str, language: str) -> bool:
    """Check whether an answer to a question means yes; every other answer means no."""
    return unicodedata.normalize("NFC", answer).strip().casefold() in _YES[language]


def date_text(day: datetime.date, language: str) -> str:
    """Return a day as readers of the language write it."""
    return (
        f"{day:%d/%m/%Y}" if language == "vi" else f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
    )


def dates_text(days: Sequence[datetime.date], language: str) -> str:
    """Return one day, or the span from the first of several days to the last."""
    first, last = days[0], days[-1]
    text = date_text(last, language)
    if first == last:
        return text
    if (first.year, first.month) != (last.year, last.month):
        return f"{date_text(first, language)} – {text}"
    return f"{first.day:02}–{text}" if language == "vi" else f"{first.day}–{text}"


def size_text(count: int) -> str:
    """Return a number of bytes in the largest fitting unit, as ``71 GB``."""
    megabytes = count // 1_000_000
    return f"{megabytes // 1000} GB" if megabytes >= 10_000 else f"{megabytes} MB"


def path_text(path: str | os.PathLike[str]) -> str:
    """Return a path in a form that any terminal can print, without control characters."""
    text = os.fsencode(path).decode(errors="replace")
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
