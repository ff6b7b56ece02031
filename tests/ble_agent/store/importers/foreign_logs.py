"""Writes logs of other apps, in the schemas and messages of those apps."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.ble_agent.store.importers.leveldb_writer import lump, varint, write_leveldb

MICROG_SCHEMA = """
CREATE TABLE IF NOT EXISTS advertisements(rpi BLOB NOT NULL, aem BLOB NOT NULL,
    timestamp INTEGER NOT NULL, rssi INTEGER NOT NULL, duration INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY(rpi, timestamp));
CREATE INDEX IF NOT EXISTS index_advertisements_rpi ON advertisements(rpi);
CREATE INDEX IF NOT EXISTS index_advertisements_timestamp ON advertisements(timestamp);
CREATE TABLE IF NOT EXISTS app_log(package TEXT NOT NULL, timestamp INTEGER NOT NULL,
    method TEXT NOT NULL, args TEXT);
CREATE TABLE IF NOT EXISTS tek(keyData BLOB NOT NULL, rollingStartNumber INTEGER NOT NULL,
    rollingPeriod INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS app(package TEXT NOT NULL, sig TEXT NOT NULL,
    PRIMARY KEY (package, sig));
PRAGMA user_version = 12;
"""
# What the app's own export has: the table alone, without its constraints.
MICROG_EXPORT_SCHEMA = "CREATE TABLE advertisements(rpi,aem,timestamp INT,rssi INT,duration INT);"
RAMBLE_SCHEMA = """
CREATE TABLE devices(id INTEGER PRIMARY KEY AUTOINCREMENT, address TEXT, name TEXT,
    address_type TEXT, type TEXT, service_uuids TEXT, service_data TEXT, manufacturer_data TEXT,
    first_seen INTEGER, last_seen INTEGER);
CREATE TABLE locations(id INTEGER PRIMARY KEY AUTOINCREMENT, device_id INTEGER,
    timestamp INTEGER, rssi INTEGER, latitude REAL, longitude REAL, accuracy REAL);
"""
ADDRESS = "5E:F1:00:BA:D1:DE"
LATITUDE = 21.028511

MicroGRow = tuple[Any, Any, Any, Any, Any]
"""rpi, aem, timestamp in ms, rssi, duration in ms."""


def write_microg(path: Path, rows: Iterable[MicroGRow], *, schema: str = MICROG_SCHEMA) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(schema)
    if "tek" in schema:
        connection.execute("INSERT INTO tek VALUES (?, 2900000, 144)", [b"own secret key !"])
    connection.executemany("INSERT INTO advertisements VALUES (?, ?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    return path


def ramble_data(rpi: bytes, aem: bytes) -> str:
    return f"fd6f:{(rpi + aem).hex()}"


def write_ramble(
    path: Path, devices: Sequence[tuple[Any, Any, Any, Sequence[tuple[Any, Any]]]]
) -> Path:
    """Each device: service data, first and last seen, and (timestamp, rssi) of its packets."""
    connection = sqlite3.connect(path)
    connection.executescript(RAMBLE_SCHEMA)
    for data, first, last, packets in devices:
        cursor = connection.execute(
            "INSERT INTO devices (address, name, type, service_uuids, service_data, first_seen,"
            " last_seen) VALUES (?, 'phone', 'LE', 'fd6f', ?, ?, ?)",
            [ADDRESS, data, first, last],
        )
        connection.executemany(
            "INSERT INTO locations (device_id, timestamp, rssi, latitude, longitude)"
            f" VALUES ({cursor.lastrowid}, ?, ?, {LATITUDE}, 105.8)",
            packets,
        )
    connection.execute(  # a row of classic Bluetooth
        "INSERT INTO devices (address, name, type, first_seen, last_seen)"
        " VALUES (?, 'headset', 'Classic', 1, 2)",
        [ADDRESS],
    )
    connection.commit()
    connection.close()
    return path


def number_field(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value & (1 << 64) - 1)


def bytes_field(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 2) + lump(value)


def scan_record(
    seen_at: int,
    rssi_dbm: Sequence[int],
    *,
    previous: int = 0,
    aems: Sequence[bytes] = (),
) -> bytes:
    """A record as newer versions of Play Services write it."""
    packed = bytes(rssi & 0xFF for rssi in rssi_dbm)
    out = number_field(1, seen_at) + bytes_field(2, packed)
    out += b"".join(bytes_field(6, aem) for aem in aems)
    return bytes_field(1, out + (number_field(5, previous) if previous else b""))


def packet_record(seen_at: int, rssi: int, aem: bytes, *, previous: int = 0) -> bytes:
    """A record of one packet, as older versions write it."""
    out = number_field(1, seen_at) + number_field(3, rssi) + bytes_field(4, aem)
    return bytes_field(1, out + number_field(5, previous))


def contact_value(aem: bytes, *records: bytes) -> bytes:
    return b"".join(records) + bytes_field(2, aem)


def contact_key(seen_at: int, rpi: bytes) -> bytes:
    return (seen_at // 86_400).to_bytes(2, "big") + rpi


def write_play_services(
    folder: Path, entries: Sequence[tuple[bytes, bytes]], *, compression: int = 1
) -> Path:
    """Some of the entries stand in tables, the others in the log."""
    third = len(entries) // 3
    parts = [entries[:third], entries[third : 2 * third], entries[2 * third :]]
    return write_leveldb(folder, [list(part) for part in parts], compression=compression)
