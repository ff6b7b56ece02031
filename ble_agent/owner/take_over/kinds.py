"""Kinds of files that hold data of an earlier app, as far as their first bytes show."""

from __future__ import annotations

import contextlib
import enum
import re
import zlib

from ble_agent.store.importers.all_data import is_all_data
from ble_agent.store.importers.bluezone import is_bluezone_trace
from ble_agent.store.importers.diary import is_diary
from tracing_core.export_file.file_kind import FileKind, file_kind

__all__ = ["Kind", "has_manifest", "kind_of"]

_GZIP = b"\x1f\x8b"
_LONGEST_UNPACKED = 4096
_MANIFEST = re.compile(rb"MANIFEST-\d{1,20}\n")
_OF_OTHERS = (b'"protocol"', b'"identifier"')


class Kind(enum.Enum):
    """What a file or folder may hold; only reading all of it shows whether it does."""

    DATABASE = enum.auto()
    """A SQLite database, of whatever program."""
    LINES = enum.auto()
    """Sightings as JSON Lines, gzipped or not."""
    TRACE = enum.auto()
    """Bluezone's export."""
    FOLDER = enum.auto()
    """A LevelDB folder, as that of Play Services."""
    DIARY = enum.auto()
    """The diary of NZ COVID Tracer."""
    ALL_DATA = enum.auto()
    """All data of another device of ours; its sightings are taken, the rest by an import."""
    CHECKS = enum.auto()
    """The list of checks that a phone's settings export."""


def kind_of(beginning: bytes) -> Kind | None:
    """Return what a file may hold by its first bytes, some thousand of them; None for nothing."""
    if beginning.startswith(_GZIP):
        return Kind.LINES if _is_line(_unpacked(beginning)) else None
    if is_all_data(beginning):
        return Kind.ALL_DATA
    kind = file_kind(beginning)
    if kind is FileKind.DATABASE:
        return Kind.DATABASE
    if kind is FileKind.CHECKS:
        return Kind.CHECKS
    if is_diary(beginning):
        return Kind.DIARY
    if _is_line(beginning):
        return Kind.LINES
    return Kind.TRACE if is_bluezone_trace(beginning) else None


def has_manifest(beginning: bytes) -> bool:
    """Return whether a file is the ``CURRENT`` of a LevelDB folder, by its first bytes."""
    return _MANIFEST.fullmatch(beginning) is not None


def _unpacked(beginning: bytes) -> bytes:
    with contextlib.suppress(zlib.error):
        return zlib.decompressobj(wbits=31).decompress(beginning, _LONGEST_UNPACKED)
    return b""


def _is_line(beginning: bytes) -> bool:
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text.startswith(b"{"):
        return False
    return b'"rpi"' in text or all(name in text for name in _OF_OTHERS)
