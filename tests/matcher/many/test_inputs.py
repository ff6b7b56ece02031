"""What `match_many` takes as logs, and how it refuses anything else."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from matcher.many.inputs import as_logs
from matcher.many.logs import ManyLogs
from matcher.many.matching import match_many
from matcher.matching import match
from tests.matcher.examples import START, heard, key
from tracing_core.errors import InvalidLog, InvalidValue
from tracing_core.export_file import ExportFile
from tracing_core.store.sighting import write_json_lines

pa = pytest.importorskip("pyarrow")
pytest.importorskip("numba")

LOGS = {
    "an": [heard(key(), START), heard(key(), START + 1)],
    "binh": [heard(key("stranger"), START)],
}
FILE = ExportFile(0, 600, "VN", [key()])


def table(**changed: Any) -> Any:
    rows = [(log_id, one) for log_id, log in LOGS.items() for one in log]
    columns = {
        "log_id": [log_id for log_id, _ in rows],
        "rpi": [one.rpi for _, one in rows],
        "aem": [one.aem.hex() for _, one in rows],
        "rssi_dbm": [one.rssi_dbm[0] for _, one in rows],
        "seen_at": [one.seen_at for _, one in rows],
        **changed,
    }
    return pa.table({name: column for name, column in columns.items() if column is not None})


def log_file(folder: Path) -> Path:
    write_json_lines(folder / "an.jsonl", LOGS["an"])
    return folder / "an.jsonl"


@pytest.mark.parametrize(
    "given",
    [
        lambda _: LOGS,
        lambda _: ManyLogs.from_sightings(LOGS),
        lambda _: table(),
        lambda _: table().to_pandas(),
        lambda folder: {"an": log_file(folder), "binh": iter(LOGS["binh"])},
        lambda _: {"an": table().slice(0, 2).drop_columns("log_id"), "binh": LOGS["binh"]},
    ],
)
def test_every_kind_of_logs_gives_the_same(given: Callable[[Path], Any], tmp_path: Path) -> None:
    found = match_many(given(tmp_path), FILE, workers=1)
    rows = found.logs.select(["log_id", "sightings", "matched_sightings"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [("an", 2, 2), ("binh", 1, 0)]


def test_a_line_or_a_log_that_cannot_be_read_keeps_the_others(tmp_path: Path) -> None:
    # Issue 9, F11: one bad line never takes the good ones with it.
    folder = tmp_path / "logs"
    folder.mkdir()
    with log_file(folder).open("a") as file:
        file.write("{}\n")
    (folder / "bad.jsonl").write_text("{}\n{}\n")
    write_json_lines(folder / "binh.jsonl", LOGS["binh"])
    for memory in (1, 1 << 20):
        found = match_many(folder, FILE, workers=1, memory=memory)
        rows = found.logs.select(["log_id", "sightings", "unreadable"]).to_pylist()
        assert [tuple(row.values()) for row in rows] == [("an.jsonl", 2, 1), ("binh.jsonl", 1, 0)]
        facts = found.to_json()
        assert (facts["logs"], facts["unreadable"], facts["matched_logs"]) == (2, 1, 1)
        assert facts["first_unreadable"] == f"{folder}/an.jsonl, line 3: rpi is missing"
        assert facts["unusable_logs"] == [f"{folder}/bad.jsonl, line 1: rpi is missing"]
        assert "1 line or row that cannot be read; the first: " in str(found)
        assert f"Left out  a whole log: {folder}/bad.jsonl, line 1" in str(found)
    with pytest.raises(InvalidLog, match=r"bad\.jsonl, line 1: rpi is missing"):
        match_many(folder / "bad.jsonl", FILE, workers=1)


def test_a_row_of_a_table_that_cannot_be_read_keeps_the_others() -> None:
    # Issue 9, F11.
    seen_at = [START * 600, START * 600_000, -1]
    found = match_many(table(seen_at=seen_at), FILE, workers=1)
    rows = found.logs.select(["log_id", "sightings", "unreadable"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [("an", 1, 1)]
    where = "log an: row 1 of the table: seen_at is in milliseconds: divide it by 1000"
    assert found.first_unreadable == where
    reason = "log binh: row 2 of the table: seen_at must be UTC Unix seconds"
    assert found.to_json()["unusable_logs"] == [reason]


def test_rows_of_a_table_without_a_log_are_named() -> None:
    found = match_many(table(log_id=["an", None, "binh"]), FILE, workers=1)
    assert found.logs.column("sightings").to_pylist() == [1, 1]
    said = "row 1 of the table: log_id must be text or a whole number"
    assert found.unusable_logs == (said,)
    found = match_many(table(log_id=["an", None, None]), FILE, workers=1)
    assert found.unusable_logs == (f"{said}; 1 more without a log",)


def test_a_row_or_a_log_of_a_dict_that_cannot_be_read_keeps_the_others(tmp_path: Path) -> None:
    def columns(*seen_at: int) -> Any:
        return table(seen_at=[*seen_at], log_id=None)

    with log_file(tmp_path).open("a") as file:
        file.write("{}\n")
    given: dict[Any, Any] = {
        "bad": columns(-1, -1, -1),
        "an": columns(START * 600, -1, START * 600),
        "binh": tmp_path / "an.jsonl",
        "chi": [],
        "missing": tmp_path / "none.jsonl",
        "dung": LOGS["an"],
    }
    for workers in (1, 2):
        found = match_many(given, FILE, workers=workers)
        rows = found.logs.select(["log_id", "sightings", "unreadable"]).to_pylist()
        wanted = [("an", 2, 1), ("binh", 2, 1), ("chi", 0, 0), ("dung", 2, 0)]
        assert [tuple(row.values()) for row in rows] == wanted
        assert found.first_unreadable.startswith("log an: row 1 of the table: seen_at must be")
        bad, missing = found.unusable_logs
        assert bad.startswith("log bad: row 0 of the table: seen_at must be UTC")
        assert missing.startswith("log missing: ")
        assert found.to_json()["matched_sightings"] == 5


def test_sightings_of_unknown_strength_are_counted_in_every_form(tmp_path: Path) -> None:
    # Bluetooth-Devices/bleak-retry-connector#42: 0 is what hosts report for unknown.
    logs = {
        "an": [heard(key(), START, rssi=127), heard(key(), START + 1, rssi=(0, -60))],
        "binh": [
            heard(key(), START, rssi=(0, 0)),
            heard(key(), START, rssi=0, suspect=True),
            heard(key(), START + 1),
        ],
    }
    for log_id, log in logs.items():
        write_json_lines(tmp_path / log_id, log)
    for given in (logs, ManyLogs.from_sightings(logs), tmp_path):
        for memory in (1, 1 << 20):
            found = match_many(given, FILE, workers=1, memory=memory)
            assert found.logs.column("unmeasured_sightings").to_pylist() == [1, 1]
            assert found.to_json()["unmeasured_sightings"] == 2
            assert ", 2 of unknown strength" in str(found)


@pytest.mark.parametrize(
    ("logs", "error", "said"),
    [
        (7, InvalidValue, "many logs are a path, ManyLogs, a table with a column log_id or a dict"),
        (LOGS["an"], InvalidValue, "many logs are a path, ManyLogs, a table"),
        ({"an": [], 7: []}, InvalidValue, "ids of logs must be all text or all whole numbers"),
        ({"an": [7]}, InvalidValue, "a log is a path, a DataFrame, an Arrow table or Sighting"),
        (table(log_id=None), InvalidLog, "the table has no column log_id: add it"),
        (table(log_id=[1.5, 2.5, 3.5]), InvalidLog, "row 0 of the table: log_id must be text"),
        (table(rssi_dbm=[-1.5, -2.5, -3.5]), InvalidLog, "row 0 of the table: rssi_dbm must be"),
        (table(seen_at=["a", "b", "c"]), InvalidLog, "column seen_at must hold UTC Unix seconds"),
        ({"an": table(log_id=None, aem=None)}, InvalidLog, "the table has no column aem"),
    ],
)
def test_anything_else_is_one_line(logs: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error) as refused:
        as_logs(logs)
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("form", ["objects", "table", "folder"])
def test_a_time_in_the_future_does_not_make_the_others_old(tmp_path: Path, form: str) -> None:
    """Else a log that `match` calls high would be called harmless."""
    later = replace(heard(key("stranger"), START), seen_at=int(time.time()) + 40 * 86_400)
    log = [*(heard(key(), START + number) for number in range(4)), later]
    given: Any = {"an": log}
    if form == "table":
        given = ManyLogs.from_sightings(given)
    elif form == "folder":
        write_json_lines(tmp_path / "an", log)
        given = tmp_path
    result = match_many(given, FILE, workers=1)
    [row] = result.logs.to_pylist()
    assert row["level"] == match(log, FILE).assessment.level
    assert row["matched_sightings"] == 4
    assert result.days.num_rows == 1
