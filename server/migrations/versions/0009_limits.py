"""Limits of every column, so that none can hold more than it is for; bad rows are kept aside."""

# SQLite cannot add a constraint to a table, so each table is copied, dropped, and made again. All
# of it is in the transaction of the migrations, so a process that dies leaves the old tables. The
# table that refers to another is dropped before that one, since dropping a table deletes its rows,
# and so those that refer to them.

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_LATEST = 99_999_999_999
_NEVER = 2**62
_HEX = "0-9a-f"
_WORD = "0-9A-Za-z_-"


class _Limit:
    """A condition that holds for what a column may hold, in the words of both databases."""

    def __init__(self, kinds: str, conditions: Mapping[str, str]) -> None:
        self._kinds = kinds
        self._conditions = conditions

    def condition(self, dialect: str, column: str) -> str:
        """Return the condition; it also holds for null, which the column itself refuses."""
        name = f'"{column}"'
        condition = self._conditions[dialect].replace("?", name)
        if dialect == "sqlite":
            # Its columns take values of any type.
            condition = f"typeof({name}) IN ({self._kinds}) AND {condition}"
        return f"({name} IS NULL OR ({condition}))"


def _whole(least: int, most: int, *, kinds: str = "'integer'") -> _Limit:
    condition = f"? BETWEEN {least} AND {most}"
    return _Limit(kinds, {"sqlite": condition, "postgresql": condition})


def _bytes(length: int) -> _Limit:
    condition = f"length(?) = {length}"
    return _Limit("'blob'", {"sqlite": condition, "postgresql": condition})


def _word(characters: str, most: int, least: int = 1) -> _Limit:
    between = f"BETWEEN {least} AND {most}"
    return _Limit(
        "'text'",
        {
            # The length of text ends at a NUL, that of its bytes does not.
            "sqlite": f"length(CAST(? AS BLOB)) {between} AND ? NOT GLOB '*[^{characters}]*'",
            "postgresql": f"length(?) {between} AND ? !~ '[^{characters}]'",
        },
    )


def _choice(*words: str) -> _Limit:
    condition = f"? IN ({', '.join(repr(word) for word in words)})"
    return _Limit("'text'", {"sqlite": condition, "postgresql": condition})


_ID = _whole(1, 2**31 - 1)
_TIME = _whole(0, _LATEST)
_FLAG = _Limit("'integer'", {"sqlite": "? IN (0, 1)", "postgresql": "? IN (FALSE, TRUE)"})
_REGION = _word(_WORD, 16)
_RISK, _REPORT_TYPE, _ONSET = _whole(0, 8), _whole(0, 5), _whole(-14, 14)
_DATE = _word("0-9-", 10, 10)
_VOUCHER = {
    "id": _ID,
    "test_type": _choice("confirmed", "likely", "negative"),
    "symptom_date": _DATE,
    "test_date": _DATE,
    "expires_at": _whole(0, _NEVER),
}

_LIMITS: Mapping[str, Mapping[str, _Limit]] = {
    "alembic_version": {"version_num": _word("0-9a-z_", 32)},
    "area_list": {
        "region": _REGION,
        "fingerprint": _word(_HEX, 64, 64),
        "tag": _word('0-9a-f"', 66, 66),
        "sequence": _whole(1, 2**53 - 1),
        "document": _word("0-9A-Za-z_.-", 524_288),
    },
    "diagnosis_key": {
        "id": _ID,
        "key_data": _bytes(16),
        "region": _REGION,
        "rolling_start_interval_number": _whole(0, 2**32 - 1),
        "rolling_period": _whole(1, 144),
        "transmission_risk_level": _RISK,
        "report_type": _REPORT_TYPE,
        "days_since_onset": _ONSET,
        "created_at": _TIME,
        "revised_at": _TIME,
        "revised_transmission_risk_level": _RISK,
        "revised_report_type": _REPORT_TYPE,
        "revised_days_since_onset": _ONSET,
        "is_padding": _FLAG,
        "waits_until": _TIME,
    },
    "export_batch": {
        "id": _ID,
        "region": _REGION,
        "start_timestamp": _TIME,
        "end_timestamp": _TIME,
    },
    "export_schedule": {
        "region": _REGION,
        "exported_until": _TIME,
        "holder": _word(_WORD, 32),
        "held_until": _TIME,
    },
    "known_time": {
        "id": _whole(1, 1),
        "at": _TIME,
        "running_seconds": _TIME,
        "setting": _whole(0, 2**31 - 1),
        "boot_id": _word(_WORD, 36),
        "uptime": _whole(0, _LATEST, kinds="'real', 'integer'"),
        "doubt_seconds": _TIME,
        "doubted_since": _TIME,
        "witnesses": _word("0-9 ", 50, 0),
    },
    "operator_key": {"id": _ID, "key_hash": _bytes(32), "created_at": _TIME},
    "owner": {
        "id": _whole(1, 1),
        "fingerprint": _word(_HEX, 64, 64),
        "folder": _word(_WORD, 64),
    },
    "verification_code": {
        **_VOUCHER,
        "code_hash": _bytes(32),
        "uuid": _word("0-9a-f-", 36, 36),
        "is_claimed": _FLAG,
    },
    "verification_token": {
        **_VOUCHER,
        "token_hash": _bytes(32),
        "use_hash": _bytes(32),
        "is_used": _FLAG,
    },
    # After the table that it refers to.
    "export_file": {
        "id": _ID,
        "batch_id": _ID,
        "name": _word("0-9A-Za-z_./-", 100),
    },
}
_KEPT_ASIDE: Mapping[str, _Limit] = {
    "id": _ID,
    "of_table": _choice(*sorted(_LIMITS)),
    "kept_at": _TIME,
    "fields": _Limit(
        "'text'",
        {
            "sqlite": "length(?) <= 1048576 AND json_valid(?)",
            "postgresql": "length(?) <= 1048576 AND (?)::json IS NOT NULL",
        },
    ),
}


