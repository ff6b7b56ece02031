"""Index of key files, oldest first, as Google's server writes it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from tracing_core.errors import ExportFileError, InvalidValue, MalformedExport
from tracing_core.export_file.archive import prefix
from tracing_core.export_file.contents import HEADER
from tracing_core.export_file.reader import read_file
from tracing_core.export_file.wire import timestamps
from tracing_core.paths import is_folder, is_there

__all__ = ["MAX_INDEX_BYTES", "find_exports", "read_index", "write_index"]

MAX_INDEX_BYTES = 1 << 20
"""The largest index read."""

_INDEX = "index.txt"
_SUFFIXES = (".zip", ".bin")
# Relative, and no part of it begins with a dot, so no name leaves the server's folder.
_NAME = re.compile(r"[A-Za-z0-9_~+=,@-][\w.~+=,@-]*(?:/[A-Za-z0-9_~+=,@-][\w.~+=,@-]*)*", re.ASCII)
_LONGEST_NAME = 1024
_PREFIX_BYTES = 4096


def _is_name(name: str) -> bool:
    return len(name) <= _LONGEST_NAME and _NAME.fullmatch(name) is not None


def read_index(text: bytes | str) -> list[str]:
    """Read an index: one relative path per line, oldest first.

    Raises
    ------
    MalformedExport
        When the text is larger than `MAX_INDEX_BYTES`, or a line is not a path below the index's
        folder.
    """
    if len(text) > MAX_INDEX_BYTES:
        raise MalformedExport(f"the index is larger than {MAX_INDEX_BYTES} bytes")
    lines = (text.decode("ascii", "replace") if isinstance(text, bytes) else text).split("\n")
    names = [line.removesuffix("\r") for line in lines]
    for number, name in enumerate(names, 1):
        if name and not _is_name(name):
            raise MalformedExport(f"line {number} of the index is not the path of a key file")
    return [name for name in names if name]


def write_index(names: Iterable[str]) -> str:
    """Return the index of relative paths given oldest first, without a line end after the last.

    Raises
    ------
    InvalidValue
        When a name could not be read back.
    """
    names = list(names)
    for name in names:
        if not _is_name(name):
            raise InvalidValue(f"{name!r:.60} cannot be listed in an index")
    return "\n".join(names)


def find_exports(paths: Iterable[Path]) -> list[Path]:
    """Find key files.

    Parameters
    ----------
    paths
        Key files, index files (``*.txt``), and folders with or without an ``index.txt``.

    Returns
    -------
    list of Path
        Files that an index lists, in its order; others by start and end timestamp. Those that no
        timestamp can be read from are last, as given, or by name in a folder.

    Raises
    ------
    ExportFileError
        When a path does not exist or cannot be read, or a folder holds no key file.
    MalformedExport
        When an index cannot be read.
    """
    found: list[tuple[bool, Path]] = []
    for path in paths:
        try:
            index = path / _INDEX if is_folder(path) else path
            if index.suffix == ".txt" and (index == path or is_there(index)):
                found += [(True, file) for file in _listed(index)]
            elif is_folder(path):
                found += [(False, file) for file in _in_folder(path)]
            elif is_there(path):
                found.append((False, path))
            else:
                raise ExportFileError(f"{path} does not exist")
        except OSError as error:
            raise ExportFileError(f"{path} cannot be read: {error.strerror}") from error
    ordered: list[Path] = []
    for listed, group in groupby(found, key=lambda item: item[0]):
        files = [file for _, file in group]
        ordered += files if listed else sorted(files, key=_time)
    return ordered


def _listed(index: Path) -> list[Path]:
    files = []
    for name in read_index(read_file(index, MAX_INDEX_BYTES)):
        # Google's server writes paths from the root of the store, one folder above its index.
        here, above = index.parent / name, index.parent.parent / name
        files.append(above if is_there(above) and not is_there(here) else here)
    return files


def _in_folder(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)
    if not files:
        raise ExportFileError(
            f"{folder} holds no key files (*.zip, *.bin, index.txt): name the folder that does"
        )
    return files


def _time(path: Path) -> tuple[float, float]:
    """Return the timestamps by which files are sorted; an unreadable file is last."""
    last = (float("inf"), float("inf"))
    try:
        if path.suffix == ".bin":
            with path.open("rb") as file:
                beginning = file.read(_PREFIX_BYTES)
        else:
            beginning = prefix(path, _PREFIX_BYTES)
    except (ExportFileError, OSError):
        # Reading the file will report what is wrong with it.
        return last
    found = timestamps(beginning, len(HEADER)) if beginning.startswith(HEADER) else None
    return last if found is None else found
