"""Table of the published keys that matched.

A key file is used once: the note that it was used, and the changes it made, are one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ble_agent.authority.ledger_notes import DOWNLOAD, note
from ble_agent.exposures.files.key_files import KeyFile
from ble_agent.exposures.files.used_files import note_used
from ble_agent.exposures.freshness import note_newest_end
from ble_agent.store.database import additions
from matcher import SightingIndex, match_keys
from matcher.definition import is_matchable, revised
from tracing_core.clock import Clock
from tracing_core.export_file import ExportFile
from tracing_core.protocol.diagnosis_key import DiagnosisKey, ReportType, VariantOfConcern
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction

__all__ = [
    "find_matches",
    "matched_keys",
    "take_key_file",
    "write_matches",
]

_COLUMNS = (
    "key_data, rolling_start, rolling_period, report_type, days_since_onset, transmission_risk,"
    " variant_of_concern"
)


def matched_keys(db: Database) -> list[DiagnosisKey]:
    """Return the keys that matched, as they stand after revisions, in the order they matched."""
    return [key for key, _ in _standing(db).values()]


def take_key_file(
    db: Database,
    file: KeyFile,
    sightings: SightingIndex,
    clock: Clock,
    *,
    added: int | None = None,
) -> bool:
    """Match a key file, and write together that it was used and what it changed.

    Parameters
    ----------
    db
        The agent's database.
    file
        The key file.
    sightings
        The encounter log.
    clock
        The agent's clock.
    added
        What `additions` returned before the sightings were read; None skips the comparison.

    Returns
    -------
    bool
        False if old sightings were added since; then nothing is written.
    """
    return write_matches(db, file, find_matches(db, file.export, sightings), clock, added=added)


def find_matches(db: Database, export: ExportFile, sightings: SightingIndex) -> set[bytes]:
    """Return the key data of a file's new keys that match."""
    known = frozenset(_standing(db))
    return {match.key.key_data for match in match_keys(sightings, _first_records(export, known))}


def write_matches(
    db: Database,
    file: KeyFile,
    found: set[bytes],
    clock: Clock,
    *,
    added: int | None = None,
) -> bool:
    """Write what `find_matches` found in a file, as `take_key_file` does.

    Keys that matched before change their report type by the allowed transitions, once.
    """
    with transaction(db):
        if added is not None and additions(db) != added:
            return False
        # Another process may have been quicker, with this file or with a later one.
        if note_used(db, file, clock):
            export = file.export
            note(db, clock.now(), DOWNLOAD, items=1)
            _write_changes(db, export, found)
            note_newest_end(db, start=export.start_timestamp, end=export.end_timestamp)
    return True


def _write_changes(db: Database, export: ExportFile, found: set[bytes]) -> None:
    standing = _standing(db)
    changed = set()
    for record in _records(export):
        if record.key_data not in standing:
            if record.key_data in found:
                standing[record.key_data] = (record, False)
                changed.add(record.key_data)
            continue
        key, was_revised = standing[record.key_data]
        revision = None if was_revised else revised(key, record)
        if revision is not None:
            standing[record.key_data] = (revision, True)
            changed.add(record.key_data)
    for key_data in changed:
        key, was_revised = standing[key_data]
        _write_key(db, key, was_revised=was_revised)


def _first_records(export: ExportFile, known: frozenset[bytes]) -> Iterable[DiagnosisKey]:
    """Yield the first record of each key that is not known yet.

    A key whose first record revokes it is matched too. Only if it is remembered can no later file
    bring it back.
    """
    seen = set()
    for record in _records(export):
        if record.key_data not in known and record.key_data not in seen:
            seen.add(record.key_data)
            matchable = is_matchable(record)
            yield record if matchable else replace(record, report_type=ReportType.UNKNOWN)


def _records(export: ExportFile) -> Iterable[DiagnosisKey]:
    yield from export.keys
    yield from export.revised_keys


def _standing(db: Database) -> dict[bytes, tuple[DiagnosisKey, bool]]:
    """Return the keys by their data, each with whether it was revised already."""
    rows = db.conn.execute(f"SELECT {_COLUMNS}, revised FROM matched_key ORDER BY rowid")  # noqa: S608
    return {
        row[0]: (
            DiagnosisKey(
                row[0],
                row[1],
                row[2],
                ReportType(row[3]),
                days_since_onset_of_symptoms=row[4],
                transmission_risk_level=row[5],
                variant_of_concern=VariantOfConcern(row[6]),
            ),
            bool(row[7]),
        )
        for row in rows
    }


def _write_key(db: Database, key: DiagnosisKey, *, was_revised: bool) -> None:
    db.conn.execute(
        f"INSERT OR REPLACE INTO matched_key ({_COLUMNS}, revised)"  # noqa: S608
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            key.key_data,
            key.rolling_start_interval_number,
            key.rolling_period,
            key.report_type,
            key.days_since_onset_of_symptoms,
            key.transmission_risk_level,
            key.variant_of_concern,
            was_revised,
        ],
    )
