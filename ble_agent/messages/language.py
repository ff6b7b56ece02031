"""Languages of the agent's texts: the choice of one, and how each writes what is in a text."""

from __future__ import annotations

import datetime
import os
import unicodedata
from collections.abc import Mapping

from tracing_core.texts import LANGUAGES, Text, default_language

__all__ = [
    "LANGUAGES",
    "Text",
    "date_text",
    "default_language",
    "filled",
    "is_yes",
    "path_text",
]

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
    return f"{day:%d/%m/%Y}" if language == "vi" else day.isoformat()


def path_text(path: str | os.PathLike[str]) -> str:
    """Return a path so that it can be printed anywhere, without codes that a terminal obeys."""
    text = os.fsencode(path).decode(errors="replace")
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
