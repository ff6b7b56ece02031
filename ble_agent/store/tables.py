"""Tables of the agent's database other than the encounter log, as migrations."""

from __future__ import annotations

from collections.abc import Mapping

from tracing_core.store.database import Database
from tracing_core.store.migrations import Migrations, rebuild_tables

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


@AGENT_TABLES()
def m004_signed_header(db: Database) -> None:
    """Note what the signed header of a used key file says, and the files that cannot be used."""
    # Apart from `batch`, so that older versions can still write to that.
    db.execute(
        "CREATE TABLE signed_header ("
        " name TEXT PRIMARY KEY,"
        " region TEXT NOT NULL,"
        " start_timestamp INTEGER NOT NULL,"
        " end_timestamp INTEGER NOT NULL,"
        " batch_num INTEGER NOT NULL,"
        " batch_size INTEGER NOT NULL,"
        " content_sha256 TEXT NOT NULL,"
        " file_sha256 TEXT NOT NULL"
        ") STRICT"
    )
    db.execute(
        "CREATE TABLE unusable_file ("
        " name TEXT PRIMARY KEY,"
        " fault TEXT NOT NULL,"
        " tag TEXT NOT NULL,"
        " size INTEGER,"
        " listed_sha256 TEXT,"
        " version TEXT NOT NULL,"
        " tries INTEGER NOT NULL,"
        " tried_at INTEGER NOT NULL"
        ") STRICT"
    )


@AGENT_TABLES()
def m005_heard_day(db: Database) -> None:
    """Create the table of counts per day, and what removes a count that may have become wrong."""
    db.execute(
        "CREATE TABLE heard_day ("
        " starts_at INTEGER NOT NULL,"
        " ends_at INTEGER NOT NULL,"
        " identifiers INTEGER NOT NULL,"
        " PRIMARY KEY (starts_at, ends_at)"
        ") STRICT"
    )
    # Triggers also see what other programs and older versions write.
    for event, rows in (("INSERT", ["NEW"]), ("DELETE", ["OLD"]), ("UPDATE", ["OLD", "NEW"])):
        of_row = " OR ".join(f"{row}.seen_at BETWEEN starts_at AND ends_at - 1" for row in rows)
        db.execute(
            f"CREATE TRIGGER heard_day_{event.lower()} AFTER {event} ON sighting"  # noqa: S608
            f" BEGIN DELETE FROM heard_day WHERE {of_row}; END"
        )


@AGENT_TABLES()
def m006_other_sighting(db: Database) -> None:
    """Create the table of sightings of other protocols, and that of the imports they come from."""
    db.execute(
        "CREATE TABLE import (id INTEGER PRIMARY KEY, format TEXT NOT NULL,"
        " digest BLOB NOT NULL CHECK (length(digest) = 32), imported_at INTEGER NOT NULL,"
        " counts TEXT NOT NULL) STRICT"
    )
    # No length is that of an unknown protocol.
    db.execute(
        "CREATE TABLE other_sighting (protocol TEXT NOT NULL, identifier BLOB NOT NULL CHECK"
        " (length(identifier) IS CASE protocol WHEN 'bluezone' THEN 12 WHEN 'dp3t' THEN 16 END),"
        " rssi_dbm INTEGER CHECK (rssi_dbm BETWEEN -127 AND -1),"
        " tx_power INTEGER CHECK (tx_power BETWEEN -127 AND 126),"
        " seen_at INTEGER NOT NULL, previous_scan_at INTEGER,"
        " import INTEGER REFERENCES import ON DELETE SET NULL,"
        " PRIMARY KEY (seen_at, identifier)) STRICT"
    )


@AGENT_TABLES()
def m007_source(db: Database) -> None:
    """Let a sighting name the import that it comes from; those of older imports name none."""
    db.execute(
        "ALTER TABLE sighting ADD COLUMN import INTEGER REFERENCES import ON DELETE SET NULL"
    )


@AGENT_TABLES()
def m008_request(db: Database) -> None:
    """Create the ledger's table of the requests that left this device, one row each."""
    db.execute(
        "CREATE TABLE request (id INTEGER PRIMARY KEY,"
        " at INTEGER NOT NULL CHECK (at BETWEEN 0 AND 99999999999),"
        " host TEXT NOT NULL CHECK (length(host) <= 261 AND host NOT GLOB '*[ ,]*'),"
        " what TEXT NOT NULL CHECK (what IN ('trust', 'config', 'areas', 'index', 'signed_index',"
        " 'bluezone', 'key_file', 'mark', 'code', 'certificate', 'keys', 'other')),"
        " bytes INTEGER NOT NULL CHECK (bytes BETWEEN 0 AND 4194304),"
        " cover INTEGER NOT NULL CHECK (cover IN (0, 1)),"
        " answer INTEGER CHECK (answer BETWEEN 0 AND 999)) STRICT"
    )


