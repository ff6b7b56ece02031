"""Restoring of all data: what a page of `truyvet agent export --all` holds, into this home.

An empty home becomes the same store. Into another, rows are merged without doubles, and what this
home has of its own stays: it never loses an authority, a key or a right to one in a file.

**Keys.** A device that takes over keys never sends an identifier made from them: each counts as
used beyond its last interval. The device that they come from may still be running, or the file may
be restored twice, and this device cannot find that out. So an identifier is sent by one device,
and never again. The keys serve for a report only: it covers the days on both devices. If the file
holds the key of the present UTC day, this device listens at once and sends from the next UTC day.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ble_agent.air.key_ring import KeyRing
from ble_agent.authority.membership import Membership, find_membership
from ble_agent.owner.all_rows import LAST_TABLE, OWN_KEYS, columns_of, schema_steps, tables_of
from ble_agent.owner.carrying import CARRIED, Carried, check_value, is_carried
from ble_agent.store.database import (
    DATED_ROWS,
    DIARY_DAYS,
    DIARY_ROWS,
    RETENTION_SECONDS,
    forget_key_files,
)
from ble_agent.store.importers import (
    FUTURE_SECONDS,
    ImportReport,
    Refusal,
    other_is_known,
    sighting_is_known,
)
from ble_agent.store.importers.all_data import (
    AllData,
    TableHead,
    is_all_data,
    other_sighting_of,
    sighting_of,
)
from ble_agent.store.state import MEMBERSHIP
from tracing_core.errors import InvalidLog, InvalidValue, TracingError, TrustError
from tracing_core.json_object import parse_json
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType, VariantOfConcern
from tracing_core.protocol.interval import (
    INTERVAL_SECONDS,
    ENIntervalNumber,
    interval_number,
    rolling_start,
)
from tracing_core.protocol.temporary_exposure_key import TemporaryExposureKey
from tracing_core.store.database import Database
from tracing_core.store.field_values import moment
from tracing_core.store.files import file_errors
from tracing_core.store.other_sighting import insert_other_sightings
from tracing_core.store.sighting import insert_sightings
from tracing_core.store.sqlite import beginning_of, transaction

__all__ = ["RestoreReport", "add_all_data", "is_restorable", "restore"]

_OF_KEY_FILES = ("batch", "signed_header", "unusable_file")
_IMPORTS, _OTHERS, _SIGHTINGS, _VALUES = "import", "other_sighting", "sighting", "state"
_LONGEST_FORMAT = 40
_MOST_VALUES = 1_000
_MOMENTS = dict([*DATED_ROWS, DIARY_ROWS])


class RestoreReport(ImportReport):
    """Counts of restored data: sightings as of any log, and all else that was added."""

    def __init__(self, source: AllData) -> None:
        super().__init__(source)
        self.rows: Counter[str] = Counter()
        """Rows added to the other tables, by table."""
        self.values: list[str] = []
        """Names of the values that were taken."""
        self.keys = 0
        """Keys of the other device that were taken, to be reported only."""
        self.keys_left = 0
        """Keys left out, because this device has a key of its own for their day."""
        self.region: str | None = None
        """Region of the authority that this device joined by it; None if it joined none."""
        self.is_other_authority = False
        """Whether the file is of another authority than this device's."""
        self.is_silent_today = False
        """Whether the day's own key came from the file, so that sending begins tomorrow (UTC)."""

    @property
    def adds_anything(self) -> bool:
        """Whether anything is added."""
        return bool(self.kept or self.rows.total() or self.values or self.keys)

    def counts(self) -> dict[str, Any]:
        """Return the counts alone."""
        return {
            **super().counts(),
            "rows": {table: count for table, count in sorted(self.rows.items()) if count},
            "values": sorted(self.values),
            "keys": self.keys,
            "keys_left": self.keys_left,
            "joined": self.region,
            "other_authority": self.is_other_authority,
            "silent_today": self.is_silent_today,
        }


def is_restorable(path: Path) -> bool:
    """Return whether a file is a page with all data, of any version.

    Raises
    ------
    StoreError
        When it cannot be read.
    """
    with file_errors(path):
        return path.is_file() and is_all_data(beginning_of(path))


class _DryRun(Exception):
    pass


