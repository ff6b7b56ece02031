"""Tables of the agent's database beside the encounter log, as migrations."""

from __future__ import annotations

from tracing_core.store.database import Database
from tracing_core.store.migrations import Migrations

__all__ = ["AGENT_TABLES"]

AGENT_TABLES = Migrations("agent")
"""The agent's own tables, for `tracing_core.store.sqlite.open_database`."""


@AGENT_TABLES()
def m001_own_key(db: Database) -> None:
    """Create the key ring: one key per UTC day, and the last of its intervals that was sent."""
    # key_data has no length check, because later versions store keys encrypted.
    db.execute(
        "CREATE TABLE own_key ("
        " rolling_start INTEGER PRIMARY KEY,"
        " rolling_period INTEGER NOT NULL,"
        " key_data BLOB NOT NULL,"
        " last_interval INTEGER NOT NULL"
        ") STRICT"
    )


@AGENT_TABLES()
def m002_state(db: Database) -> None:
    """Create the table of named values, as JSON (`ble_agent.store.state`)."""
    db.execute("CREATE TABLE state (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT")


@AGENT_TABLES()
def m003_matching(db: Database) -> None:
    """Create the tables of key files already used, and of the published keys that matched."""
    db.execute("CREATE TABLE batch (name TEXT PRIMARY KEY, done_on INTEGER NOT NULL) STRICT")
    db.execute(
        "CREATE TABLE matched_key ("
        " key_data BLOB PRIMARY KEY CHECK (length(key_data) = 16),"
        " rolling_start INTEGER NOT NULL,"
        " rolling_period INTEGER NOT NULL,"
        " report_type INTEGER NOT NULL,"
        " days_since_onset INTEGER,"
        " transmission_risk INTEGER NOT NULL,"
        " variant_of_concern INTEGER NOT NULL,"
        " revised INTEGER NOT NULL DEFAULT 0"
        ") STRICT"
    )
