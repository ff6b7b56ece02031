"""What `match_many` takes as logs, and how it refuses anything else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from matcher.many.inputs import as_logs
from matcher.many.logs import ManyLogs
from matcher.many.matching import match_many
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


@pytest.mark.parametrize(
    ("logs", "error", "said"),
    [
        (7, InvalidValue, "many logs are a path, ManyLogs, a table with a column log_id or a dict"),
        (LOGS["an"], InvalidValue, "many logs are a path, ManyLogs, a table"),
        ({"an": [], 7: []}, InvalidValue, "ids of logs must be all text or all whole numbers"),
        ({"an": [7]}, InvalidValue, "a log is a path, a DataFrame, an Arrow table or Sighting"),
        (table(log_id=None), InvalidLog, "the table has no column log_id: add it"),
        (table(log_id=["an", None, "b"]), InvalidLog, "row 1 of the table: log_id must be text"),
        (table(rssi_dbm=[-1, -2, -3.5]), InvalidLog, "row 2 of the table: rssi_dbm must be"),
    ],
)
def test_anything_else_is_one_line(logs: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error) as refused:
        as_logs(logs)
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)