def restore(db: Database, path: Path, now: float, *, dry_run: bool = False) -> RestoreReport:
    """Add all that a page with all data holds, or nothing.

    Parameters
    ----------
    db
        The agent's database.
    path
        The page.
    now
        This device's time (UTC Unix seconds).
    dry_run
        Count only, and add nothing.

    Raises
    ------
    InvalidLog
        When the page is damaged, a value in it is wrong, or the authority in it does not prove to
        be what it says.
    SchemaMismatch
        When a newer version wrote it.
    StoreError
        When the page cannot be read, or the database not be written.
    """
    with file_errors(path):
        source = AllData(path, beginning_of(path))
    # It may seal keys that an older version left open, in a transaction of its own.
    ring = KeyRing(db)
    with suppress(_DryRun), transaction(db):
        report = add_all_data(db, source, ring, now, trial_keys={} if dry_run else None)
        if dry_run:
            raise _DryRun
    return report


def add_all_data(
    db: Database, source: AllData, ring: KeyRing, now: float, *, trial_keys: dict[int, bytes] | None
) -> RestoreReport:
    """Add all that a page holds, inside the caller's transaction.

    Parameters
    ----------
    db
        The agent's database.
    source
        The page.
    ring
        This device's keys, opened before the transaction.
    now
        This device's time (UTC Unix seconds).
    trial_keys
        For a transaction that will be undone: the keys that it counts, by their first interval.
        Sealing them could leave a file behind. None to add them.

    Raises
    ------
    InvalidLog
        As `restore`; the caller undoes what was added.
    SchemaMismatch, StoreError
        As `restore`.
    """
    report = RestoreReport(source)
    try:
        restorer = _Restorer(db, source, ring, report, now, trial_keys)
        for head, row in source.rows():
            if head is None:
                restorer.check(row)
            else:
                restorer.add(head, row)
        restorer.end()
    except InvalidLog:
        raise
    except (InvalidValue, TrustError) as error:
        raise source.damaged(error) from error
    return report


