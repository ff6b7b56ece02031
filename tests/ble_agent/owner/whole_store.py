"""Stores with a row in every table and a value under every name, and their comparison."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ble_agent.air.key_ring import KeyRing
from ble_agent.app.all_data import export_page
from ble_agent.config import AgentConfig
from ble_agent.owner.all_rows import tables_of
from ble_agent.owner.carrying import CARRIED, Carried
from ble_agent.store import state
from ble_agent.store.database import open_store
from tests.ble_agent.fake_server import FakeServer
from tracing_core.clock import ManualClock
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.store.database import Database
from tracing_core.store.sighting import Sighting, insert_sightings
from tracing_core.store.sqlite import transaction

Contents = dict[str, list[tuple[Any, ...]]]

DAY = 86_400
NOW = 20_788 * DAY + 50_000
TODAY = "2026-12-01"

# One row of each table that has no part of the program's own to make it here.
SAMPLES: Mapping[str, Sequence[Any]] = {
    "batch": ("VN/1-2-00001.zip", NOW // DAY - 1),
    "diary": (NOW // DAY - 20, 33, 4, 2),
    "heard_day": (NOW // DAY * DAY - DAY, NOW // DAY * DAY, 2),
    "import": (7, "bluezone", bytes(32), NOW - DAY, '{"kept": 1}'),
    "kept_row": (3, "sighting", NOW - DAY, b'{"seen_at": -1}'),
    "matched_key": (bytes(range(16)), NOW // DAY * 144, 144, 1, -2, 3, 0, 0),
    "other_sighting": ("bluezone", b"identifier12", -70, None, NOW - 2 * DAY, None, 7),
    "request": (4, NOW - 60, "example.org:444", "keys", 16_901, 1, 200),
    "signed_header": ("VN/1-2-00001.zip", "VN", 1, 2, 1, 1, "a" * 64, "b" * 64),
    "unusable_file": ("VN/3-4-00001.zip", "damaged", '"t"', 9, None, "0.3", 1, NOW - DAY),
}

# Values that nothing here writes; the others come with joining, sending and checking.
VALUES: Mapping[str, Any] = {
    "check_fault": {"en": "late", "vi": "muộn"},
    "damage": {"at": NOW - DAY, "sightings": 3, "keys": 1, "joined": True},
    "exposed": {"date": TODAY},
    "held_back": {TODAY: {"level": "high", "local_date": TODAY}},
    "index": {"sequence": 5},
    "key_files": {"since": NOW - DAY, "newest_end": NOW, "window_seconds": 3600},
    "last_check": {"at": NOW - 60, "level": "high", "days": 1},
    "last_day": {"last_day": "2027-12-01"},
    "ledger": [{"date": TODAY, "kind": "check", "place": "", "times": 2, "items": 0}],
    "notified": {TODAY: "high"},
    "notify_fault": {"at": NOW, "days": {TODAY: "high"}},
    "report": {"reported_at": NOW - DAY, "revision_token": "token-of-the-report"},
    "seen": {TODAY: {"level": "high", "minutes": 12}},
    "additions": 3,
    "area": {
        **{"code": "00004", "name": "Phường Ba Đình", "parent": "Hà Nội", "level": 2},
        **{"vi": "Trung bình", "en": "Medium", "is_gone": False},
    },
    "bluezone_fault": {"en": "cut", "vi": "bị cắt"},
    "bluezone_list": {
        **{"sequence": 1, "sha256": "0" * 64, "additions": 3, "left_out": 0},
        **{"unreadable": 0, "row": 0, "days": {TODAY: {"minutes": 9, "local_dates": [TODAY]}}},
    },
    # These are of this device or database alone.
    "areas": {
        **{"tag": "0" * 64, "sequence": 1, "issued_at": NOW, "count": 1},
        **{"confirmed_at": NOW, "fault": None},
    },
    "areas_document": "a.b.c",
    "compacted_at": NOW,
    "future_since": NOW,
    "over": {"seconds": 3.5, "leapt": False},
    "radio": {"name": "bluez", "fault": None},
    "scan": {"at": NOW - 60},
    "to_compact": True,
}


def sightings(count: int, first: int = 0) -> list[Sighting]:
    return [
        Sighting(at.to_bytes(16, "big"), b"aem!", (-60, 20), NOW - at, NOW - at - 240, at % 2 == 1)
        for at in range(first, first + count)
    ]


def fill(db: Database, *, keys: Sequence[int] = (3, 1, 0)) -> None:
    """Put something into every table and under every name, beside the membership."""
    for days in keys:
        KeyRing(db).next_advertisement(NOW - days * DAY, Metadata(0, 1))
    with transaction(db):
        insert_sightings(db, sightings(5))
        for table in sorted(SAMPLES, key=lambda name: name != "import"):
            row = SAMPLES[table]
            marks = ", ".join("?" * len(row))
            db.conn.execute(f'INSERT INTO "{table}" VALUES ({marks})', row)
        db.conn.execute("UPDATE sighting SET import = 7 WHERE id = 2")
        for name, value in VALUES.items():
            db.conn.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", [name, json.dumps(value)])


def exported(home: Path, file: Path, *, with_keys: bool = True) -> Path:
    config = AgentConfig(home, "en")
    export_page(config, ManualClock(NOW), file, overwrite=True, with_keys=with_keys)
    return file


def contents(db: Database) -> Contents:
    """Return what must be equal of two stores, table by table."""
    ring = KeyRing(db)
    found: Contents = {}
    for table in tables_of(db):
        names = [
            name for name in db.table(table).columns_dict if (table, name) != ("sighting", "id")
        ]
        rows = db.conn.execute(f'SELECT {", ".join(names)} FROM "{table}"').fetchall()
        if table == "own_key":
            rows = [(ring.key_of(row[0]),) for row in rows]
        if table == "state":
            rows = [(name, json.loads(text)) for name, text in rows if _counts(name)]
        found[table] = sorted(rows, key=repr)
    return found


def _counts(name: str) -> bool:
    return CARRIED.get(name, Carried.NEVER) is not Carried.NEVER


def new_home(folder: Path) -> Path:
    folder.mkdir()
    with open_store(folder):
        pass
    return folder


def joined(db: Database, server: FakeServer) -> None:
    """Join a server without asking it."""
    with transaction(db):
        state.MEMBERSHIP.set(
            db,
            {"line": server.line, "documents": list(server.documents), "config": server.config},
        )
