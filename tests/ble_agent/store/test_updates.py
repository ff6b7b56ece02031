"""Homes of older versions get narrower tables: whole, at once, and without losing a row."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ble_agent.store import tables
from ble_agent.store.database import DATABASE_NAME, forget, open_store
from ble_agent.store.state import TO_COMPACT
from tests.ble_agent.agents import AgentProcess, clock_at
from tracing_core.errors import StoreFull
from tracing_core.store.database import Database
from tracing_core.store.sighting import SIGHTING_TABLE

DAY = 86_400
NOW = 20_800 * DAY + 50_000
ROWS = 4_000
KILLS = int(os.environ.get("TRUYVET_UPDATE_KILLS", "8"))
SIGHTING = "INSERT INTO sighting (rpi, aem, rssi_dbm, seen_at) VALUES (?, ?, x'c4', ?)"


def old_home(home: Path, *, spoil: Callable[[sqlite3.Connection], object] | None = None) -> Path:
    """Make a home as the version before left it, with rows in the tables that refer to others."""
    home.mkdir(mode=0o700)
    with closing(sqlite3.connect(home / DATABASE_NAME, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA secure_delete = ON")
        SIGHTING_TABLE.apply(Database(connection), stop_before="m002_ranges")
        tables.AGENT_TABLES.apply(Database(connection), stop_before="m010_ranges")
        connection.execute("BEGIN")
        connection.executemany(
            SIGHTING, ((number.to_bytes(16), bytes(4), NOW - number) for number in range(ROWS))
        )
        connection.execute("INSERT INTO import VALUES (7, 'bluezone', zeroblob(32), 9, '{}')")
        connection.executemany(
            "INSERT INTO other_sighting VALUES ('bluezone', ?, -60, NULL, ?, NULL, 7)",
            ((number.to_bytes(12), NOW - number) for number in range(100)),
        )
        connection.execute("INSERT INTO state VALUES ('index', '{\"sequence\": 5}')")
        connection.execute("INSERT INTO own_key VALUES (0, 144, zeroblob(44), 9)")
        connection.execute("INSERT INTO heard_day VALUES (0, 86400, 3)")
        if spoil is not None:
            spoil(connection)
        connection.execute("COMMIT")
    return home


def contents(db: Database) -> dict[str, list[tuple[object, ...]]]:
    names = ("sighting", "own_key", "import", "other_sighting", "matched_key", "batch")
    found = {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in names}
    found["state"] = db.execute("SELECT * FROM state WHERE name != 'to_compact'").fetchall()
    return found


def before(home: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(home / DATABASE_NAME)) as connection:
        return contents(Database(connection))


def test_every_row_is_taken_over_and_what_hangs_on_the_tables_too(tmp_path: Path) -> None:
    home = old_home(tmp_path / "home")
    expected = before(home)
    assert len(expected["sighting"]) == ROWS
    with open_store(home) as db:
        assert contents(db) == expected
        assert db.table("kept_row").count == 0
        assert TO_COMPACT.get(db)
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        db.execute("INSERT INTO heard_day VALUES (?, ?, 3)", [NOW - 10, NOW + 10])
        db.execute(SIGHTING, [bytes(16), bytes(4), NOW])
        # The triggers are there again.
        assert db.table("heard_day").count == 0
        names = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        assert not [name for name in names if "old_" in name]
        assert "sighting_seen_at" in names


def test_rows_out_of_range_are_kept_aside_counted_and_gone_in_time(tmp_path: Path) -> None:
    def spoil(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE sighting SET seen_at = -5 WHERE id IN (3, 4)")
        connection.execute("UPDATE sighting SET clock_suspect = 7 WHERE id = 5")
        connection.execute("UPDATE own_key SET last_interval = -1")
        connection.execute("UPDATE import SET format = 'Anh Tú, số 5'")

    home = old_home(tmp_path / "home", spoil=spoil)
    with open_store(home) as db:
        kept = db.execute("SELECT source, kept_at, content FROM kept_row ORDER BY id").fetchall()
        assert [source for source, *_ in kept] == [*["sighting"] * 3, "own_key", "import"]
        assert {kept_at for _, kept_at, _ in kept} == {0}
        assert json.loads(kept[0][2]) == {
            "id": 3,
            "rpi": {"hex": (2).to_bytes(16).hex()},
            "aem": {"hex": "00000000"},
            "rssi_dbm": {"hex": "c4"},
            "seen_at": -5,
            "previous_scan_at": None,
            "clock_suspect": 0,
            "import": None,
        }
        assert db.table("sighting").count == ROWS - 3
        # What came of the import stays.
        assert db.execute("SELECT count(*), count(import) FROM other_sighting").fetchone() == (
            100,
            0,
        )
    with AgentProcess(home, clock_at(NOW)) as agent:
        assert agent.answer("status")["rows_kept_aside"] == 5
        assert "could not take over 5 rows" in agent.command("status").stdout
        assert "không nhận được 5 dòng" in agent.command("status", lang="vi").stdout
    with open_store(home) as db:
        forget(db, NOW)
        forget(db, NOW + 14 * DAY)
        assert db.table("kept_row").count == 5
        forget(db, NOW + 14 * DAY + 1)
        assert db.table("kept_row").count == 0


def test_a_disk_without_room_is_named_first_and_nothing_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = old_home(tmp_path / "home")
    disk = os.statvfs_result((4096, 4096, 200, 200, 200, 0, 0, 0, 0, 255))
    with monkeypatch.context() as patched:
        patched.setattr("os.statvfs", lambda _: disk)
        says = r"needs \d+ MB on its disk, and 0 MB are free"
        with pytest.raises(StoreFull, match=says), open_store(home):
            pass
    with closing(sqlite3.connect(home / DATABASE_NAME)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert "kept_row" not in names
    with open_store(home) as db:
        assert db.table("sighting").count == ROWS


OPEN = "import sys; from pathlib import Path; from ble_agent.store.database import open_store\n"
UPDATE = f"{OPEN}print(flush=True)\nwith open_store(Path(sys.argv[1])): print('done', flush=True)"


def test_an_update_that_is_killed_at_any_moment_runs_again(tmp_path: Path) -> None:
    whole = old_home(tmp_path / "whole")
    expected = before(whole)
    chance = random.Random(7)
    torn = 0
    for number in range(KILLS):
        home = tmp_path / f"home-{number}"
        shutil.copytree(whole, home)
        with subprocess.Popen(
            [sys.executable, "-c", UPDATE, str(home)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            # The update's own pace decides the moment: so much of the log is written by then.
            log, mark = home / f"{DATABASE_NAME}-wal", chance.randrange(600_000)
            while process.poll() is None:
                with contextlib.suppress(FileNotFoundError):
                    if log.stat().st_size >= mark:
                        process.send_signal(signal.SIGKILL)
                        break
            process.wait(60)
            torn += process.returncode != 0
        with open_store(home) as db:
            assert contents(db) == expected
            assert db.table("kept_row").count == 0
        shutil.rmtree(home)
    assert torn
