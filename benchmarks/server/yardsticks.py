"""What the databases do without a server: the same thirteen rows and a commit, again and again."""

from __future__ import annotations

import re
import secrets
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks.server.processes import PostgreSQL

__all__ = ["KEYS", "Pgbench", "bare_loop", "prepare_pgbench"]

KEYS = 13
"""Keys of one upload."""

_COLUMNS = (
    "key_data, region, rolling_start_interval_number, rolling_period, transmission_risk_level,"
    " report_type, days_since_onset, created_at, is_padding"
)
_SCRIPT = (
    f"INSERT INTO yardstick ({_COLUMNS}) SELECT uuid_send(gen_random_uuid()), 'VN', 2990000, 144,"
    f" 2, 1, 0, 1796000000, false FROM generate_series(1, {KEYS});"
)


def prepare_pgbench(database: PostgreSQL) -> None:
    """Make a table with the columns, indexes and rules of the server's own."""
    database.run("psql", "-c", "CREATE TABLE yardstick (LIKE diagnosis_key INCLUDING ALL)")


class Pgbench:
    """A run of ``pgbench``, as its output says."""

    def __init__(self, database: PostgreSQL, clients: int, seconds: float) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
            script.write(_SCRIPT)
            script.flush()
            options = ["-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-f", script.name]
            said = database.run("pgbench", *options, "-T", str(max(1, round(seconds))))
        found = re.search(r"tps = ([\d.]+)", said)
        assert found is not None, said
        self.per_second = float(found[1])


def bare_loop(of: Path, to: Path, seconds: float) -> float:
    """Return the commits per second of one process on SQLite, with the server's own settings.

    Parameters
    ----------
    of
        A server's database; the new one gets its table.
    to
        The file of the new database.
    seconds
        How long to go on.
    """
    with closing(sqlite3.connect(of)) as original:
        made = original.execute(
            "SELECT sql FROM sqlite_master WHERE tbl_name = 'diagnosis_key' AND sql NOT NULL"
        ).fetchall()
    with closing(sqlite3.connect(to, isolation_level=None)) as db:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            db.execute(f"PRAGMA {pragma}")
        if not db.execute("SELECT 1 FROM sqlite_master").fetchone():
            for (sql,) in made:
                db.execute(sql)
        insert = (
            f"INSERT INTO diagnosis_key ({_COLUMNS})"
            " VALUES (?, 'VN', 2990000, 144, 2, 1, 0, 1796000000, 0)"
        )
        commits, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            db.execute("BEGIN IMMEDIATE")
            db.executemany(insert, [(secrets.token_bytes(16),) for _ in range(KEYS)])
            db.execute("COMMIT")
            commits += 1
        return commits / (time.perf_counter() - began)