@AGENT_TABLES()
def m009_diary(db: Database) -> None:
    """Create the health diary: one row per day, which can hold answers and nothing else."""
    db.execute(
        "CREATE TABLE diary (day INTEGER PRIMARY KEY CHECK (day BETWEEN 0 AND 99999),"
        " signs INTEGER NOT NULL CHECK (signs BETWEEN 0 AND 63),"
        " met INTEGER NOT NULL CHECK (met BETWEEN 0 AND 7),"
        " test INTEGER NOT NULL CHECK (test BETWEEN 0 AND 2)) STRICT"
    )


# What an index allows in the name of a key file.
_FILE = "length({0}) BETWEEN 1 AND 1024 AND {0} NOT GLOB '*[^A-Za-z0-9_~+=,@/.-]*'"
_SHA256 = "length({0}) = 64 AND {0} NOT GLOB '*[^0-9A-Fa-f]*'"
# A document, as far as core functions see it: a reader that does not trust the schema of a file
# refuses those that are not, such as json_valid.
_JSON = (
    "({0} GLOB '{{*}}' OR {0} GLOB '[[]*]' OR {0} GLOB '\"*\"' OR {0} IN ('true', 'false', 'null')"
    " OR {0} NOT GLOB '*[^0-9eE.+-]*' AND {0} <> '')"
)
_MOMENT = "BETWEEN 0 AND 2576980377599"
_INTERVAL = "BETWEEN 0 AND 4294967295"
_RANGES: Mapping[str, str] = {
    "own_key": "CREATE TABLE own_key ("
    f" rolling_start INTEGER PRIMARY KEY CHECK (rolling_start {_INTERVAL}),"
    " rolling_period INTEGER NOT NULL CHECK (rolling_period BETWEEN 1 AND 144),"
    # Older versions stored keys as they are.
    " key_data BLOB NOT NULL CHECK (length(key_data) IN (16, 44)),"
    f" last_interval INTEGER NOT NULL CHECK (last_interval {_INTERVAL})"
    ") STRICT",
    "state": "CREATE TABLE state ("
    " name TEXT PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 1100"
    " AND replace(name, 'answer ', '') NOT GLOB '*[^A-Za-z0-9_~+=,@/.?&:%-]*'),"
    f" value TEXT NOT NULL CHECK (length(value) <= 16777216 AND {_JSON.format('value')})"
    ") STRICT",
    "batch": "CREATE TABLE batch ("
    f" name TEXT PRIMARY KEY CHECK ({_FILE.format('name')}),"
    " done_on INTEGER NOT NULL CHECK (done_on BETWEEN 0 AND 29826161)"
    ") STRICT",
    "matched_key": "CREATE TABLE matched_key ("
    " key_data BLOB PRIMARY KEY CHECK (length(key_data) = 16),"
    f" rolling_start INTEGER NOT NULL CHECK (rolling_start {_INTERVAL}),"
    " rolling_period INTEGER NOT NULL CHECK (rolling_period BETWEEN 1 AND 144),"
    " report_type INTEGER NOT NULL CHECK (report_type BETWEEN 0 AND 5),"
    " days_since_onset INTEGER CHECK (days_since_onset BETWEEN -2147483648 AND 2147483647),"
    " transmission_risk INTEGER NOT NULL CHECK (transmission_risk BETWEEN 0 AND 8),"
    " variant_of_concern INTEGER NOT NULL CHECK (variant_of_concern BETWEEN 0 AND 4),"
    " revised INTEGER NOT NULL DEFAULT 0 CHECK (revised IN (0, 1))"
    ") STRICT",
    "signed_header": "CREATE TABLE signed_header ("
    f" name TEXT PRIMARY KEY CHECK ({_FILE.format('name')}),"
    " region TEXT NOT NULL CHECK (length(region) <= 32 AND region NOT GLOB '*[^A-Za-z0-9_.-]*'),"
    f" start_timestamp INTEGER NOT NULL CHECK (start_timestamp {_MOMENT}),"
    f" end_timestamp INTEGER NOT NULL CHECK (end_timestamp {_MOMENT}),"
    " batch_num INTEGER NOT NULL CHECK (batch_num BETWEEN 0 AND 2147483647),"
    " batch_size INTEGER NOT NULL CHECK (batch_size BETWEEN 0 AND 2147483647),"
    f" content_sha256 TEXT NOT NULL CHECK ({_SHA256.format('content_sha256')}),"
    f" file_sha256 TEXT NOT NULL CHECK ({_SHA256.format('file_sha256')})"
    ") STRICT",
    "unusable_file": "CREATE TABLE unusable_file ("
    f" name TEXT PRIMARY KEY CHECK ({_FILE.format('name')}),"
    " fault TEXT NOT NULL CHECK (length(fault) BETWEEN 1 AND 40 AND fault NOT GLOB '*[^a-z_]*'),"
    " tag TEXT NOT NULL CHECK (length(tag) <= 256 AND tag NOT GLOB '*[^ -~]*'),"
    " size INTEGER CHECK (size BETWEEN 0 AND 9007199254740991),"
    f" listed_sha256 TEXT CHECK ({_SHA256.format('listed_sha256')}),"
    " version TEXT NOT NULL CHECK"
    " (length(version) BETWEEN 1 AND 64 AND version NOT GLOB '*[^0-9A-Za-z.+!_-]*'),"
    " tries INTEGER NOT NULL CHECK (tries BETWEEN 1 AND 1000000000),"
    f" tried_at INTEGER NOT NULL CHECK (tried_at {_MOMENT})"
    ") STRICT",
    # A local calendar may have days that begin before 1970.
    "heard_day": "CREATE TABLE heard_day ("
    " starts_at INTEGER NOT NULL CHECK (starts_at BETWEEN -10000000 AND 2576980377599),"
    " ends_at INTEGER NOT NULL CHECK (ends_at BETWEEN -10000000 AND 2576990377599),"
    " identifiers INTEGER NOT NULL CHECK (identifiers BETWEEN 0 AND 4294967295),"
    " PRIMARY KEY (starts_at, ends_at)"
    ") STRICT",
    "import": "CREATE TABLE import ("
    " id INTEGER PRIMARY KEY,"
    " format TEXT NOT NULL CHECK"
    " (length(format) BETWEEN 1 AND 32 AND format NOT GLOB '*[^a-z0-9_-]*'),"
    " digest BLOB NOT NULL CHECK (length(digest) = 32),"
    f" imported_at INTEGER NOT NULL CHECK (imported_at {_MOMENT}),"
    f" counts TEXT NOT NULL CHECK (length(counts) <= 65536 AND {_JSON.format('counts')})"
    ") STRICT",
    "other_sighting": "CREATE TABLE other_sighting ("
    " protocol TEXT NOT NULL CHECK (protocol IN ('bluezone', 'dp3t')),"
    " identifier BLOB NOT NULL CHECK"
    " (length(identifier) IS CASE protocol WHEN 'bluezone' THEN 12 WHEN 'dp3t' THEN 16 END),"
    " rssi_dbm INTEGER CHECK (rssi_dbm BETWEEN -127 AND -1),"
    " tx_power INTEGER CHECK (tx_power BETWEEN -127 AND 126),"
    f" seen_at INTEGER NOT NULL CHECK (seen_at {_MOMENT}),"
    f" previous_scan_at INTEGER CHECK (previous_scan_at {_MOMENT}),"
    " import INTEGER REFERENCES import ON DELETE SET NULL,"
    " PRIMARY KEY (seen_at, identifier)"
    ") STRICT",
}


@AGENT_TABLES()
def m010_ranges(db: Database) -> None:
    """Let every table take nothing but what its purpose says (`ble_agent.owner.purposes`)."""
    # An import that is kept aside is forgotten, and what came from it stays.
    known = {"import": "CASE WHEN import IN (SELECT id FROM import) THEN import END"}
    ranges = dict(_RANGES)
    # Its counts are made again when they are missing. To rename it would change the triggers.
    db.execute("DROP TABLE heard_day")
    db.execute(ranges.pop("heard_day"))
    rebuild_tables(db, ranges, known)
    db.execute("UPDATE sighting SET import = NULL WHERE import NOT IN (SELECT id FROM import)")
    # The old rows' pages leave the file when it is next compacted.
    if db.execute("SELECT 1 FROM sighting UNION ALL SELECT 1 FROM state LIMIT 1").fetchone():
        db.execute("INSERT OR REPLACE INTO state (name, value) VALUES ('to_compact', 'true')")
