"""Index of key files, oldest first, as Google's server writes it."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from tracing_core.errors import ExportFileError, InvalidValue, MalformedExport
from tracing_core.export_file.archive import prefix
from tracing_core.export_file.contents import HEADER
from tracing_core.export_file.reader import read_file
from tracing_core.export_file.wire import timestamps
from tracing_core.paths import is_folder, is_there

__all__ = [
    "INDEX_NAME",
    "MAX_INDEX_BYTES",
    "SIGNED_INDEX_NAME",
    "FoundExports",
    "find_exports",
    "read_index",
    "search_exports",
    "write_index",
]

INDEX_NAME = "index.txt"
"""Name of the list of key files, in their folder."""

SIGNED_INDEX_NAME = "index.jws"
"""Name of the signed index, beside ``index.txt``."""

MAX_INDEX_BYTES = 1 << 20
"""The largest index read."""

_INDICES = (INDEX_NAME, SIGNED_INDEX_NAME)
_SUFFIXES = (".zip", ".bin")
# Relative, and no part of it begins with a dot, so no name leaves the server's folder.
_NAME = re.compile(r"[A-Za-z0-9_~+=,@-][\w.~+=,@-]*(?:/[A-Za-z0-9_~+=,@-][\w.~+=,@-]*)*", re.ASCII)
_LONGEST_NAME = 1024
_LINE_END = re.compile(r"\r\n|\n|\r")
_PREFIX_BYTES = 4096
_BESIDE_SQLITE = ("-wal", "-shm", "-journal")
_MOST_NAMES = 3


def _is_name(name: str) -> bool:
    return len(name) <= _LONGEST_NAME and _NAME.fullmatch(name) is not None


def read_index(text: bytes | str) -> list[str]:
    """Read an index: one relative path per line, oldest first.

    A byte order mark, line ends of any system, white space around a path and ``./`` before it are
    taken, since editors and scripts write them.

    Raises
    ------
    MalformedExport
        When the text is larger than `MAX_INDEX_BYTES`, or a line is not a path below the index's
        folder.
    """
    if len(text) > MAX_INDEX_BYTES:
        raise MalformedExport(f"the index is larger than {MAX_INDEX_BYTES} bytes")
    if isinstance(text, bytes):
        is_utf_16 = text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        text = text.decode("utf-16" if is_utf_16 else "utf-8", "replace")
    lines = _LINE_END.split(text.removeprefix("\ufeff"))
    names = [line.strip(" \t").removeprefix("./") for line in lines]
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


@dataclass(frozen=True, slots=True)
class FoundExports:
    """The key files that were found, and what else is in the folders that were searched."""

    files: list[Path] = field(default_factory=list)
    """Files that an index lists, in its order; others by start and end timestamp. Those that no
    timestamp can be read from are last, as given, or by name in a folder."""
    passed_over: list[Path] = field(default_factory=list)
    """Files and subfolders of a folder that are not used, by name."""


def find_exports(paths: Iterable[Path]) -> list[Path]:
    """Return the key files that `search_exports` finds."""
    return search_exports(paths).files


def search_exports(paths: Iterable[Path]) -> FoundExports:
    """Find key files, and what is passed over in the folders that they are in.

    Parameters
    ----------
    paths
        Key files, index files (``*.txt``), and folders with or without an ``index.txt``. Without
        one, files are used if they are called ``*.zip`` or ``*.bin``, or are key files by their
        content.

    Raises
    ------
    ExportFileError
        When a path does not exist or cannot be read, or a folder holds no key file.
    MalformedExport
        When an index cannot be read.
    """
    found: list[tuple[bool, Path]] = []
    passed_over: list[Path] = []
    for path in paths:
        try:
            index = path / INDEX_NAME if is_folder(path) else path
            if index.suffix == ".txt" and (index == path or is_there(index)):
                listed = _listed(index)
                found += [(True, file) for file in listed]
                if index != path:
                    passed_over += _others(path, listed)
            elif is_folder(path):
                files = _in_folder(path)
                found += [(False, file) for file in files]
                passed_over += _others(path, files)
            elif is_there(path):
                found.append((False, path))
            else:
                raise ExportFileError(f"{path} does not exist")
        except OSError as error:
            raise ExportFileError(f"{path} cannot be read: {error.strerror}") from error
    ordered: list[Path] = []
    for listed_ones, group in groupby(found, key=lambda item: item[0]):
        files = [file for _, file in group]
        ordered += files if listed_ones else sorted(files, key=_time)
    return FoundExports(ordered, passed_over)


def _listed(index: Path) -> list[Path]:
    files = []
    for name in read_index(read_file(index, MAX_INDEX_BYTES)):
        # Google's server writes paths from the root of the store, one folder above its index.
        here, above = index.parent / name, index.parent.parent / name
        files.append(above if is_there(above) and not is_there(here) else here)
    return files


def _in_folder(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.iterdir() if _is_key_file(path))
    if not files:
        others = [path.name for path in _others(folder, ()) if path.name.isprintable()]
        held = f", but {', '.join(others[:_MOST_NAMES])}" if others else ""
        raise ExportFileError(
            f"{folder} holds no key files (*.zip, *.bin, index.txt){held}: name the folder that"
            " does"
        )
    return files


def _is_key_file(path: Path) -> bool:
    """Return whether a file in a folder is one, by its name or else by its content."""
    if path.suffix.lower() in _SUFFIXES:
        return True
    try:
        return _beginning(path).startswith(HEADER)
    except (ExportFileError, OSError):
        return False


def _others(folder: Path, used: Sequence[Path]) -> list[Path]:
    """Return what is in a folder apart from its index, the files used and their signatures.

    SQLite's files beside an open database come and go, so only the database itself is named.
    """
    known = {folder / name for name in _INDICES} | set(used)
    known |= {above for file in used for above in file.parents}
    known |= {file.with_suffix(".sig") for file in used if file.suffix.lower() != ".zip"}
    there = set(folder.iterdir())
    known |= {path.with_name(path.name + suffix) for path in there for suffix in _BESIDE_SQLITE}
    return sorted(there - known)


def _beginning(path: Path) -> bytes:
    """Return the first bytes of an ``export.bin``, packed or not; none of a pipe."""
    if not path.is_file():
        # A pipe gives its bytes only once, and they are needed later.
        return b""
    with path.open("rb") as file:
        beginning = file.read(_PREFIX_BYTES)
    return prefix(path, _PREFIX_BYTES) if beginning.startswith(b"PK") else beginning


def _time(path: Path) -> tuple[float, float]:
    """Return the timestamps by which files are sorted; an unreadable file is last."""
    last = (float("inf"), float("inf"))
    try:
        beginning = _beginning(path)
    except (ExportFileError, OSError):
        # Reading the file will report what is wrong with it.
        return last
    found = timestamps(beginning, len(HEADER)) if beginning.startswith(HEADER) else None
    return last if found is None else found
