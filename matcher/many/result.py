"""What matching many logs found: Arrow tables, Parquet files, a few lines for a person."""

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

from matcher.result import counted, text_table
from matcher.risk import RiskModel, RiskParameters
from matcher.risk.model import NO_LEVEL
from matcher.risk.models import DEFAULT_MODEL
from matcher.tables.schemas import table_schema
from tracing_core.errors import StoreError, require
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
METADATA_KEY = b"truyvet"
"""Where in the metadata of each table's schema its provenance is, as JSON."""


def table_names(model: RiskModel[Any]) -> tuple[str, ...]:
    """Return the names of the tables, and of their files without ``.parquet``."""
    return ("logs", "matches", "exposure_windows", model.days_name)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where results come from; every table carries it."""

    model: RiskModel[Any]
    configuration: RiskParameters
    key_files: Mapping[str, str | None]
    """SHA-256 of each key file, hexadecimal, by its name; None for one that was in memory."""
    signatures_checked: bool
    research: bool

    def to_json(self) -> dict[str, Any]:
        """Return what the metadata holds."""
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
    arrow = require("pyarrow", extra="cluster")
    kind = arrow.int64() if log_ids is int else arrow.string()
    columns = table_schema(name, model, research=research)
    return arrow.schema([arrow.field("log_id", kind), *columns]).empty_table()


@dataclass(frozen=True, slots=True)
class ManyMatches:
    """What matching many logs found; docs/many-logs.md says what each column is."""

    logs: pa.Table
    """One row a log, by its id."""
    matches: pa.Table
    """One row for each key that was near, by log, then by what the row says."""
    exposure_windows: pa.Table
    """One row a window, likewise."""
    days: pa.Table
    """One row per day that counts, by log and date; its file has the model's name for days."""
    diagnosis_keys: int
    """How many different keys the files hold, revoked ones too."""
    provenance: Provenance

    def tables(self) -> dict[str, pa.Table]:
        """Return every table, with its provenance, by name."""
        facts = {**self.provenance.to_json(), "diagnosis_keys": self.diagnosis_keys}
        metadata = {METADATA_KEY: json.dumps(facts).encode()}
        tables = (self.logs, self.matches, self.exposure_windows, self.days)
        names = table_names(self.provenance.model)
        return {
            name: table.replace_schema_metadata(metadata)
            for name, table in zip(names, tables, strict=True)
        }

    def write(self, folder: Path) -> None:
        """Write each table as ``<name>.parquet`` into a new folder, which appears whole or never.

        Raises
        ------
        StoreError
            When there is something of that name already, or it cannot be written.
        """
        parquet = require("pyarrow.parquet", extra="cluster")
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
        """Return how many logs are at each level, the gravest first, ``none`` last."""
        names = self.provenance.model.levels(self.provenance.configuration)
        counts = dict.fromkeys([*names, NO_LEVEL], 0)
        for entry in self.logs.column("level").value_counts().to_pylist():
            counts[entry["values"]] += entry["counts"]
        return counts

    def to_json(self) -> dict[str, Any]:
        """Return what ``truyvet match-many --json`` prints."""
        sums = _sums(self.logs)
        return {
            "version": JSON_VERSION,
            "logs": self.logs.num_rows,
            "sightings": sums["sightings"],
            "suspect_sightings": sums["suspect_sightings"],
            "diagnosis_keys": self.diagnosis_keys,
            "matched_logs": self._matched_logs(),
            "matches": self.matches.num_rows,
            "matched_sightings": sums["matched_sightings"],
            "exposure_windows": self.exposure_windows.num_rows,
            "levels": self.levels(),
            "preset": self.provenance.configuration.name,
        }

    def _matched_logs(self) -> int:
        compute = require("pyarrow.compute", extra="cluster")
        matched: int = compute.sum(compute.greater(self.logs.column("matched_keys"), 0)).as_py()
        return matched or 0

    def __str__(self) -> str:
        """Return the table for a person."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        told = self.to_json()
        checked = "checked" if self.provenance.signatures_checked else "not checked"
        files = counted(len(self.provenance.key_files), "file")
        left_out = told["suspect_sightings"]
        suspect = f", {left_out:,} under a suspect clock left out" if left_out else ""
        yield (f"Logs      {told['logs']:,} with {counted(told['sightings'], 'sighting')}{suspect}")
        yield f"Keys      {told['diagnosis_keys']:,} in {files}, signatures {checked}"
        matches = "1 match" if told["matches"] == 1 else f"{told['matches']:,} matches"
        yield (
            f"Matched   {counted(told['matched_logs'], 'log')}, {matches} of a log and a key,"
            f" {counted(told['matched_sightings'], 'sighting')}"
        )
        yield ""
        days = self._days_by_level()
        rows: list[tuple[str, ...]] = [
            (level, f"{logs:,}", f"{days.get(level, 0):,}")
            for level, logs in told["levels"].items()
        ]
        yield from text_table(("Level", "Logs", "Days"), rows)
        yield f"By {told['preset']}; a log is at the gravest level of its days."

    def _days_by_level(self) -> dict[str, int]:
        counts = self.days.column("level").value_counts().to_pylist()
        return {entry["values"]: entry["counts"] for entry in counts}


def _sums(logs: Any) -> dict[str, int]:
    compute = require("pyarrow.compute", extra="cluster")
    names = ("sightings", "suspect_sightings", "matched_sightings")
    return {name: compute.sum(logs.column(name)).as_py() or 0 for name in names}


def check_new(folder: Path) -> None:
    """Refuse a folder that is there already: results are never mixed.

    Raises
    ------
    StoreError
        When it is, unless it is an empty folder and not that in which we are.
    """
    with file_errors(folder):
        empty = folder.name and folder.is_dir() and not any(folder.iterdir())
        if folder.exists() and not empty:
            raise StoreError(f"{folder} is there already: name a new folder, or remove it")
