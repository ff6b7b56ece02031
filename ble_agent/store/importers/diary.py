"""Diary of NZ COVID Tracer (``.diary``): the places that its owner visited, without any notes.

The file is a JSON array of visits. What an owner wrote about a visit (``details``) may name other
people, and is never taken. This version keeps no places yet, so nothing but counts comes of it.
Source: minhealthnz/nzcovidtracer-app, ``src/features/diary/types.ts``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracing_core.errors import InvalidLog, InvalidValue, LogFault
from tracing_core.json_object import read_integer, read_object, read_text
from tracing_core.store.field_values import LATEST_MOMENT
from tracing_core.store.files import file_errors
from tracing_core.store.left_out import LeftOut

__all__ = ["LARGEST_DIARY_BYTES", "DiaryVisit", "is_diary", "read_diary"]

LARGEST_DIARY_BYTES = 4 << 20
"""The largest diary that is read. The app keeps 60 days, which take a tenth of this."""

# Some thousand are usual. Hostile ones would take minutes.
_MOST_ENTRIES = 50_000
_LONGEST_TEXT = 500
_KINDS = ("scan", "manual", "nfc", "link")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_START = re.compile(rb'"startDate"\s*:\s*[0-9]')
_KIND = re.compile(rb'"type"\s*:\s*"(scan|manual|nfc|link)"|"globalLocationNumber"\s*:')
_SPACE = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class DiaryVisit:
    """One visit to a place."""

    started_at: int = field(repr=False)
    """When it began (UTC Unix seconds)."""
    name: str = field(repr=False)
    """Name of the place."""
    address: str = field(repr=False)
    """Its address; "" if not noted."""
    location_number: str = field(repr=False)
    """Its Global Location Number, 13 digits; "" if not noted."""
    kind: str
    """How it was noted: ``scan``, ``manual``, ``nfc`` or ``link``."""


def is_diary(beginning: bytes) -> bool:
    """Return whether a file is such a diary, by its first bytes."""
    text = beginning.removeprefix(_BYTE_ORDER_MARK).lstrip()
    return text.startswith(b"[") and bool(_START.search(text) and _KIND.search(text))


def read_diary(path: Path, left_out: LeftOut) -> Iterator[DiaryVisit]:
    """Read the visits in the order of the file; entries that are none are counted.

    Parameters
    ----------
    path
        The file.
    left_out
        Counts the entries that cannot be read.

    Raises
    ------
    InvalidLog
        When the file is too large, not JSON to its end, or has no entry that can be read.
    StoreError
        When it cannot be read.
    """
    with file_errors(path), path.open("rb") as file:
        data = file.read(LARGEST_DIARY_BYTES + 1)
    if len(data) > LARGEST_DIARY_BYTES:
        raise _damaged(path, f"is larger than {LARGEST_DIARY_BYTES} bytes")
    try:
        text = data.removeprefix(_BYTE_ORDER_MARK).decode()
    except UnicodeDecodeError as error:
        raise _damaged(path, "is not text in UTF-8") from error
    read = 0
    for number, entry in enumerate(_entries(text, path), 1):
        if number > _MOST_ENTRIES:
            raise _damaged(path, f"has more than {_MOST_ENTRIES} entries")
        try:
            visit = _visit(entry)
        except InvalidValue as error:
            reason = f"{path}, entry {number}: {error}"
            left_out.skip(InvalidLog(reason, LogFault.LINE, path=path, line=number))
            continue
        read += 1
        yield visit
    left_out.check(read)


def _entries(text: str, path: Path) -> Iterator[Any]:
    """Yield the entries of an array one by one, so that not all are in memory."""
    decoder = json.JSONDecoder()
    at = _past_space(text, 0)
    if text[at : at + 1] != "[":
        raise _damaged(path, "is not a JSON array")
    at = _past_space(text, at + 1)
    is_first = True
    while text[at : at + 1] != "]":
        if not is_first:
            if text[at : at + 1] != ",":
                raise _damaged(path, "is not JSON to its end")
            at = _past_space(text, at + 1)
        is_first = False
        try:
            entry, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise _damaged(path, "is not JSON to its end") from error
        yield entry
        at = _past_space(text, at)
    if _past_space(text, at + 1) != len(text):
        raise _damaged(path, "goes on after its end")


def _past_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None
    return found.end()


def _visit(entry: Any) -> DiaryVisit:
    fields = read_object(entry, "an entry")
    started_ms = read_integer(fields.get("startDate"), "startDate", 0, LATEST_MOMENT * 1000 - 1)
    name = _text(fields, "name")
    if not name.strip():
        raise InvalidValue("name is missing")
    kind = fields.get("type")
    if kind not in _KINDS:
        raise InvalidValue(f"type must be one of {', '.join(_KINDS)}")
    number = _text(fields, "globalLocationNumber")
    if number and not (len(number) == 13 and number.isascii() and number.isdigit()):
        raise InvalidValue("globalLocationNumber must be 13 digits")
    return DiaryVisit(started_ms // 1000, name, _text(fields, "address"), number, str(kind))


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    return "" if value is None else read_text(value, name, _LONGEST_TEXT)


def _damaged(path: Path, what: str) -> InvalidLog:
    text = f"{path} {what}: export the diary again"
    return InvalidLog(text, LogFault.DAMAGED, path=path)
