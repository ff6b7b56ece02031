"""Parquet files that are not what they should be: one line, and nothing more."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.many import parquet as parquet_logs
from matcher.many.matching import match_many
from tests.matcher.examples import START, heard, key
from tests.matcher.many import examples as worlds
from tracing_core.errors import InvalidLog, TracingError
from tracing_core.export_file import ExportFile

EXPORT = ExportFile(START * 600, START * 600 + 86400, "VN", [key()])
LOGS: dict[Any, Any] = {
    f"log-{number}": [heard(key(), START + number), heard(key("nobody"), START + number)]
    for number in range(20)
}
TABLE = pa.Table.from_pylist(worlds.rows(LOGS), worlds.SCHEMA)


def refusal(path: Path, table: pa.Table | None = None) -> str:
    if table is not None:
        pq.write_table(table, path)
    with pytest.raises(InvalidLog) as caught:
        match_many(path, [EXPORT], workers=1)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def replaced(name: str, column: Any) -> pa.Table:
    at = TABLE.schema.get_field_index(name)
    return TABLE.set_column(at, name, column)


def with_null(name: str) -> pa.Table:
    values = TABLE.column(name).to_pylist()
    values[0] = None
    return replaced(name, pa.array(values, worlds.SCHEMA.field(name).type))


@pytest.mark.parametrize("name", ["log_id", "rpi", "aem", "rssi_dbm", "seen_at"])
def test_a_missing_column_is_named(tmp_path: Path, name: str) -> None:
    assert f"no column {name}" in refusal(tmp_path / "a.parquet", TABLE.drop_columns([name]))


@pytest.mark.parametrize("name", ["previous_scan_at", "clock_suspect"])
def test_an_optional_column_may_be_missing(tmp_path: Path, name: str) -> None:
    pq.write_table(TABLE.drop_columns([name]), tmp_path / "a.parquet")
    assert match_many(tmp_path / "a.parquet", [EXPORT], workers=1).matches.num_rows == len(LOGS)


def with_value(name: str, row: int, value: Any, table: pa.Table = TABLE) -> pa.Table:
    values = table.column(name).to_pylist()
    values[row] = value
    kind = pa.list_(pa.int16()) if name == "rssi_dbm" else table.schema.field(name).type
    at = table.schema.get_field_index(name)
    return table.set_column(at, name, pa.array(values, kind))


@pytest.mark.parametrize("statistics", [True, False])
@pytest.mark.parametrize("row_group_size", [3, 1 << 20])
@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("rpi", None, "rpi is missing"),
        ("aem", None, "aem is missing"),
        ("rssi_dbm", [], "rssi_dbm must have at least one sample"),
        ("seen_at", None, "seen_at is missing"),
        ("seen_at", -1, "seen_at must be UTC Unix seconds"),
        ("seen_at", 1629885600000, "seen_at is in milliseconds: divide it by 1000"),
        ("previous_scan_at", -5, "previous_scan_at must be UTC Unix seconds"),
        ("clock_suspect", None, "clock_suspect is missing"),
    ],
)
def test_one_wrong_row_never_takes_the_others_with_it(
    tmp_path: Path, name: str, value: Any, reason: str, row_group_size: int, statistics: bool
) -> None:
    # Issue 9, F11; milliseconds are those of DP-3T/dp3t-sdk-backend#212.
    path = tmp_path / "a.parquet"
    # Row 2 is the first of log-1, which met the key; row 5 is of log-2 and met none.
    table = with_value(name, 5, value, with_value(name, 2, value))
    pq.write_table(table, path, row_group_size=row_group_size, write_statistics=statistics)
    for memory in (1, 1 << 20):
        found = match_many(path, [EXPORT], workers=1, memory=memory)
        rows = {row["log_id"]: row for row in found.logs.to_pylist()}
        assert len(rows) == len(LOGS)
        counts = {log_id: (row["sightings"], row["unreadable"]) for log_id, row in rows.items()}
        assert counts == dict.fromkeys(LOGS, (2, 0)) | {"log-1": (1, 1), "log-2": (1, 1)}
        assert {log_id for log_id, row in rows.items() if row["matched_keys"]} == {*LOGS} - {
            "log-1"
        }
        facts = found.to_json()
        place = f"{path}, log log-1, row group 0, row 2"
        assert (facts["unreadable"], facts["first_unreadable"]) == (2, f"{place}: {reason}")
        assert facts["unusable_logs"] == []
        assert f"2 lines or rows that cannot be read; the first: {place}" in str(found)


def test_a_log_that_is_wrong_in_every_row_is_named_and_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(with_value("seen_at", 1, -1, with_value("seen_at", 0, -1)), path)
    for memory in (1, 1 << 20):
        found = match_many(path, [EXPORT], workers=1, memory=memory)
        assert found.logs.column("log_id").to_pylist() == sorted(LOGS)[1:]
        place = f"{path}, log log-0, row group 0, row 0: seen_at must be UTC Unix seconds"
        facts = found.to_json()
        assert (facts["unreadable"], facts["unusable_logs"]) == (0, [place])


def test_rows_without_a_log_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(with_null("log_id"), path)
    found = match_many(path, [EXPORT], workers=1)
    assert found.logs.num_rows == len(LOGS)
    assert found.unusable_logs == (f"{path}, row group 0, row 0: log_id is missing",)


@pytest.mark.parametrize("statistics", [True, False])
def test_sightings_of_unknown_strength_are_counted(tmp_path: Path, statistics: bool) -> None:
    # Bluetooth-Devices/bleak-retry-connector#42: 0 is what hosts report for unknown.
    path = tmp_path / "a.parquet"
    table = TABLE
    for row, samples in ((0, [127]), (1, [0]), (2, None), (3, [None, 300]), (4, [127, -60])):
        table = with_value("rssi_dbm", row, samples, table)
    for number, wanted in enumerate((table, with_value("clock_suspect", 1, True, table))):
        pq.write_table(wanted, path, write_statistics=statistics)
        found = match_many(path, [EXPORT], workers=1)
        counts = [row["unmeasured_sightings"] for row in found.logs.to_pylist()]
        assert (counts[0], sum(counts)) == (2 - number, 4 - number)
        assert found.to_json()["unmeasured_sightings"] == 4 - number
        assert found.to_json()["unreadable"] == 0
        assert f", {4 - number} of unknown strength" in str(found)


def test_one_sample_of_unknown_strength_each(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    samples = [127, 0, None] + [-60] * (len(TABLE) - 3)
    pq.write_table(replaced("rssi_dbm", pa.array(samples, pa.int8())), path)
    assert match_many(path, [EXPORT], workers=1).to_json()["unmeasured_sightings"] == 3


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("rpi", [b"x" * 16] * len(TABLE)),
        ("rpi", pa.array([b"x" * 15] * len(TABLE), pa.binary(15))),
        ("aem", ["text"] * len(TABLE)),
        ("rssi_dbm", [-60.5] * len(TABLE)),
        ("seen_at", ["now"] * len(TABLE)),
        ("seen_at", pa.array([0] * len(TABLE), pa.timestamp("s"))),
        ("clock_suspect", [0] * len(TABLE)),
        ("log_id", [1.5] * len(TABLE)),
    ],
)
def test_another_type_is_named(tmp_path: Path, name: str, column: Any) -> None:
    column = column if isinstance(column, pa.Array) else pa.array(column)
    assert f"column {name} must be" in refusal(tmp_path / "a.parquet", replaced(name, column))


@pytest.mark.parametrize("moment", [-1, 10**11, 2**63 - 1])
def test_a_time_outside_the_protocol_is_refused(tmp_path: Path, moment: int) -> None:
    column = pa.array([moment] * len(TABLE), pa.int64())
    assert "seen_at" in refusal(tmp_path / "a.parquet", replaced("seen_at", column))


def test_milliseconds_are_named_as_such(tmp_path: Path) -> None:
    # DP-3T/dp3t-sdk-backend#212
    column = pa.array([1629885600000] * len(TABLE), pa.int64())
    said = refusal(tmp_path / "a.parquet", replaced("seen_at", column))
    assert "row group 0, row 0: seen_at is in milliseconds: divide it by 1000" in said


def test_unsigned_times_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    column = pa.array([2**64 - 1] * len(TABLE), pa.uint64())
    refusal(tmp_path / "a.parquet", replaced("seen_at", column))


def test_numbers_of_logs_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    numbers = pa.array([2**63] * TABLE.num_rows, pa.uint64())
    refusal(tmp_path / "a.parquet", replaced("log_id", numbers))
    refusal(tmp_path / "b.parquet", replaced("log_id", numbers.dictionary_encode()))


def test_names_that_no_row_has_are_no_logs(tmp_path: Path) -> None:
    names = TABLE.column("log_id").combine_chunks().dictionary_encode()
    more = pa.DictionaryArray.from_arrays(
        names.indices, pa.concat_arrays([names.dictionary, pa.array(["nobody"])])
    )
    pq.write_table(replaced("log_id", more), tmp_path / "a.parquet")
    found = match_many(tmp_path / "a.parquet", [EXPORT], workers=1).logs
    assert found.column("log_id").to_pylist() == sorted(LOGS)


def test_rows_without_a_sample_are_refused(tmp_path: Path) -> None:
    column = pa.array([[]] * len(TABLE), pa.list_(pa.int8()))
    said = refusal(tmp_path / "a.parquet", replaced("rssi_dbm", column))
    assert "row 0: rssi_dbm must have at least one sample" in said


@pytest.mark.parametrize("kind", [pa.int8(), pa.int32(), pa.large_list(pa.int16())])
def test_samples_may_be_one_or_several_of_any_width(tmp_path: Path, kind: pa.DataType) -> None:
    value: Any = [-60] if pa.types.is_large_list(kind) else -60
    table = replaced("rssi_dbm", pa.array([value] * len(TABLE), kind))
    pq.write_table(table, tmp_path / "a.parquet")
    assert match_many(tmp_path / "a.parquet", [EXPORT], workers=1).matches.num_rows == len(LOGS)


def test_names_of_logs_may_be_a_dictionary_or_long(tmp_path: Path) -> None:
    names = TABLE.column("log_id").combine_chunks()
    for column in (names.dictionary_encode(), names.cast(pa.large_string())):
        pq.write_table(replaced("log_id", column), tmp_path / "a.parquet", row_group_size=7)
        result = match_many(tmp_path / "a.parquet", [EXPORT], workers=1)
        assert result.logs.num_rows == len(LOGS)


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    twice = TABLE.append_column("rpi", TABLE.column("rpi"))
    assert "2 columns rpi" in refusal(tmp_path / "a.parquet", twice)


def test_text_in_one_file_and_numbers_in_another_are_refused(tmp_path: Path) -> None:
    pq.write_table(TABLE, tmp_path / "a.parquet")
    numbers = pa.array(range(len(TABLE)), pa.int64())
    pq.write_table(replaced("log_id", numbers), tmp_path / "b.parquet")
    with pytest.raises(InvalidLog, match="log_id is text in some files"):
        match_many(tmp_path, [EXPORT], workers=1)


def test_row_groups_beyond_the_bound_are_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_logs, "LARGEST_ROW_GROUP", len(TABLE) - 1)
    assert "smaller row groups" in refusal(tmp_path / "a.parquet", TABLE)


def test_a_file_without_a_row_group_is_no_log(tmp_path: Path) -> None:
    path = tmp_path / "logs.parquet"
    pq.ParquetWriter(path, worlds.SCHEMA).close()
    for workers in (1, 2):
        result = match_many(path, [EXPORT], workers=workers)
        assert (result.logs.num_rows, result.diagnosis_keys) == (0, 1)


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(TABLE, path)
    whole = path.read_bytes()
    for length in (4, 8, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert "cannot be read as Parquet" in refusal(path)


@given(st.data())
@settings(max_examples=60)
def test_a_damaged_file_gives_an_error_of_ours_or_an_answer(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "a.parquet"
    pq.write_table(TABLE, path, row_group_size=16)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(TracingError):
        match_many(path, [EXPORT], workers=1)
