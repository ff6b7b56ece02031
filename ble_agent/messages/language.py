"""Languages of the agent's texts: the choice of one, and how each writes what is in a text."""

from __future__ import annotations

import datetime
import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["LANGUAGES", "Text", "date_text", "default_language", "is_yes", "path_text"]

LANGUAGES = ("vi", "en")
"""The languages there are texts in."""

# Answers that mean yes, as `unicodedata` composes them; every other answer means no.
_YES = {"en": ("y", "yes"), "vi": ("c", "có", "co", "y", "yes")}


@dataclass(frozen=True, slots=True)
class Text:
    """One text in both languages, with the same placeholders."""

    en: str
    vi: str
    one: str = ""
    """English for a ``count`` of 1; "" if it is the same."""

    def filled(self, language: str, **values: object) -> str:
        """Return the text in a language, with its placeholders filled."""
        if language == "en" and self.one and values.get("count") == 1:
            return self.one.format(**values)
        return str(getattr(self, language)).format(**values)


def is_yes(answer: str, language: str) -> bool:
    """Check whether an answer to a question means yes; every other answer means no."""
    return unicodedata.normalize("NFC", answer).strip().casefold() in _YES[language]


def default_language(environment: Mapping[str, str] = os.environ) -> str:
    """Return the language of ``TRUYVET_LANG``, else of the locale; English unless Vietnamese."""
    for variable in ("TRUYVET_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if environment.get(variable):
            return "vi" if environment[variable].lower().startswith("vi") else "en"
    return "en"


def date_text(day: datetime.date, language: str) -> str:
    """Return a day as readers of the language write it."""
    return f"{day:%d/%m/%Y}" if language == "vi" else day.isoformat()


def path_text(path: str | os.PathLike[str]) -> str:
    """Return a path so that it can be printed anywhere, without codes that a terminal obeys."""
    text = os.fsencode(path).decode(errors="replace")
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
