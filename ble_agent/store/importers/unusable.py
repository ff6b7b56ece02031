"""Files of earlier apps that are known and cannot be used, each with the reason."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

from ble_agent.store.importers.sqlite_source import columns_of
from tracing_core.errors import InvalidLog, LogFault

__all__ = ["foreign_file", "unusable_database"]

_REASONS = {
    LogFault.FIXED: "is a log of Bluezone 1, whose identifiers never changed: no key can match"
    " them, so nothing was added",
    LogFault.SEALED: "is a log of OpenTrace (TraceTogether, COVIDSafe): only its authority can"
    " read the identifiers in it, so nothing was added",
    LogFault.ADDRESSES: "holds nothing but Bluetooth addresses, which are never imported, so"
    " nothing was added",
    LogFault.PLACES: "is a diary of places of NZ COVID Tracer: truyvet does not import places, so"
    " nothing was added",
}
_TABLES = (
    ("trace_info", {"userid"}, LogFault.FIXED),
    ("record_table", {"msg", "org", "timestamp"}, LogFault.SEALED),
    ("connect_info", {"mac_id"}, LogFault.ADDRESSES),
)
_DIARY = re.compile(rb'"startDate"\s*:\s*[0-9]')
_DIARY_TYPE = re.compile(rb'"type"\s*:\s*"(scan|manual|nfc|link)"')


def unusable_database(path: Path, connection: sqlite3.Connection) -> InvalidLog | None:
    """Return why a database of an earlier app cannot be used; None if it is not a known one."""
    for table, columns, fault in _TABLES:
        if columns_of(connection, table) >= columns:
            return _refused(path, fault)
    return None


def foreign_file(path: Path, beginning: bytes) -> InvalidLog | None:
    """Return why a file of an earlier app cannot be used; None if it is not a known one.

    Parameters
    ----------
    path
        The file.
    beginning
        Its first bytes.
    """
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"[") and _DIARY.search(text) and _DIARY_TYPE.search(text):
        return _refused(path, LogFault.PLACES)
    return None


def _refused(path: Path, fault: LogFault) -> InvalidLog:
    return InvalidLog(f"{path} {_REASONS[fault]}", fault, path=path)
