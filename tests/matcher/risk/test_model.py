"""Risk models by name, and another model than the default through every output."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from matcher import match
from matcher.many.logs import ManyLogs
from matcher.many.matching import match_many
from matcher.risk import load_model, model_names
from matcher.risk.model import Assessment, DayAssessment
from tests.matcher.examples import START, heard, key
from tracing_core.configuration.env2 import ExposureConfiguration
from tracing_core.errors import InvalidValue
from tracing_core.export_file import ExportFile
from tracing_core.protocol.exposure_window import ExposureWindow

LOG = [heard(key(), START + n, rssi=-60, previous=(START + n) * 600) for n in range(3)]
FILE = ExportFile(START * 600, START * 600 + 86400, "VN", [key()])


@dataclass(frozen=True)
class Detail:
    nearest_db: int

    def to_json(self) -> dict[str, Any]:
        return {"nearest_db": self.nearest_db}

    to_row = to_json


class Nearest:
    """Every day with a window counts, by how near anything was."""

    name = "nearest"
    days_name = "nearest_days"
    score_unit = "inverse dB"

    def assess(
        self, windows: Sequence[ExposureWindow], parameters: ExposureConfiguration, today: int
    ) -> Assessment:
        days = []
        for date in sorted({window.date for window in windows}):
            scans = [
                scan for window in windows if window.date == date for scan in window.scan_instances
            ]
            nearest = min(scan.min_attenuation_db for scan in scans)
            minutes = sum(scan.seconds_since_last_scan for scan in scans) / 60
            days.append(DayAssessment(date, "near", 1 / nearest, minutes, Detail(nearest)))
        score = max((day.score for day in days), default=0.0)
        return Assessment(tuple(windows), tuple(days), "near" if days else "none", score)

    def parameters(self, value: Any) -> ExposureConfiguration:
        return ExposureConfiguration.from_json(value)

    def default_parameters(self) -> ExposureConfiguration:
        return ExposureConfiguration.default()

    def levels(self, parameters: ExposureConfiguration) -> tuple[str, ...]:
        return ("near",)

    def score_text(self, score: float) -> str:
        return f"{score:.3f}"

    def table_columns(self) -> list[tuple[str, Any]]:
        return [("nearest_db", pa.int64())]


def test_models_are_found_by_name() -> None:
    assert model_names() == ["env2"]
    assert load_model("env2") is load_model()
    assert pickle.loads(pickle.dumps(load_model())) == load_model()
    with pytest.raises(InvalidValue, match="unknown risk model 'abacus': use one of env2"):
        load_model("abacus")


def test_the_default_model_reads_its_own_parameters() -> None:
    model = load_model()
    parameters = model.default_parameters()
    assert model.parameters(parameters.to_json()) == parameters
    assert model.levels(parameters) == ("high", "low")
    with pytest.raises(InvalidValue):
        model.parameters({})


def test_one_log_through_another_model() -> None:
    result = match(LOG, [FILE], model=Nearest())
    answer = result.to_json()
    assert answer["nearest_days"] == [{"date": "2020-05-21", "level": "near", "nearest_db": 50}]
    assert "daily_summaries" not in answer
    assert answer["risk"] == {"preset": "narrow-v2", "level": "near", "score": 1 / 50}
    assert "near (narrow-v2, 0.020 inverse dB)" in str(result)
    assert "Score is in inverse dB" in str(result)


def test_many_logs_through_another_model(tmp_path: Path) -> None:
    result = match_many(ManyLogs.from_sightings({"an": LOG}), [FILE], model=Nearest(), workers=1)
    result.write(tmp_path / "out")
    assert sorted(path.stem for path in (tmp_path / "out").iterdir()) == [
        "exposure_windows",
        "logs",
        "matches",
        "nearest_days",
    ]
    table = pq.read_table(tmp_path / "out" / "nearest_days.parquet")
    assert table.column_names == ["log_id", "date", "level", "nearest_db"]
    assert table.column("nearest_db").to_pylist() == [50]
    assert b'"model": "nearest"' in table.schema.metadata[b"truyvet"]
    assert result.levels() == {"near": 1, "none": 0}
