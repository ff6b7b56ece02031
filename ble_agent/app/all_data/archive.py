"""All data: what this device holds about its owner, in one archive for the owner to take away."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import shutil
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ble_agent.air.heard_days import heard_by_day, utc_day_of
from ble_agent.app.outcome import Outcome
from ble_agent.app.situation import opened_to_read
from ble_agent.authority.ledger_notes import EVERYTHING, note
from ble_agent.authority.membership import find_membership
from ble_agent.authority.report_progress import ReportProgress
from ble_agent.config import SETTINGS_FILE, AgentConfig
from ble_agent.exposures.check import assess_stored
from ble_agent.exposures.local_days import local_date
from ble_agent.exposures.matched_keys import matched_keys
from ble_agent.messages.catalogue import say
from ble_agent.messages.explanation import explain
from ble_agent.messages.language import LANGUAGES, date_text, path_text
from ble_agent.messages.refusals import not_possible
from ble_agent.owner.health.diary import read_diary
from ble_agent.owner.ledger import read_requests
from ble_agent.store.home import is_own_file
from ble_agent.store.own_sightings import own_sightings, unreadable_fault
from ble_agent.store.state import (
    AREA,
    AREAS,
    BLUEZONE_FAULT,
    BLUEZONE_LIST,
    CHECK_FAULT,
    DAMAGE,
    EXPOSED,
    HELD_BACK,
    INDEX,
    KEY_FILES,
    LAST_CHECK,
    LAST_DAY,
    LEDGER,
    MEMBERSHIP,
    NOTIFIED,
    NOTIFY_FAULT,
    RADIO,
    SCAN,
    SEEN,
    StateValue,
)
from ble_agent.store.working_folder import working_folder
from matcher import SightingIndex
from tracing_core.clock import Clock
from tracing_core.errors import InvalidLog, StoreError, TracingError
from tracing_core.protocol.interval import interval_start, utc_date
from tracing_core.store.database import Database
from tracing_core.store.files import file_errors, whole_file
from tracing_core.store.left_out import LeftOut
from tracing_core.store.other_sighting import (
    OtherSighting,
    other_json_line,
    select_other_sightings,
)
from tracing_core.store.sighting import json_line
from tracing_core.store.sqlite import transaction

__all__ = ["HELD", "all_data_to_download", "export_all"]

_SIGHTINGS, _OTHERS, _SETTINGS = "sightings.jsonl", "other-sightings.jsonl", "settings.toml"
_AUTHORITY, _FOUND, _REPORTS = "authority.json", "found.json", "reports.json"
_COUNTS, _LEDGER, _DEVICE = "counts.json", "left-this-device.json", "device.json"
_REQUESTS = "requests.json"
_HEALTH = "health.json"

HELD: Mapping[str, str] = {
    "sighting": _SIGHTINGS,
    "other_sighting": _OTHERS,
    "import": _COUNTS,
    "request": _REQUESTS,
    "own_key": _COUNTS,
    "heard_day": _COUNTS,
    "matched_key": _FOUND,
    "batch": _AUTHORITY,
    # What a server published, and how far this device is with it.
    "signed_header": "",
    "unusable_file": "",
    "kept_row": _DEVICE,
    "membership": _AUTHORITY,
    "index": _AUTHORITY,
    "key_files": _AUTHORITY,
    "last_day": _AUTHORITY,
    "last_check": _FOUND,
    "check_fault": _FOUND,
    "bluezone_list": _FOUND,
    "bluezone_fault": _FOUND,
    "seen": _FOUND,
    "notified": _FOUND,
    "notify_fault": _FOUND,
    "held_back": _FOUND,
    "area": _DEVICE,
    "areas": _AUTHORITY,
    # Published by the server, and not about this device.
    "areas_document": "",
    "report": _REPORTS,
    "diary": _HEALTH,
    "exposed": _HEALTH,
    "ledger": _LEDGER,
    "radio": _DEVICE,
    "scan": _DEVICE,
    "damage": _DEVICE,
    # Marks of the database's own upkeep.
    "additions": "",
    "compacted_at": "",
    "future_since": "",
    "over": "",
    "room": "",
    "to_compact": "",
}
"""Where each table and each named value of the database is in the archive; "" for nowhere."""

_OF_CHECKS = (
    *(CHECK_FAULT, BLUEZONE_LIST, BLUEZONE_FAULT),
    *(SEEN, NOTIFIED, NOTIFY_FAULT, HELD_BACK),
)
_FIRST_YEAR_OF_ZIP = 1980
# Identifiers are random, so more effort makes the archive hardly smaller.
_EFFORT = 1
_BLOCK_BYTES = 64 << 10


def export_all(config: AgentConfig, clock: Clock, file: Path, *, overwrite: bool) -> Outcome:
    """Write the archive; replace a file only with `overwrite`.

    Raises
    ------
    NotPossible
        When there is no agent in the home folder (``no_home``), or the file is one of its own
        (``own_file``).
    FileIsThere
        When there is such a file and `overwrite` is False.
    StoreError
        When the database cannot be read or the file not be written.
    """
    if is_own_file(config.home, file):
        raise not_possible("own_file")
    with opened_to_read(config.home, clock.now()) as db:
        left_out = LeftOut()
        with whole_file(file, overwrite=overwrite) as raw:
            archive = _Archive(raw, clock)
            count = _write(archive, db, config, clock, left_out)
            archive.close()
        # A full disk must not keep the owner from what was written elsewhere.
        with contextlib.suppress(StoreError), transaction(db):
            note(db, clock.now(), EVERYTHING, items=count)
    text = say("all_data_written", config.lang, count=count, path=path_text(file))
    facts = {"exported": count, "files": archive.names}
    return Outcome(facts, text, unreadable_fault(left_out))


@contextlib.contextmanager
def all_data_to_download(config: AgentConfig, clock: Clock) -> Iterator[tuple[Path, Outcome]]:
    """Make the archive in a working folder of the home; it is overwritten and removed at the end.

    Raises
    ------
    NotPossible, StoreError
        As `export_all`.
    """
    with working_folder(config.home) as folder:
        path = folder / f"truyvet-{local_date(clock.now()).isoformat()}.zip"
        yield path, export_all(config, clock, path, overwrite=False)


class _Archive:
    """A zip whose files are written one after another, in bounded memory."""

    def __init__(self, raw: BinaryIO, clock: Clock) -> None:
        self._zip = zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED, compresslevel=_EFFORT)
        self._day = local_date(clock.now())
        self.names: list[str] = []

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[Any]:
        year = max(self._day.year, _FIRST_YEAR_OF_ZIP)
        info = zipfile.ZipInfo(name, (year, self._day.month, self._day.day, 0, 0, 0))
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        with self._zip.open(info, "w", force_zip64=True) as out:
            yield out
        self.names.append(name)

    def add_lines(self, name: str, lines: Iterable[str]) -> int:
        count = 0
        # Compressing line by line takes a third longer.
        with self.file(name) as raw, io.BufferedWriter(raw, _BLOCK_BYTES) as out:
            for line in lines:
                out.write(line.encode() + b"\n")
                count += 1
        return count

    def add_json(self, name: str, value: object) -> None:
        self.add_lines(name, [json.dumps(value, ensure_ascii=False, indent=2)])

    def close(self) -> None:
        self._zip.close()


def _write(
    archive: _Archive, db: Database, config: AgentConfig, clock: Clock, left_out: LeftOut
) -> int:
    """Write all files, and return the number of sightings of our own protocol."""
    for language in (config.lang, *(each for each in LANGUAGES if each != config.lang)):
        made_on = date_text(local_date(clock.now()), language)
        archive.add_lines(
            f"README.{language}.txt", [say("all_data_readme", language, date=made_on)]
        )
    count = archive.add_lines(_SIGHTINGS, map(json_line, own_sightings(db, left_out)))
    others_left_out = LeftOut()
    archive.add_lines(_OTHERS, map(other_json_line, _others(db, others_left_out)))
    _add_settings(archive, config.home / SETTINGS_FILE)
    archive.add_json(_AUTHORITY, _authority(db))
    archive.add_json(_FOUND, _found(db, clock))
    archive.add_json(_REPORTS, _reports(db, clock))
    unreadable = left_out.unreadable + others_left_out.unreadable
    archive.add_json(_COUNTS, {**_counts(db, clock), "unreadable_sightings": unreadable})
    diary = [entry.to_json() for entry in read_diary(db)]
    archive.add_json(_HEALTH, {"diary": diary, **_values(db, EXPOSED)})
    archive.add_json(_LEDGER, LEDGER.get(db) or [])
    archive.add_json(_REQUESTS, [dataclasses.asdict(each) for each in read_requests(db)])
    archive.add_json(
        _DEVICE, {**_values(db, AREA, RADIO, SCAN, DAMAGE), "kept_row": _kept_rows(db)}
    )
    return count


def _kept_rows(db: Database) -> list[dict[str, object]]:
    """Return what an update set aside, as it was; bytes as hex digits."""
    rows = db.conn.execute("SELECT source, content FROM kept_row ORDER BY id")
    return [{"table": source, "row": json.loads(content)} for source, content in rows]


def _others(db: Database, left_out: LeftOut) -> Iterator[OtherSighting]:
    with contextlib.suppress(InvalidLog):
        yield from select_other_sightings(db, left_out)


def _add_settings(archive: _Archive, path: Path) -> None:
    with file_errors(path):
        try:
            settings = path.open("rb")
        except FileNotFoundError:
            return
        with settings, archive.file(_SETTINGS) as out:
            shutil.copyfileobj(settings, out)


def _values(db: Database, *values: StateValue[Any]) -> dict[str, Any]:
    return {value.name: value.get(db) for value in values}


def _authority(db: Database) -> dict[str, Any]:
    values = _values(db, MEMBERSHIP, LAST_DAY, INDEX, KEY_FILES, AREAS)
    membership = values["membership"]
    if membership and "file" in membership:
        # It belongs to the authority, and every device of it has the same.
        fields = {name: membership["file"][name] for name in membership["file"]}
        fields.pop("device_api_key", None)
        values["membership"] = {"file": fields}
    return {**values, "key_files_used": db.table("batch").count}


def _found(db: Database, clock: Clock) -> dict[str, Any]:
    """Return what the checks found, in days; a fault where it can no longer be worked out."""
    values: dict[str, Any] = {"days": [], "fault": None}
    keys = matched_keys(db)
    try:
        membership = find_membership(db)
        if membership is not None and keys:
            sightings = SightingIndex(own_sightings(db, LeftOut()))
            days, _ = assess_stored(db, sightings, membership, clock)
            values["days"] = [day.to_json() for day in days]
    except StoreError:
        raise
    except TracingError as error:
        values["fault"] = {language: explain(error, language) for language in LANGUAGES}
    values["matched_keys"] = [
        {
            "date": _day_of(key.rolling_start_interval_number),
            "report_type": key.report_type.name.lower(),
        }
        for key in keys
    ]
    last_check = LAST_CHECK.get(db)
    values["last_check"] = last_check and {**last_check, "at": _date(last_check["at"])}
    return {**values, **_values(db, *_OF_CHECKS)}


def _reports(db: Database, clock: Clock) -> dict[str, Any]:
    """Return what is known about the owner's reports, without the rights to change them."""
    progress = ReportProgress.load(db)
    return {
        "reported_on": _date(progress.reported_at),
        "taken_back": progress.taken_back is not None,
        "taken_back_on": _date(progress.taken_back_at),
        "tested_on": _day_of(progress.tested) if progress.tested else None,
        "code_accepted_on": _date(progress.verified_at),
        "test_type": progress.test_type or None,
        "symptoms_began_on": _day_of(progress.onset) if progress.onset else None,
        "symptoms_sent": _day_of(progress.own_onset) if progress.own_onset else None,
        "unfinished": progress.is_unfinished(clock.now()),
    }


def _counts(db: Database, clock: Clock) -> dict[str, Any]:
    rows = db.conn.execute("SELECT rolling_start FROM own_key ORDER BY rolling_start")
    heard = heard_by_day(db, utc_day_of, clock.now())
    return {
        "identifiers_by_day": {day.isoformat(): count for day, count in heard.items()},
        "days_with_own_key": [_day_of(start) for (start,) in rows],
        "imports": [
            {"format": form, "date": _date(at), **json.loads(counts)}
            for form, at, counts in db.conn.execute(
                "SELECT format, imported_at, counts FROM import ORDER BY id"
            )
        ],
    }


def _day_of(interval: int) -> str:
    return utc_date(interval_start(interval)).isoformat()


def _date(moment: int | None) -> str | None:
    return None if moment is None else utc_date(moment).isoformat()
