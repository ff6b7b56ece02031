"""A table of sightings: a pandas DataFrame, or whatever speaks Arrow's stream interface."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard, runtime_checkable

from tracing_core.errors import InvalidLog, InvalidValue, LogFault, require
from tracing_core.protocol.associated_encrypted_metadata import AEM_LENGTH
from tracing_core.protocol.rolling_proximity_identifier import RPI_LENGTH
from tracing_core.store.field_values import moment, optional_moment, sample
from tracing_core.store.left_out import LeftOut
from tracing_core.store.sighting import Sighting, note_strength

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ArrowTable", "SightingTable", "is_table"]

_BLOCK_ROWS = 1 << 14
_REQUIRED = ("rpi", "aem", "rssi_dbm", "seen_at")
_OPTIONAL = ("previous_scan_at", "clock_suspect")
_LENGTHS = {"rpi": RPI_LENGTH, "aem": AEM_LENGTH}
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_MOMENT = "UTC Unix seconds, or timestamps with a time zone"


@runtime_checkable
class ArrowTable(Protocol):
    """A table that can be read through Arrow's PyCapsule interface, such as one of Polars."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return a capsule that streams the table's rows."""


def is_table(given: object) -> TypeGuard[ArrowTable]:
    """Return whether something is a table; sightings themselves and paths are not."""
    return isinstance(given, ArrowTable) or _is_data_frame(given)


def _is_data_frame(given: object) -> bool:
    return any(
        base.__name__ == "DataFrame" and base.__module__.partition(".")[0] == "pandas"
        for base in type(given).__mro__
    )


class SightingTable:
    """The sightings in a table, made one at a time while iterating.

    Columns are named after the fields of `Sighting`; the last two are optional:

    - ``rpi``, ``aem``: bytes, or text of hex digits;
    - ``rssi_dbm``: a whole number, or a list of them, in dBm;
    - ``seen_at``: UTC Unix seconds, or timestamps with a time zone;
    - ``previous_scan_at``: likewise, null where it is unknown;
    - ``clock_suspect``: booleans.

    Parameters
    ----------
    table
        The table.
    others
        Further columns that must be present; the attribute `others` holds their values.
    left_out
        Counts the rows that lie outside the protocol; None to raise an error at the first.

    Raises
    ------
    InvalidLog
        When a column is missing, unknown or of another type. Iterating raises it at the first row
        that lies outside the protocol, naming the row (counted from 0) and the column. If such
        rows are counted, it does so at the end, and only if no row could be read.
    MissingExtra
        When pyarrow is not installed.
    """

    def __init__(
        self, table: ArrowTable, *, others: Sequence[str] = (), left_out: LeftOut | None = None
    ) -> None:
        self._left_out = left_out
        columns = _columns(table)
        _check_names([name for name, _ in columns], others)
        self._columns = {name: column for name, column in columns if name not in others}
        self.others = {name: column.to_pylist() for name, column in columns if name in others}
        """The values of each further column."""
        self._readers = {name: _reader(name, column.type) for name, column in self._columns.items()}

    def __len__(self) -> int:
        return len(self._columns["rpi"])

    def __iter__(self) -> Iterator[Sighting]:
        """Make the next sighting.

        Raises
        ------
        InvalidLog
            When the row lies outside the protocol, unless such rows are counted.
        """
        return (sighting for _, sighting in self.rows())

    def rows(self) -> Iterator[tuple[int, Sighting]]:
        """Make the next sighting, and return it with the number of its row.

        Raises
        ------
        InvalidLog
            When the row lies outside the protocol, unless such rows are counted.
        """
        read = 0
        for start in range(0, len(self), _BLOCK_ROWS):
            block = {
                name: _values(column.slice(start, _BLOCK_ROWS))
                for name, column in self._columns.items()
            }
            for at in range(len(block["rpi"])):
                sighting = self._read(block, at, start + at)
                if sighting is not None:
                    read += 1
                    yield start + at, sighting
        if self._left_out is not None:
            self._left_out.check(read)

    def _read(self, block: dict[str, list[Any]], at: int, row: int) -> Sighting | None:
        try:
            fields = {name: read(block[name][at]) for name, read in self._readers.items()}
            sighting = Sighting(**fields)
        except InvalidValue as error:
            refused = InvalidLog(f"row {row} of the table: {error}", LogFault.LINE, line=row)
            if self._left_out is None:
                raise refused from error
            self._left_out.skip(refused)
            return None
        if self._left_out is not None:
            note_strength(self._left_out, sighting, f"row {row}")
        return sighting


def _columns(table: ArrowTable) -> list[tuple[str, pa.ChunkedArray]]:
    """Return the columns of a table, by Arrow; the index of a DataFrame is not one."""
    arrow = require("pyarrow", extra="arrow")
    if _is_data_frame(table):
        frame: Any = table
        _check_repeated([str(name) for name in frame.columns])
        return [(str(name), _of_series(str(name), frame[name])) for name in frame.columns]
    try:
        read = arrow.table(table)
    except (arrow.ArrowException, TypeError, ValueError) as error:
        kind = type(table).__name__
        raise InvalidLog(f"a {kind} is not a table of sightings: give a table with rows") from error
    _check_repeated(read.column_names)
    return list(zip(read.column_names, read.columns, strict=True))


def _of_series(name: str, series: Any) -> pa.ChunkedArray:
    arrow = require("pyarrow", extra="arrow")
    try:
        array = arrow.Array.from_pandas(series)
    except (arrow.ArrowException, TypeError, ValueError, OverflowError) as error:
        # Arrow's own words would quote a value.
        raise InvalidLog(f"column {name} has values of several types: use one type") from error
    return array if isinstance(array, arrow.ChunkedArray) else arrow.chunked_array([array])


def _check_repeated(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise InvalidLog(f"the table has {names.count(name)} columns {name!r:.40}: keep one")


def _check_names(names: Sequence[str], others: Sequence[str]) -> None:
    for name in (*_REQUIRED, *others):
        if name not in names:
            wanted = "add it" if name in others else "name its columns as Sighting does"
            raise InvalidLog(f"the table has no column {name}: {wanted}")
    for name in names:
        if name not in (*_REQUIRED, *_OPTIONAL, *others):
            raise InvalidLog(
                f"column {name!r:.40} is not one of a sighting: drop it, or rename it to one of"
                f" {', '.join((*_REQUIRED, *_OPTIONAL))}"
            )


def _reader(name: str, kind: pa.DataType) -> Callable[[Any], Any]:
    """Return the function that makes a field from a value, after checking the column's type."""
    types = require("pyarrow.types", extra="arrow")
    plain = kind.value_type if types.is_dictionary(kind) else kind
    if name in _LENGTHS:
        fits, wanted = _is_binary(plain) or _is_text(plain), "bytes or hex digits"
    elif name == "clock_suspect":
        fits, wanted = types.is_boolean(plain), "booleans"
    elif name == "rssi_dbm":
        inner = plain.value_type if _is_list(plain) else plain
        fits, wanted = _is_number(inner), "whole numbers or lists of them"
    else:
        aware = types.is_timestamp(plain) and plain.tz is not None
        if types.is_timestamp(plain) and not aware:
            raise InvalidLog(
                f"column {name} has times without a time zone: add the zone that they are in,"
                " such as UTC"
            )
        empty = name == "previous_scan_at" and types.is_null(plain)
        fits, wanted = aware or empty or _is_number(plain), _MOMENT
    if not fits:
        raise InvalidLog(f"column {name} must hold {wanted}, not {kind!s:.60}")
    return _READERS[name]