def upgrade() -> None:
    """Make the table of rows kept aside, move bad rows there, and limit all columns."""
    conn = op.get_bind()
    dialect = conn.dialect.name
    kept = op.create_table(
        "kept_aside",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("of_table", sa.String(32), nullable=False),
        sa.Column("kept_at", sa.BigInteger, nullable=False),
        sa.Column("fields", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="kept_aside_pkey"),
        *(
            sa.CheckConstraint(
                sa.text(each.condition(dialect, name)), name=f"kept_aside_{name}_limit"
            )
            for name, each in _KEPT_ASIDE.items()
        ),
    )
    now = _now(conn)
    for table, limits in reversed(list(_LIMITS.items())):
        _keep_aside(conn, kept, table, _all(dialect, limits), now)
    if dialect == "sqlite":
        _rebuild(conn)
        return
    for table, limits in _LIMITS.items():
        for name, limit in limits.items():
            op.create_check_constraint(
                f"{table}_{name}_limit", table, sa.text(limit.condition(dialect, name))
            )


def _all(dialect: str, limits: Mapping[str, _Limit]) -> str:
    return " AND ".join(limit.condition(dialect, name) for name, limit in limits.items())


def _now(conn: sa.Connection) -> int:
    """Return the last moment that has passed for certain; the clock's only before the first."""
    at = conn.execute(sa.text('SELECT max("at") FROM known_time')).scalar()
    return int(time.time()) if at is None else min(max(int(at), 0), _LATEST)


def _keep_aside(conn: sa.Connection, kept: sa.Table, table: str, condition: str, now: int) -> None:
    rows: list[Mapping[str, Any]] = [
        row._asdict()
        for row in conn.exec_driver_sql(f'SELECT * FROM "{table}" WHERE NOT ({condition})')  # noqa: S608
    ]
    if table == "export_file":
        # Without its window a file is no longer known.
        batches = _all(conn.dialect.name, _LIMITS["export_batch"])
        rows += [
            row._asdict()
            for row in conn.exec_driver_sql(
                f"SELECT * FROM export_file WHERE ({condition}) AND batch_id IN"  # noqa: S608
                f" (SELECT id FROM export_batch WHERE NOT ({batches}))"
            )
        ]
    for row in rows:
        values = {"of_table": table, "kept_at": now, "fields": json.dumps(row, default=_plain)}
        conn.execute(sa.insert(kept).values(values))
    if rows:
        conn.exec_driver_sql(f'DELETE FROM "{table}" WHERE NOT ({condition})')  # noqa: S608


def _plain(value: Any) -> str:
    return bytes(value).hex()


def _rebuild(conn: sa.Connection) -> None:
    """Make every table again, with its constraints."""
    made: dict[str, Iterable[str]] = {}
    for table in reversed(list(_LIMITS)):
        made[table] = _dropped(conn, table)
    # The next clean-up gives back the room that the copies took.
    conn.exec_driver_sql("PRAGMA user_version = 1")
    for table, statements in reversed(list(made.items())):
        for statement in statements:
            conn.exec_driver_sql(statement)
        conn.exec_driver_sql(f'INSERT INTO "{table}" SELECT * FROM "{table}_copy"')  # noqa: S608
        conn.exec_driver_sql(f'DROP TABLE "{table}_copy"')


def _dropped(conn: sa.Connection, table: str) -> list[str]:
    """Copy and drop a table; return the statements that make it again, and then its indexes."""
    query = "SELECT type, sql FROM sqlite_schema WHERE tbl_name = ? AND sql IS NOT NULL"
    found = list(conn.exec_driver_sql(query, (table,)))
    (old,) = (sql for kind, sql in found if kind == "table")
    checks = ", ".join(
        f"CONSTRAINT {table}_{name}_limit CHECK {limit.condition('sqlite', name)}"
        for name, limit in _LIMITS[table].items()
    )
    head, end, _ = old.rpartition(")")
    conn.exec_driver_sql(f'CREATE TABLE "{table}_copy" AS SELECT * FROM "{table}"')  # noqa: S608
    conn.exec_driver_sql(f'DROP TABLE "{table}"')
    return [f"{head}, {checks}{end}", *(sql for kind, sql in found if kind == "index")]
