"""Files of earlier apps that are known and cannot be used, each with the reason."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ble_agent.messages.catalogue import say
from ble_agent.store.importers.diary import is_diary, read_diary
from ble_agent.store.importers.sqlite_source import columns_of
from tracing_core.errors import InvalidLog, LogFault
from tracing_core.store.left_out import LeftOut

__all__ = ["foreign_file", "unusable_database"]

_REASONS = {
    LogFault.FIXED: "is a log of Bluezone 1, whose identifiers never changed: no key can match"
    " them, so nothing was added",
    LogFault.SEALED: "is a log of OpenTrace (TraceTogether, COVIDSafe): only its authority can"
    " read the identifiers in it, so nothing was added",
    LogFault.ADDRESSES: "holds nothing but Bluetooth addresses, which are never imported, so"
    " nothing was added",
}
_TABLES = (
    ("trace_info", {"userid"}, LogFault.FIXED),
    ("record_table", {"msg", "org", "timestamp"}, LogFault.SEALED),
    ("connect_info", {"mac_id"}, LogFault.ADDRESSES),
)


def unusable_database(path: Path, connection: sqlite3.Connection) -> InvalidLog | None:
    """Return why a database of an earlier app cannot be used; None if it is not a known one."""
    for table, columns, fault in _TABLES:
        if columns_of(connection, table) >= columns:
            return _refused(path, fault)
    return None


def foreign_file(path: Path, beginning: bytes) -> InvalidLog | None:
    """Return why a file of an earlier app cannot be used; None if it is not a known one.

    A diary is read to its end for the counts that the text gives.

    Parameters
    ----------
    path
        The file.
    beginning
        Its first bytes.

    Raises
    ------
    StoreError
        When the rest of the file cannot be read.
    """
    if not is_diary(beginning):
        return None
    left_out = LeftOut()
    try:
        count = sum(1 for _ in read_diary(path, left_out))
    except InvalidLog as error:
        return error
    values = {"path": path, "count": count, "wrong": left_out.unreadable}
    english, vietnamese = (
        f"{say('diary_place', language, **values)}: {say('error_log_places', language)}"
        for language in ("en", "vi")
    )
    refused = InvalidLog(english, LogFault.PLACES, path=path)
    refused.vi = vietnamese
    return refused


def _refused(path: Path, fault: LogFault) -> InvalidLog:
    return InvalidLog(f"{path} {_REASONS[fault]}", fault, path=path)
