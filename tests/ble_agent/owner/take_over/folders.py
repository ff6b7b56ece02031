"""Folders with the data of every earlier app, and with what may lie beside it."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.ble_agent.store.importers.test_bluezone import write as write_bluezone
from tests.ble_agent.store.importers.test_import import (
    NOW,
    SEEN,
    another_agent,
    gzipped,
    json_lines,
    microg,
    play_services,
    ramble,
)

__all__ = ["ADDED", "DIARY", "NOW", "REFUSED", "SEEN", "every_format", "lay_traps", "lines"]

DIARY = [
    {
        "id": "1",
        "startDate": SEEN * 1000,
        "name": "Quán cà phê",
        "address": "1 Tràng Tiền",
        "globalLocationNumber": "9429300000000",
        "details": "met An",
        "type": "scan",
        "isFavourite": False,
    },
    {"id": "2", "startDate": SEEN * 1000, "name": "Chợ", "type": "manual", "isFavourite": True},
]


def bluezone(path: Path) -> Path:
    return write_bluezone(path, [(bytes([n]) * 12, -60, (SEEN + 60 * n) * 1000) for n in range(5)])


def trace(path: Path) -> Path:
    rows = (f"{'AB' * 12}\t{n + 16:02X}{'CD' * 11}\t-60\t{(SEEN + n) * 1000}\n" for n in range(6))
    path.write_text("".join(rows))
    return path


def other_lines(path: Path) -> Path:
    path.write_text(
        json.dumps({"protocol": "dp3t", "identifier": "ab" * 16, "seen_at": SEEN}) + "\n"
    )
    return path


ADDED: Mapping[str, Callable[[Path], Path]] = {
    "microg": microg,
    "play-services": play_services,
    "ramble": ramble,
    "json-lines": json_lines,
    "gzipped": gzipped,
    "truyvet": another_agent,
    "bluezone": bluezone,
    "bluezone-trace": trace,
    "other-lines": other_lines,
}
"""Writers of the logs that can be taken over."""

_TABLES = {
    "fixed": "CREATE TABLE trace_info(_id, timestamp LONG, userid TEXT, macid TEXT, rssi)",
    "sealed": "CREATE TABLE record_table(id, timestamp, v, msg, org, modelP, modelC, rssi)",
    "addresses": "CREATE TABLE connect_info(_id, blid_id, mac_id, time)",
}


def _table(path: Path, fault: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(_TABLES[fault])
    connection.close()


REFUSED: Mapping[str, Callable[[Path], object]] = {
    "fixed": lambda path: _table(path, "fixed"),
    "sealed": lambda path: _table(path, "sealed"),
    "addresses": lambda path: _table(path, "addresses"),
    "places": lambda path: path.write_text(json.dumps(DIARY, ensure_ascii=False)),
    "unknown checks": lambda path: path.write_text('[{"timestamp":1,"matchesCount":0}]'),
    "damaged": lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(200)),
    "line": lambda path: path.write_text('{"rpi": 1}\n{"rpi": 2}\n'),
}
"""Writers of files that are known and cannot be taken over."""


def lines(path: Path, first: int, count: int, *, seen: int = SEEN) -> Path:
    """Write a log of our own with some sightings of different identifiers."""
    text = "".join(
        json.dumps(
            {"rpi": f"{number:032x}", "aem": "00000000", "rssi_dbm": -60, "seen_at": seen + number}
        )
        + "\n"
        for number in range(first, first + count)
    )
    path.write_text(text)
    return path


def every_format(folder: Path) -> None:
    """Write one file of each format; no name says what it is."""
    for number, write in enumerate([*ADDED.values(), *REFUSED.values()]):
        place = folder / f"photo{number}"
        if write is another_agent:
            place.mkdir()
            place = place / "home"
        write(place)


def lay_traps(folder: Path, target: Path) -> None:
    """Lay out what must be neither followed nor opened."""
    (folder / "link").symlink_to(target)
    (folder / "loop").symlink_to(folder)
    (folder / "dangling").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        before = Path.cwd()
        os.chdir(folder)
        try:
            listening.bind("socket")
        finally:
            os.chdir(before)
    for part in (folder / "a", folder / "a" / "b", folder / "a" / "b" / "c"):
        part.mkdir()
        os.mkfifo(part / "pipe")
