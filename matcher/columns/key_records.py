"""Key records of one file as columns, read in a small fraction of the time that matching takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from matcher.columns.key_columns import KeyColumns
from matcher.kernels.loops.export_parsing import ABSENT, MOST_OTHER_FIELDS, parse_function
from tracing_core.errors import ExportFileError
from tracing_core.export_file import ExportFile, VerifiedExport, parse_export
from tracing_core.export_file.contents import HEADER
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType, VariantOfConcern

__all__ = ["KeyObjects", "KeyRecords", "ParsedKeys", "read_keys"]

# A key message and the bytes in it each have a tag and a length.
_LEAST_KEY_BYTES = 2 + 2 + 16


class KeyRecords(Protocol):
    """The keys of one file: ``keys``, then ``revised_keys``."""

    @property
    def skipped(self) -> int:
        """Number of the file's keys that cannot be used; they are not among these."""

    def __len__(self) -> int:
        """Return the number of keys."""

    def columns(self) -> KeyColumns:
        """Return the columns that a join needs."""

    def records(self, rows: NDArray[np.int64]) -> Iterable[tuple[int, DiagnosisKey]]:
        """Return some records with their rows; they do not keep the others in memory."""


@dataclass(frozen=True, slots=True, repr=False)
class ParsedKeys:
    """Keys in columns of equal length."""

    key_data: NDArray[np.uint8]
    """Shape (n, 16)."""
    rolling_start: NDArray[np.uint32]
    rolling_period: NDArray[np.uint8]
    report_type: NDArray[np.uint8]
    days_since_onset: NDArray[np.int32]
    """`ABSENT` if unknown."""
    transmission_risk: NDArray[np.uint8]
    variant: NDArray[np.uint8]
    skipped: int = 0
    """Number of keys that cannot be used, and are in no column."""

    @classmethod
    def empty(cls, rows: int) -> ParsedKeys:
        """Return empty columns to fill; memory is used only as it is filled."""
        return cls(
            np.empty((rows, 16), np.uint8),
            np.empty(rows, np.uint32),
            np.empty(rows, np.uint8),
            np.empty(rows, np.uint8),
            np.empty(rows, np.int32),
            np.empty(rows, np.uint8),
            np.empty(rows, np.uint8),
        )

    def __len__(self) -> int:
        return len(self.key_data)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> ParsedKeys:
        columns: Any = {name: getattr(self, name)[rows] for name in _COLUMNS}
        return ParsedKeys(**columns)

    def __iter__(self) -> Iterator[DiagnosisKey]:
        key_data, *others = self.all_columns()
        for data, start, period, report, onset, risk, variant in zip(
            key_data, *(column.tolist() for column in others), strict=True
        ):
            yield DiagnosisKey(
                data.tobytes(),
                start,
                period,
                ReportType(report),
                None if onset == ABSENT else onset,
                risk,
                VariantOfConcern(variant),
            )

    def all_columns(self) -> list[NDArray[Any]]:
        """Return every column, the key data first."""
        return [getattr(self, name) for name in _COLUMNS]

    def columns(self) -> KeyColumns:
        """Return the columns that a join needs."""
        period = self.rolling_period.astype(np.uint16)
        return KeyColumns(self.key_data, self.rolling_start, period)

    def records(self, rows: NDArray[np.int64]) -> Iterable[tuple[int, DiagnosisKey]]:
        """Return some records with their rows; the iterator holds only their columns."""
        return zip(rows.tolist(), self[rows], strict=True)


_COLUMNS = tuple(each.name for each in fields(ParsedKeys) if each.name != "skipped")


@dataclass(frozen=True, slots=True)
class KeyObjects:
    """The keys of a file that is in memory, or that the kernel cannot read."""

    export: ExportFile

    @property
    def skipped(self) -> int:
        """Number of the file's keys that cannot be used."""
        return self.export.skipped_keys

    def __len__(self) -> int:
        return len(self.export.keys) + len(self.export.revised_keys)

    def columns(self) -> KeyColumns:
        """Return the columns that a join needs."""
        size = len(self)
        data, starts, periods = bytearray(), np.empty(size, np.uint32), np.empty(size, np.uint16)
        for row, key in enumerate(chain(self.export.keys, self.export.revised_keys)):
            data += key.key_data
            starts[row] = key.rolling_start_interval_number
            periods[row] = key.rolling_period
        return KeyColumns(np.frombuffer(data, np.uint8).reshape(size, 16), starts, periods)

    def records(self, rows: NDArray[np.int64]) -> Iterable[tuple[int, DiagnosisKey]]:
        """Return some records with their rows."""
        fresh, revised = self.export.keys, self.export.revised_keys
        return [
            (row, fresh[row] if row < len(fresh) else revised[row - len(fresh)])
            for row in rows.tolist()
        ]


def read_keys(verified: VerifiedExport) -> KeyRecords:
    """Parse a key file as `parse_export` does, without an object per key.

    Raises
    ------
    MalformedExport
        As for `parse_export`.
    """
    export_bin = verified.export_bin
    keys = ParsedKeys.empty((len(export_bin) - len(HEADER)) // _LEAST_KEY_BYTES + 1)
    revised = np.empty(len(keys), np.uint8)
    others = np.zeros((MOST_OTHER_FIELDS + 1, 2), np.int64)
    count = parse_function()(
        np.frombuffer(export_bin, np.uint8),
        len(HEADER),
        *keys.all_columns(),
        revised,
        others,
    )
    if count < 0 or not _others_are_fine(verified, others):
        return KeyObjects(parse_export(verified))
    revised = revised[:count]
    first_revised = count - np.count_nonzero(revised)
    rows: slice | NDArray[np.int64] = slice(count)
    if revised[:first_revised].any():
        # In protobuf's order, whatever the order in the file.
        rows = np.argsort(revised, kind="stable")
    return replace(keys[rows], skipped=int(others[MOST_OTHER_FIELDS, 1]))


def _others_are_fine(verified: VerifiedExport, spans: NDArray[np.int64]) -> bool:
    """Check the other fields with `parse_export`."""
    parts = spans[: spans[MOST_OTHER_FIELDS, 0]].tolist()
    rest = b"".join(verified.export_bin[start:end] for start, end in parts)
    try:
        parse_export(VerifiedExport(verified.name, HEADER + rest, ()))
    except ExportFileError:
        return False
    return True
