from __future__ import annotations

import random
from pathlib import Path

from ble_agent.store.database import forget, note_deletion, open_store
from ble_agent.store.state import COMPACTED_AT
from tracing_core.store.sighting import Sighting, insert_sightings
from tracing_core.store.sqlite import transaction

START = 1_790_000_000
DAY = 86_400


def raw_bytes(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.iterdir())


def test_old_rows_amid_younger_ones_leave_no_copy_in_the_files(tmp_path: Path) -> None:
    # Imported logs mix old and new. Where rows of a page go one by one, SQLite moves the others
    # between pages, and what it moved stays in the unused part of the page, `secure_delete` or not.
    chance = random.Random(5)
    heard: dict[bytes, int] = {}
    now = START
    with open_store(tmp_path) as db:
        for _ in range(20):
            batch = []
            for _ in range(150):
                rpi, seen_at = chance.randbytes(16), now - chance.randrange(14 * DAY)
                heard[rpi] = seen_at
                samples = (-60,) * chance.choice([1, 3, 20, 60, 900])
                batch.append(Sighting(rpi, bytes(4), samples, seen_at))
            with transaction(db):
                insert_sightings(db, batch)
            now += chance.randrange(DAY)
            forget(db, now)
        now += DAY
        forget(db, now)
        raw = raw_bytes(tmp_path)
    old = [rpi for rpi, seen_at in heard.items() if seen_at < now - 14 * DAY]
    assert len(old) > 1000
    assert not [rpi for rpi in old if rpi in raw]
    assert all(rpi in raw for rpi, seen_at in heard.items() if seen_at >= now - 14 * DAY)


def test_the_file_is_rewritten_once_a_day_and_not_more(tmp_path: Path) -> None:
    with open_store(tmp_path) as db:
        forget(db, START)
        assert COMPACTED_AT.get(db) is None, "nothing was deleted"
        times = (
            (0, START),
            (DAY - 1, START),
            (DAY, START + DAY),
            (2 * DAY - 1, START + DAY),
            # A clock that was ahead does not put it off for long.
            (-400 * DAY, START - 400 * DAY),
        )
        for later, expected in times:
            with transaction(db):
                note_deletion(db)
            forget(db, START + later)
            assert COMPACTED_AT.get(db) == expected


def test_a_reader_puts_rewriting_off_and_stops_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path) as db, open_store(tmp_path) as reader:
        forget(db, START)
        db.conn.execute("PRAGMA busy_timeout=10")
        reader.conn.execute("BEGIN")
        reader.conn.execute("SELECT count(*) FROM sighting").fetchone()
        with transaction(db):
            insert_sightings(db, [Sighting(bytes(16), bytes(4), (-60,), START)])
        assert forget(db, START + 15 * DAY) == 1
        reader.conn.execute("ROLLBACK")
        forget(db, START + 15 * DAY)
        assert COMPACTED_AT.get(db) == START + 15 * DAY
