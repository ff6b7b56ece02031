"""Texts in the two languages of the project, and the choice between them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["LANGUAGES", "Text", "default_language"]

LANGUAGES = ("vi", "en")
"""The languages that texts exist in."""

# Our own setting comes before the locale, whose variables are in order of precedence.
_VARIABLES = ("TRUYVET_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


@dataclass(frozen=True, slots=True)
class Text:
    """One text in both languages, with the same placeholders."""

    en: str
    vi: str
    one: str = ""
    """English for a ``count`` of 1; "" if the same as `en`."""

    def filled(self, language: str, **values: object) -> str:
        """Return the text in a language, with its placeholders filled."""
        if language == "en" and self.one and values.get("count") == 1:
            return self.one.format(**values)
        return self.in_(language).format(**values)

    def in_(self, language: str) -> str:
        """Return the text in a language unchanged, for texts without placeholders."""
        return self.vi if language == "vi" else self.en


def default_language(environment: Mapping[str, str] = os.environ) -> str:
    """Return the language of ``TRUYVET_LANG``, else of the locale; English unless Vietnamese."""
    for variable in _VARIABLES:
        if environment.get(variable):
            return "vi" if environment[variable].lower().startswith("vi") else "en"
    return "en"
