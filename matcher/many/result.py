"""The result of matching many logs, as Arrow tables, Parquet files and text."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matcher.notes import counted
from matcher.result import passed_over_text, skipped_text, text_table
from matcher.risk import RiskModel, RiskParameters
from matcher.risk.model import NO_LEVEL
from matcher.risk.models import DEFAULT_MODEL
from matcher.tables.schemas import table_schema
from tracing_core.errors import StoreError, require
from tracing_core.paths import is_folder, is_there
from tracing_core.store.files import file_errors

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "JSON_VERSION",
    "METADATA_KEY",
    "ManyMatches",
    "Provenance",
    "check_new",
    "empty_table",
    "table_names",
]

JSON_VERSION = 1
"""The version of the JSON form; it rises when a field changes its meaning or goes away."""

METADATA_KEY = b"truyvet"
"""Where in the metadata of each table's schema its provenance is, as JSON."""


def table_names(model: RiskModel[Any]) -> tuple[str, ...]:
    """Return the names of the tables, and of their files without ``.parquet``."""
    return ("logs", "matches", "exposure_windows", model.days_name)


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of results, which every table carries."""

    model: RiskModel[Any]
    configuration: RiskParameters
    key_files: Mapping[str, str | None]
    """SHA-256 of each key file, hexadecimal, by name; None for a file in memory."""
    signatures_checked: bool
    research: bool

    def to_json(self) -> dict[str, Any]:
        """Return the metadata of a table."""
        others = {} if self.model.name == DEFAULT_MODEL else {"model": self.model.name}
        text = json.dumps(self.configuration.to_json(), sort_keys=True, separators=(",", ":"))
        return {
            "version": version("truyvet"),
            **others,
            "configuration": {
                "name": self.configuration.name,
                "sha256": hashlib.sha256(text.encode()).hexdigest(),
            },
            "key_files": [
                {"name": name, "sha256": digest} for name, digest in self.key_files.items()
            ],
            "signatures_checked": self.signatures_checked,
            "research": self.research,
        }


def empty_table(name: str, log_ids: type, model: RiskModel[Any], *, research: bool) -> pa.Table:
    """Return one of the tables without a row; `log_ids` is the type of its logs' names."""
    arrow = require("pyarrow", extra="arrow")
    kind = arrow.int64() if log_ids is int else arrow.string()
    columns = table_schema(name, model, research=research)
    return arrow.schema([arrow.field("log_id", kind), *columns]).empty_table()


