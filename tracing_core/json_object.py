"""Reader of JSON objects from outside: each value is checked, each error names the field.

Every function takes a name, with which its error begins; a nested reader passes on a longer name,
such as ``keys[1].rollingPeriod``.
"""

from __future__ import annotations

import enum
import json
import re
import sys
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from tracing_core.errors import InvalidValue

__all__ = [
    "JSONObject",
    "check_known",
    "is_unicode",
    "parse_json",
    "read_array",
    "read_integer",
    "read_line",
    "read_name",
    "read_number",
    "read_object",
    "read_text",
    "read_word",
]

_Word = TypeVar("_Word", bound=enum.Enum)

# Terminals obey these characters, and some reverse a text. Line breaks are not among them.
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def parse_json(data: bytes | str) -> Any:
    """Parse one JSON text in UTF-8, without NaN and Infinity.

    Raises
    ------
    ValueError, RecursionError
        When the text is not JSON, or is nested too deep for the parser.
    """
    # `json.loads` would take bytes in UTF-16 and UTF-32 too.
    text = data if isinstance(data, str) else data.decode()
    return json.loads(text, parse_constant=_refuse_constant)


def is_unicode(text: str) -> bool:
    """Return whether a text has a UTF-8 form; half a surrogate pair, as JSON allows, has none."""
    return text.isascii() or not _SURROGATE.search(text)


def read_object(value: Any, name: str) -> dict[str, Any]:
    """Return a value that must be an object.

    Raises
    ------
    InvalidValue
        When the value is not an object.
    """
    if not isinstance(value, dict):
        raise InvalidValue(f"{name} must be a JSON object")
    return value


def check_known(
    fields: Mapping[str, Any], known: Collection[str], where: str, *, of: str = "it"
) -> None:
    """Check that an object has no field but the known ones, so that a misspelt one is noticed.

    Raises
    ------
    InvalidValue
        When the object has another field.
    """
    unknown = fields.keys() - known
    if unknown:
        raise InvalidValue(f"{where}{min(unknown)!r:.60} is not a field of {of}")


def read_array(value: Any, name: str) -> list[Any]:
    """Return a value that must be an array.

    Raises
    ------
    InvalidValue
        When the value is not an array.
    """
    if not isinstance(value, list):
        raise InvalidValue(f"{name} must be a JSON array")
    return value


def read_integer(value: Any, name: str, least: int, most: int) -> int:
    """Return a value that must be a whole number within bounds.

    Raises
    ------
    InvalidValue
        When the value is not a whole number (true and 1.0 are not), or is out of bounds.
    """
    if type(value) is not int or not least <= value <= most:
        raise InvalidValue(f"{name} must be a whole number from {least} to {most}")
    return value


def read_number(value: Any, name: str, least: float, most: float = sys.float_info.max) -> float:
    """Return a value that must be a finite number within bounds.

    Raises
    ------
    InvalidValue
        When the value is not a finite number, or is out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidValue(f"{name} must be a number")
    if not least <= value <= most:
        limit = f"{least:g} or more" if most == sys.float_info.max else f"{least:g} to {most:g}"
        raise InvalidValue(f"{name} must be {limit}, not {value!r:.40}")
    return float(value)


def read_text(value: Any, name: str, longest: int) -> str:
    """Return a value that must be plain text; it may be empty, or have several lines.

    Raises
    ------
    InvalidValue
        When the value is not text, is too long, or contains control characters.
    """
    if not isinstance(value, str) or len(value) > longest or _CONTROL.search(value):
        raise InvalidValue(f"{name} must be plain text of at most {longest} letters")
    if not is_unicode(value):
        raise InvalidValue(f"{name} must be Unicode")
    return value


def read_name(value: Any, name: str, longest: int = 100) -> str:
    """Return a value that must be plain text of one line, and not empty.

    Raises
    ------
    InvalidValue
        When the value is not one such line, or is too long.
    """
    text = read_text(value, name, longest)
    if not text or "\n" in text:
        raise InvalidValue(f"{name} must be one line and not empty")
    return text


def read_line(value: Any, name: str, longest: int) -> str:
    """Return a value that must be one printable line; it may be empty.

    Raises
    ------
    InvalidValue
        When the value is not one such line, or is too long.
    """
    # Terminals obey control characters.
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise InvalidValue(f"{name} must be one line of at most {longest} characters")
    return value


def read_word(value: Any, name: str, kind: type[_Word]) -> _Word:
    """Return the member of an enumeration whose name in lower case is the value.

    Raises
    ------
    InvalidValue
        When no member has that name.
    """
    words = {member.name.lower(): member for member in kind}
    if not isinstance(value, str) or value not in words:
        raise InvalidValue(f"{name} must be one of {', '.join(words)}")
    return words[value]


class JSONObject:
    """An object whose fields are read one by one; a missing field is an error.

    Parameters
    ----------
    value
        What a JSON parser returned.
    name
        What errors call the object.
    where
        What errors put before the name of a field, such as ``keys[1].``.

    Raises
    ------
    InvalidValue
        When the value is not an object.
    """

    def __init__(self, value: Any, name: str, *, where: str = "") -> None:
        self.fields = read_object(value, name)
        """All fields, as the parser returned them."""
        self._where = where

    def get(self, key: str, default: Any = None) -> Any:
        """Return a field that may be missing, unchecked."""
        return self.fields.get(key, default)

    def __getitem__(self, key: str) -> Any:
        """Return a field, unchecked."""
        if key not in self.fields:
            raise InvalidValue(f"{self._where}{key} is missing")
        return self.fields[key]

    def integer(self, key: str, least: int, most: int) -> int:
        """Return a field as `read_integer` does."""
        return read_integer(self[key], self._where + key, least, most)

    def text(self, key: str, longest: int) -> str:
        """Return a field as `read_text` does."""
        return read_text(self[key], self._where + key, longest)

    def name(self, key: str, longest: int = 100) -> str:
        """Return a field as `read_name` does."""
        return read_name(self[key], self._where + key, longest)
