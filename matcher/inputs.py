"""The forms in which matching accepts logs and key files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sized
from pathlib import Path
from typing import TypeAlias

from matcher.tables.sightings import ArrowTable, SightingTable, is_table
from tracing_core.errors import InvalidValue
from tracing_core.export_file import ExportFile
from tracing_core.store.left_out import LeftOut
from tracing_core.store.sighting import Sighting, note_strength

__all__ = ["KeyFilesLike", "LogLike", "as_key_files", "as_log"]

_A_LOG = "a path, a DataFrame, an Arrow table or Sighting objects"
_A_KEY_FILE = "a path or an ExportFile"

LogLike: TypeAlias = str | os.PathLike[str] | ArrowTable | Iterable[Sighting]
"""A log: a path, a pandas DataFrame or Arrow table of sightings, or sightings in any order."""

KeyFilesLike: TypeAlias = (
    str | os.PathLike[str] | ExportFile | Iterable[str | os.PathLike[str] | ExportFile]
)
"""One key file or many: paths of files, folders or indices, or files already read."""


def as_log(log: LogLike, left_out: LeftOut | None = None) -> Path | Iterable[Sighting]:
    """Return the path of a log, or its sightings.

    Parameters
    ----------
    log
        The log, in any form.
    left_out
        Counts what cannot be used of a table or of objects, while they are read; None to raise an
        error at the first row that cannot be read.

    Raises
    ------
    InvalidValue
        When the argument's type is not one that a log can have.
    InvalidLog
        When a table lacks a column, or has one that it should not have.
    MissingExtra
        When the log is a table, and pyarrow is not installed.
    """
    if isinstance(log, str | os.PathLike):
        return Path(log)
    if is_table(log):
        return SightingTable(log, left_out=left_out)
    if isinstance(log, bytes | bytearray | dict) or not isinstance(log, Iterable):
        raise InvalidValue(f"a log is {_A_LOG}, not {_kind(log)}")
    # What has a length says how large the job is; it is checked at once and stays what it is.
    if isinstance(log, Sized):
        for _ in _checked(log, left_out):
            pass
        return log
    return _checked(log, left_out)


def _checked(log: Iterable[Sighting], left_out: LeftOut | None) -> Iterator[Sighting]:
    for number, sighting in enumerate(log):
        if not isinstance(sighting, Sighting):
            raise InvalidValue(
                f"a log is {_A_LOG}: its item {number} is {_kind(sighting)}, not a Sighting"
            )
        if left_out is not None:
            note_strength(left_out, sighting, f"item {number}")
        yield sighting


def as_key_files(exports: KeyFilesLike) -> list[Path | ExportFile]:
    """Return key files as a list; a string is one path.

    Raises
    ------
    InvalidValue
        When an item is neither a path nor an `ExportFile`.
    """
    if isinstance(exports, str | os.PathLike | ExportFile):
        exports = [exports]
    if isinstance(exports, bytes | bytearray | dict) or not isinstance(exports, Iterable):
        raise InvalidValue(f"a key file is {_A_KEY_FILE}, not {_kind(exports)}; give one or many")
    files: list[Path | ExportFile] = []
    for number, export in enumerate(exports):
        if isinstance(export, ExportFile):
            files.append(export)
        elif isinstance(export, str | os.PathLike):
            files.append(Path(export))
        else:
            raise InvalidValue(f"exports[{number}] is {_kind(export)}, not {_A_KEY_FILE}")
    return files


def _kind(value: object) -> str:
    """Return what something is, without its content."""
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"