@dataclass(frozen=True, slots=True)
class ManyMatches:
    """The result of matching many logs; docs/many-logs.md describes every column."""

    logs: pa.Table
    """One row per log, by its id."""
    matches: pa.Table
    """One row per log and key that was near it, by log, then by the other columns."""
    exposure_windows: pa.Table
    """One row per exposure window, in the same order."""
    days: pa.Table
    """One row per day that counts, by log and date; its file has the model's name for days."""
    diagnosis_keys: int
    """Number of different keys in all files, including revoked ones."""
    skipped_keys: int
    """Number of keys in the files that lie outside the protocol and were left out."""
    passed_over: tuple[str, ...]
    """Files and subfolders of the folders of key files that are not used, by path."""
    unusable_logs: tuple[str, ...]
    """Logs of which nothing can be read, each with its path and the reason; in no table. Rows
    without a log are one of them."""
    first_unreadable: str
    """The first line or row of another log that cannot be read, and why; "" without one."""
    provenance: Provenance

    def tables(self) -> dict[str, pa.Table]:
        """Return every table, with its provenance, by name."""
        facts = {
            **self.provenance.to_json(),
            "diagnosis_keys": self.diagnosis_keys,
            "skipped_keys": self.skipped_keys,
        }
        metadata = {METADATA_KEY: json.dumps(facts).encode()}
        tables = (self.logs, self.matches, self.exposure_windows, self.days)
        names = table_names(self.provenance.model)
        return {
            name: table.replace_schema_metadata(metadata)
            for name, table in zip(names, tables, strict=True)
        }

    def write(self, folder: Path) -> None:
        """Write each table as ``<name>.parquet`` into a new folder; it appears whole or not at all.

        Raises
        ------
        StoreError
            When the folder exists already, or cannot be written.
        """
        parquet = require("pyarrow.parquet", extra="arrow")
        check_new(folder)
        partial = folder.with_name(f".{folder.name}.{os.getpid()}.part")
        with file_errors(folder):
            partial.mkdir(parents=True, mode=0o700)
            try:
                for name, table in self.tables().items():
                    with (partial / f"{name}.parquet").open("wb") as file:
                        parquet.write_table(table, file, compression="zstd")
                        file.flush()
                        os.fsync(file.fileno())
                partial.rename(folder)
            except BaseException:
                shutil.rmtree(partial, ignore_errors=True)
                raise

    def levels(self) -> dict[str, int]:
        """Return how many logs are at each level, worst first, ``none`` last."""
        names = self.provenance.model.levels(self.provenance.configuration)
        counts = dict.fromkeys([*names, NO_LEVEL], 0)
        for entry in self.logs.column("level").value_counts().to_pylist():
            counts[entry["values"]] += entry["counts"]
        return counts

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``truyvet match-many --json`` prints."""
        sums = _sums(self.logs)
        return {
            "version": JSON_VERSION,
            "logs": self.logs.num_rows,
            "sightings": sums["sightings"],
            "suspect_sightings": sums["suspect_sightings"],
            "unmeasured_sightings": sums["unmeasured_sightings"],
            "unreadable": sums["unreadable"],
            "first_unreadable": self.first_unreadable or None,
            "unusable_logs": list(self.unusable_logs),
            "diagnosis_keys": self.diagnosis_keys,
            "skipped_keys": self.skipped_keys,
            "passed_over": list(self.passed_over),
            "matched_logs": self._matched_logs(),
            "matches": self.matches.num_rows,
            "matched_sightings": sums["matched_sightings"],
            "exposure_windows": self.exposure_windows.num_rows,
            "levels": self.levels(),
            "preset": self.provenance.configuration.name,
        }

    def _matched_logs(self) -> int:
        compute = require("pyarrow.compute", extra="arrow")
        matched: int = compute.sum(compute.greater(self.logs.column("matched_keys"), 0)).as_py()
        return matched or 0

    def __str__(self) -> str:
        """Return the table for a person."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        facts = self.to_json()
        checked = "checked" if self.provenance.signatures_checked else "not checked"
        files = counted(len(self.provenance.key_files), "file")
        left_out = facts["suspect_sightings"]
        suspect = f", {left_out:,} under a suspect clock left out" if left_out else ""
        unknown = facts["unmeasured_sightings"]
        unmeasured = f", {unknown:,} of unknown strength" if unknown else ""
        yield (
            f"Logs      {facts['logs']:,} with {counted(facts['sightings'], 'sighting')}"
            f"{suspect}{unmeasured}"
        )
        if facts["unreadable"]:
            lines = (
                "1 line or row"
                if facts["unreadable"] == 1
                else (f"{facts['unreadable']:,} lines or rows")
            )
            yield f"Left out  {lines} that cannot be read; the first: {self.first_unreadable}"
        for log in self.unusable_logs:
            yield f"Left out  a whole log: {log}"
        skipped = skipped_text(self.skipped_keys)
        yield f"Keys      {self.diagnosis_keys:,} in {files}, signatures {checked}{skipped}"
        if self.passed_over:
            yield f"Not used  {passed_over_text(self.passed_over)}"
        matches = "1 match" if facts["matches"] == 1 else f"{facts['matches']:,} matches"
        yield (
            f"Matched   {counted(facts['matched_logs'], 'log')}, {matches} of a log and a key,"
            f" {counted(facts['matched_sightings'], 'sighting')}"
        )
        yield ""
        days = self._days_by_level()
        rows: list[tuple[str, ...]] = [
            (level, f"{logs:,}", f"{days.get(level, 0):,}")
            for level, logs in facts["levels"].items()
        ]
        yield from text_table(("Level", "Logs", "Days"), rows)
        yield f"By {facts['preset']}; a log's level is that of its worst day."

    def _days_by_level(self) -> dict[str, int]:
        counts = self.days.column("level").value_counts().to_pylist()
        return {entry["values"]: entry["counts"] for entry in counts}


def _sums(logs: Any) -> dict[str, int]:
    compute = require("pyarrow.compute", extra="arrow")
    names = (
        "sightings",
        "suspect_sightings",
        "unmeasured_sightings",
        "unreadable",
        "matched_sightings",
    )
    return {name: compute.sum(logs.column(name)).as_py() or 0 for name in names}


def check_new(folder: Path) -> None:
    """Raise an error if a folder exists already: results are never mixed.

    Raises
    ------
    StoreError
        When the folder exists, unless it is empty and not the current folder.
    """
    with file_errors(folder):
        empty = folder.name and is_folder(folder) and not any(folder.iterdir())
        if is_there(folder) and not empty:
            raise StoreError(f"{folder} exists already: name a new folder, or remove it")
