"""The operator's tables of areas and of levels: CSV, as spreadsheets write it."""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tracing_core.errors import InvalidValue
from tracing_core.store.files import file_errors
from tracing_core.trust.signed_areas import MOST_LEVELS, Area, AreaLevel, area_faults

__all__ = ["MAX_TABLE_BYTES", "MOST_ROWS", "BadRow", "BadTable", "read_areas", "read_levels"]

MAX_TABLE_BYTES = 4 << 20
"""The largest file read; one of 3,355 areas takes about 130,000 bytes."""

MOST_ROWS = 20_000
"""How many rows are read; no signed list could hold more areas."""

# The names that a column may have in the first line, in small letters.
_AREA_COLUMNS = {
    "code": ("code", "mã"),
    "name": ("name", "tên"),
    "parent": ("parent", "thuộc"),
    "level": ("level", "cấp"),
}
_LEVEL_COLUMNS = {"level": ("level", "cấp"), "vi": ("vi",), "en": ("en",)}
_SEPARATORS = (",", ";", "\t")


class BadRow(NamedTuple):
    """A row that cannot be used."""

    line: int
    """Number of its line in the file, from 1."""
    values: tuple[str, ...]
    """What identifies it: the first two columns."""
    reason: str

    def __str__(self) -> str:
        values = ", ".join(f"{value!r:.60}" for value in self.values)
        return f"line {self.line}: {values}: {self.reason}"


class BadTable(InvalidValue):
    """Rows of a file cannot be used.

    Parameters
    ----------
    path
        The file.
    rows
        The bad rows, by line.
    total
        Number of all rows.
    """

    def __init__(self, path: Path, rows: Sequence[BadRow], total: int) -> None:
        what = "row" if total == 1 else "rows"
        super().__init__(
            f"{path}: {len(rows)} of {total} {what} cannot be used, so nothing has changed:"
            " correct the file and run this again"
        )
        self.rows = rows
        """The bad rows, by line."""


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    values: Mapping[str, str]
    """Values by the names of columns."""

    def bad(self, reason: str) -> BadRow:
        return BadRow(self.line, tuple(self.values.values())[:2], reason)


def read_areas(path: Path, levels: int) -> tuple[Area, ...]:
    """Read a file with the columns code, name, parent and level, in any order.

    Parameters
    ----------
    path
        The file.
    levels
        How many levels there are.

    Raises
    ------
    BadTable
        When rows cannot be used; it has every one of them.
    InvalidValue
        When the file is not such a table.
    StoreError
        When it cannot be read.
    """
    rows = list(_rows(path, _AREA_COLUMNS))
    bad: list[BadRow] = []
    lines: dict[str, int] = {}
    good: list[tuple[_Row, Area]] = []
    unread: set[str] = set()
    for row in rows:
        code = row.values["code"]
        try:
            if code in lines:
                raise InvalidValue(f"the code is already in line {lines[code]}")
            lines[code] = row.line
            level = _level_number(row.values["level"], levels)
            good.append((row, Area(code, row.values["name"], row.values["parent"], level)))
        except InvalidValue as error:
            bad.append(row.bad(str(error)))
            unread.add(code)
    areas = tuple(area for _, area in good)
    # An area whose own row is bad is not missing to those that are in it.
    stand_ins = [Area(code, "?") for code in unread - {area.code for area in areas} if _fits(code)]
    bad += [good[place][0].bad(fault) for place, fault in area_faults([*areas, *stand_ins], levels)]
    if bad:
        raise BadTable(path, sorted(bad), len(rows))
    return areas


def _fits(code: str) -> bool:
    try:
        Area(code, "?")
    except InvalidValue:
        return False
    return True


def _level_number(text: str, levels: int) -> int:
    if not text:
        return 0
    if re.fullmatch(r"[0-9]{1,3}", text) and 1 <= int(text) <= levels:
        return int(text)
    raise InvalidValue(
        f"level must be a whole number from 1 to {levels}, or empty, not {text!r:.40}"
    )


def read_levels(path: Path) -> tuple[AreaLevel, ...]:
    """Read a file with the columns level, vi and en: the names of the levels, from 1 up.

    Raises
    ------
    BadTable
        When rows cannot be used; it has every one of them.
    InvalidValue
        When the file is not such a table.
    StoreError
        When it cannot be read.
    """
    rows = list(_rows(path, _LEVEL_COLUMNS))
    bad: list[BadRow] = []
    levels: list[AreaLevel] = []
    for number, row in enumerate(rows, 1):
        try:
            if row.values["level"] != str(number):
                raise InvalidValue(f"level must be {number}: name the levels in order, from 1 up")
            if number > MOST_LEVELS:
                raise InvalidValue(f"there can be {MOST_LEVELS} levels at most")
            levels.append(AreaLevel(row.values["vi"], row.values["en"]))
        except InvalidValue as error:
            bad.append(row.bad(str(error)))
    if bad:
        raise BadTable(path, bad, len(rows))
    return tuple(levels)


def _rows(path: Path, columns: Mapping[str, Sequence[str]]) -> Iterator[_Row]:
    """Yield the rows below the first line, without empty ones."""
    text = _text(path)
    skipped = 0
    first, _, rest = text.partition("\n")
    # A line that Excel understands, and writes in some versions.
    if named := re.fullmatch(r'"?sep=(.)"?\r?', first):
        text, skipped = rest, 1
        separator = named[1]
    else:
        separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    places: dict[str, int] = {}
    count = before = 0
    try:
        for cells in reader:
            line, before = before + skipped + 1, reader.line_num
            values = [_clean(cell) for cell in cells]
            if not any(values):
                continue
            if not places:
                places = _places(path, values, columns, line)
                continue
            count += 1
            if count > MOST_ROWS:
                raise InvalidValue(f"{path}: there can be {MOST_ROWS} rows at most")
            yield _Row(
                line,
                {
                    name: values[place] if place < len(values) else ""
                    for name, place in places.items()
                },
            )
    except csv.Error as error:
        line = reader.line_num + skipped
        raise InvalidValue(
            f"{path}: line {line} is not CSV ({error}): a quotation mark may be missing"
        ) from error
    if not count:
        names = ", ".join(columns)
        raise InvalidValue(f"{path}: there are no rows below the line with {names}")


def _places(
    path: Path, values: Sequence[str], columns: Mapping[str, Sequence[str]], line: int
) -> dict[str, int]:
    titles = [value.casefold() for value in values]
    places = {}
    for name, known in columns.items():
        found = [place for place, title in enumerate(titles) if title in known]
        if len(found) != 1:
            what = "no column" if not found else "more than one column"
            raise InvalidValue(
                f"{path}: line {line} has {what} {name!r}: the first line must name the columns"
                f" {', '.join(columns)}"
            )
        places[name] = found[0]
    return places


def _clean(cell: str) -> str:
    """Return a cell in the usual Unicode form, without spaces around it or twice."""
    return unicodedata.normalize("NFC", " ".join(cell.split()))


def _text(path: Path) -> str:
    with file_errors(path), path.open("rb") as file:
        data = file.read(MAX_TABLE_BYTES + 1)
    if len(data) > MAX_TABLE_BYTES:
        raise InvalidValue(f"{path} is larger than {MAX_TABLE_BYTES} bytes: give a smaller table")
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidValue(
            f"{path}: line {line} is not UTF-8: save the table as 'CSV UTF-8' in the spreadsheet"
        ) from error
