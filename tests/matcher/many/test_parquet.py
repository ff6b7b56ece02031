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


@pytest.mark.parametrize("name", ["log_id", "rpi", "aem", "rssi_dbm", "seen_at", "clock_suspect"])
def test_a_null_is_refused(tmp_path: Path, name: str) -> None:
    assert f"column {name} has nulls" in refusal(tmp_path / "a.parquet", with_null(name))


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


@pytest.mark.parametrize("samples", [[], [None], None])
def test_samples_outside_the_protocol_are_refused(tmp_path: Path, samples: Any) -> None:
    column = pa.array([samples] * len(TABLE), pa.list_(pa.int8()))
    assert "rssi_dbm" in refusal(tmp_path / "a.parquet", replaced("rssi_dbm", column))


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
