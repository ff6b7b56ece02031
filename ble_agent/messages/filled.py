"""Texts of a catalogue with their placeholders filled, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from ble_agent.messages.language import Text

__all__ = ["filled", "in_language"]


def filled(text: Text, values: Mapping[str, object]) -> Text:
    """Return a text with its placeholders filled.

    A value that is itself a `Text` is filled in by language.
    """
    english = {key: value.en if isinstance(value, Text) else value for key, value in values.items()}
    vietnamese = {
        key: value.vi if isinstance(value, Text) else value for key, value in values.items()
    }
    return Text(text.filled("en", **english), text.filled("vi", **vietnamese))


def in_language(text: Text, language: str) -> str:
    """Return a text in a language: ``en`` or ``vi``."""
    return text.vi if language == "vi" else text.en