class _Restorer:
    """Adds row after row, in the caller's transaction."""

    def __init__(
        self,
        db: Database,
        source: AllData,
        ring: KeyRing,
        report: RestoreReport,
        now: float,
        trial_keys: dict[int, bytes] | None,
    ) -> None:
        self._db, self._source, self._ring, self._report = db, source, ring, report
        self._now, self._trial_keys = now, trial_keys
        self._oldest = int(now) - RETENTION_SECONDS
        # The days of the diary are the owner's, and one of them lasts into the next of UTC.
        self._oldest_of = {DIARY_ROWS[0]: int(now) - (DIARY_DAYS + 1) * 86_400}
        self._had = {table: self._has_rows(table) for table in tables_of(db)}
        self._columns = {table: set(columns_of(db, table)) for table in self._had}
        self._had_log = self._had[_SIGHTINGS] or self._had[_OTHERS]
        self._values: dict[str, str] = {}
        self._is_settled = False
        self._takes_authority = self._is_same_authority = False
        self._imports: dict[int, int] = {}

    def _has_rows(self, table: str) -> bool:
        return self._db.conn.execute(f'SELECT 1 FROM "{table}"').fetchone() is not None  # noqa: S608

    def check(self, about: dict[str, Any]) -> None:
        """Check that this version knows all steps that made the tables of the file."""
        steps = about.get("schema")
        if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps):
            raise self._source.damaged("it does not say what made it")
        if set(steps) - set(schema_steps(self._db)):
            raise self._source.newer_version()

    def add(self, head: TableHead, row: list[Any]) -> None:
        """Add a row, or count why it is left out."""
        if head.name == _VALUES:
            self._keep_value(head, row)
            return
        if not self._is_settled:
            self._settle()
        self._report.read += 1
        adding = {
            _SIGHTINGS: self._add_sighting,
            _OTHERS: self._add_other,
            _IMPORTS: self._add_import,
            OWN_KEYS: self._add_key,
        }.get(head.name, self._add_row)
        try:
            adding(head, row)
        except (ValueError, TypeError, OverflowError, sqlite3.IntegrityError):
            self._report.refuse(Refusal.UNREADABLE)

    def end(self) -> None:
        """Do what follows from all rows."""
        if not self._is_settled:
            self._settle()
        if self._report.is_of_own_protocol and not (self._takes_authority and not self._had_log):
            forget_key_files(self._db)

    def _keep_value(self, head: TableHead, row: list[Any]) -> None:
        name, text = head.choose(row, ("name", "value"))
        if (
            self._is_settled
            or not isinstance(name, str)
            or not isinstance(text, str)
            or len(self._values) >= _MOST_VALUES
        ):
            raise self._source.damaged("its values are not where they should be")
        if is_carried(name):
            self._values[name] = text

    def _settle(self) -> None:
        """Decide whose authority counts, and take the values that go with that."""
        self._is_settled = True
        values = {name: check_value(name, text) for name, text in self._values.items()}
        own = MEMBERSHIP.get(self._db)
        theirs = values.get(MEMBERSHIP.name)
        if theirs is not None:
            MEMBERSHIP.set(self._db, theirs)
            found = find_membership(self._db)
            assert found is not None
            if own is None:
                self._report.region = found.region
            else:
                MEMBERSHIP.set(self._db, own)
                self._is_same_authority = self._is_own(found)
                self._report.is_other_authority = not self._is_same_authority
        self._takes_authority = own is None
        for name, value in values.items():
            self._take_value(name, value)

    def _is_own(self, found: Membership) -> bool:
        # One that was tampered with belongs to no authority; joining again repairs it.
        with suppress(TracingError):
            own = find_membership(self._db)
            return own is not None and own.is_of(found.origin)
        return False

    def _take_value(self, name: str, value: Any) -> None:
        has_authority = self._takes_authority or self._is_same_authority
        fits = {
            Carried.ALONE: True,
            Carried.MEMBERSHIP: self._takes_authority,
            Carried.WITH_AUTHORITY: has_authority,
            Carried.WITH_LOG: self._takes_authority and not self._had_log,
            Carried.WITH_KEYS: has_authority and not self._had[OWN_KEYS],
        }[CARRIED[name]]
        if not fits or self._is_from_future(name, value):
            return
        added = self._db.conn.execute(
            "INSERT INTO state (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
            [name, self._values[name]],
        )
        if added.rowcount or (name == MEMBERSHIP.name and self._report.region is not None):
            self._report.values.append(name)

    def _is_from_future(self, name: str, value: Any) -> bool:
        """Return whether a value says that something was done later than now."""
        if CARRIED[name] is not Carried.WITH_LOG or not isinstance(value, dict):
            return False
        moments = [value.get(field, 0) for field in ("at", "since")]
        return any(moment > self._now + FUTURE_SECONDS for moment in moments)

    def _is_out_of_time(self, moment: int) -> bool:
        if moment < self._oldest:
            self._report.too_old += 1
        elif moment > self._now + FUTURE_SECONDS:
            self._report.refuse(Refusal.FUTURE)
        else:
            return False
        return True

    def _add_sighting(self, head: TableHead, row: list[Any]) -> None:
        sighting = sighting_of(head, row)
        if self._is_out_of_time(sighting.seen_at):
            return
        # The store itself holds none twice.
        if self._had_log and sighting_is_known(self._db, sighting):
            self._report.known += 1
            return
        # Older versions noted no import with it.
        names_import = "import" in head.columns
        source = self._imports.get(head.choose(row, ("import",))[0]) if names_import else None
        insert_sightings(self._db, [sighting], source)
        self._report.kept += 1
        self._report.is_of_own_protocol = True

    def _add_other(self, head: TableHead, row: list[Any]) -> None:
        sighting = other_sighting_of(head, row)
        if self._is_out_of_time(sighting.seen_at):
            return
        if other_is_known(self._db, sighting):
            self._report.known += 1
            return
        (number,) = head.choose(row, ("import",))
        insert_other_sightings(self._db, [sighting], self._imports.get(number))
        self._report.kept += 1
        self._report.other_protocols.add(sighting.protocol)

    def _add_import(self, head: TableHead, row: list[Any]) -> None:
        number, form, digest, at, counts = head.choose(
            row, ("id", "format", "digest", "imported_at", "counts")
        )
        if not isinstance(form, str) or len(form) > _LONGEST_FORMAT:
            raise InvalidValue("format must be a short text")
        if not isinstance(parse_json(counts), dict):
            raise InvalidValue("counts must be an object")
        if self._is_out_of_time(moment("imported_at", at)):
            return
        known = self._db.conn.execute(
            "SELECT id FROM import WHERE format = ? AND digest = ? AND imported_at = ?",
            [form, digest, at],
        ).fetchone()
        if known is not None:
            self._imports[number] = known[0]
            return
        added = self._db.conn.execute(
            "INSERT INTO import (id, format, digest, imported_at, counts)"
            " SELECT CASE WHEN EXISTS (SELECT 1 FROM import WHERE id = :id) THEN NULL ELSE :id END,"
            " :format, :digest, :at, :counts",
            {"id": number, "format": form, "digest": digest, "at": at, "counts": counts},
        )
        assert added.lastrowid is not None
        self._imports[number] = added.lastrowid
        self._report.rows[_IMPORTS] += 1

    def _add_key(self, head: TableHead, row: list[Any]) -> None:
        if "key_data" not in head.columns:
            # Without the keys, the rows say only on which days there was one.
            return
        key_data, start, period = head.choose(row, ("key_data", "rolling_start", "rolling_period"))
        if not isinstance(key_data, bytes):
            raise InvalidValue("key_data must be bytes")
        key = TemporaryExposureKey(key_data, ENIntervalNumber(start), period)
        if key.end_interval_number * INTERVAL_SECONDS < self._oldest:
            self._report.too_old += 1
        elif start != rolling_start(ENIntervalNumber(start)) or start > interval_number(self._now):
            # A key of a day to come would keep this device silent on that day.
            self._report.refuse(Refusal.FUTURE)
        elif (own := self._own_key(start)) is None:
            self._report.keys += 1
            self._report.is_silent_today |= start == rolling_start(interval_number(self._now))
            if self._trial_keys is None:
                self._ring.take_over(key)
            else:
                self._trial_keys[start] = key.key_data
        elif own != key.key_data:
            self._report.keys_left += 1

    def _own_key(self, start: int) -> bytes | None:
        if self._trial_keys is not None and start in self._trial_keys:
            return self._trial_keys[start]
        own = self._ring.key_of(start)
        return None if own is None else own.key_data

    def _add_row(self, head: TableHead, row: list[Any]) -> None:
        """Add a row of any other table, if it is of a table and an authority that count here."""
        if not set(head.columns) <= self._columns.get(head.name, set()):
            raise InvalidValue("no table or column of this version")
        if head.name == "matched_key":
            if not (self._takes_authority or self._is_same_authority):
                return
            _check_matched(head, row)
        if head.name in _OF_KEY_FILES and (self._had_log or not self._takes_authority):
            return
        if head.name == LAST_TABLE and (self._had_log or not self._is_whole_day(head, row)):
            return
        # What left another device does not concern this one, unless this one goes on in its place.
        if head.name == "request" and self._had[head.name]:
            return
        names = ", ".join(f'"{name}"' for name in head.columns)
        marks = ", ".join("?" * len(row))
        if self._is_held(head, row):
            return
        added = self._db.conn.execute(
            f'INSERT INTO "{head.name}" ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING',  # noqa: S608
            row,
        )
        if not added.rowcount:
            return
        self._report.rows[head.name] += 1
        if head.name in _MOMENTS:
            # Of the row that was added, if it is too old already.
            late = self._db.conn.execute(
                f'DELETE FROM "{head.name}" WHERE rowid = ? AND {_MOMENTS[head.name]} < ?',  # noqa: S608
                [added.lastrowid, self._oldest_of.get(head.name, self._oldest)],
            )
            self._report.rows[head.name] -= late.rowcount
            self._report.too_old += late.rowcount

    def _is_held(self, head: TableHead, row: list[Any]) -> bool:
        """Return whether a table that only counts its rows has an equal row under any number."""
        if "id" not in head.columns or not self._had[head.name]:
            return False
        others = [name for name in head.columns if name != "id"]
        equal = " AND ".join(f'"{name}" IS ?' for name in others)
        found = self._db.conn.execute(
            f'SELECT 1 FROM "{head.name}" WHERE {equal}',  # noqa: S608
            head.choose(row, others),
        ).fetchone()
        if found is None:
            row[head.columns.index("id")] = None
        return found is not None

    def _is_whole_day(self, head: TableHead, row: list[Any]) -> bool:
        """Return whether no sighting of a counted day was left out here."""
        (starts_at,) = head.choose(row, ("starts_at",))
        return not self._report.refused and moment("starts_at", starts_at) >= self._oldest


def _check_matched(head: TableHead, row: Sequence[Any]) -> None:
    """Check that a row of ``matched_key`` is a key that the protocol knows."""
    key_data, start, period, kind, onset, risk, variant = head.choose(
        row,
        (
            *("key_data", "rolling_start", "rolling_period", "report_type"),
            *("days_since_onset", "transmission_risk", "variant_of_concern"),
        ),
    )
    try:
        DiagnosisKey(
            key_data, start, period, ReportType(kind), onset, risk, VariantOfConcern(variant)
        )
    except (ValueError, TypeError) as error:
        raise InvalidValue("no published key") from error