def _is_binary(kind: pa.DataType) -> bool:
    return str(kind).startswith(("binary", "large_binary", "fixed_size_binary"))


def _is_text(kind: pa.DataType) -> bool:
    return str(kind) in {"string", "large_string", "string_view"}


def _is_list(kind: pa.DataType) -> bool:
    return str(kind).startswith(("list", "large_list", "fixed_size_list"))


def _is_number(kind: pa.DataType) -> bool:
    """Return whether a type holds numbers; pandas makes integers floating if one is missing."""
    types = require("pyarrow.types", extra="arrow")
    return bool(types.is_integer(kind) or types.is_floating(kind))


def _values(column: pa.ChunkedArray) -> list[Any]:
    types = require("pyarrow.types", extra="arrow")
    if types.is_timestamp(column.type):
        per_second = _PER_SECOND[column.type.unit]
        # Through numbers, since those of Python's datetime end at microseconds and year 9999.
        return [
            None if value is None else value // per_second
            for value in column.cast("int64").to_pylist()
        ]
    values: list[Any] = column.to_pylist()
    return values


def _bytes(name: str) -> Callable[[Any], bytes]:
    length = _LENGTHS[name]

    def read(value: Any) -> bytes:
        if isinstance(value, bytes):
            return value  # Sighting checks the length
        _check_there(name, value)
        if len(value) == 2 * length and value.isalnum():
            try:
                return bytes.fromhex(value)
            except ValueError:
                pass
        raise InvalidValue(f"{name} must be {length} bytes or {2 * length} hex digits")

    return read


def _check_there(name: str, value: Any) -> None:
    if value is None:
        raise InvalidValue(f"{name} is missing")


def _moment(name: str, value: Any) -> int:
    _check_there(name, value)
    return moment(name, value)


def _samples(value: Any) -> tuple[int, ...]:
    return tuple(map(sample, value)) if isinstance(value, list) else (sample(value),)


def _suspect(value: Any) -> bool:
    _check_there("clock_suspect", value)
    return bool(value)


_READERS: dict[str, Callable[[Any], Any]] = {
    "rpi": _bytes("rpi"),
    "aem": _bytes("aem"),
    "rssi_dbm": _samples,
    "seen_at": lambda value: _moment("seen_at", value),
    "previous_scan_at": lambda value: optional_moment("previous_scan_at", value),
    "clock_suspect": _suspect,
}
