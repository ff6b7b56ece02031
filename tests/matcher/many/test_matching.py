"""Many logs at once say what each says alone."""

from __future__ import annotations

import hashlib
import itertools
import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matcher.many.logs import ManyLogs
from matcher.many.matching import match_many
from matcher.many.result import check_new
from matcher.many.source import BYTES_A_SIGHTING
from tests.matcher.examples import START, heard, key, write_database
from tests.matcher.many import examples as worlds
from tracing_core.errors import InvalidLog, InvalidValue, StoreError
from tracing_core.export_file import ExportFile, write_export
from tracing_core.protocol.diagnosis_key import ReportType
from tracing_core.store.sighting import write_json_lines

CAUSE = ReportType.CONFIRMED_TEST
EXPORT = ExportFile(START * 600, START * 600 + 86400, "VN", [key(name) for name in worlds.NAMES])
NEAR = [heard(key(), START + 10 * n, previous=1) for n in range(4)]
LOGS: dict[Any, Any] = {
    "an": NEAR,
    "binh": [],
    "chi": [heard(key("nobody"), START)],
    "dung": [heard(key(name), START + 143) for name in worlds.NAMES],
}
# An identifier that was heard days before it could be true: nothing of it counts.
REPLAYED = [heard(key(), START + 3, at=(START - 1440) * 600), heard(key(), START + 3)]


def equal(result: Any, logs: worlds.Logs, exports: list[ExportFile], **choices: Any) -> None:
    assert worlds.together(result) == worlds.alone(logs, exports, **choices)


@given(
    worlds.logs(),
    worlds.exports(),
    st.sampled_from(["keys", "logs"]),
    st.sampled_from([1, 3, 1000]),
    st.sampled_from([None, START // 144 + 13]),
)
@example({"a": REPLAYED}, [EXPORT], "keys", 1, None)
@example({"a": REPLAYED, "b": NEAR}, [EXPORT], "logs", 1, None)
def test_many_logs_say_what_each_says_alone(
    logs: worlds.Logs, exports: list[ExportFile], side: str, sightings: int, today: int | None
) -> None:
    result = match_many(
        ManyLogs.from_sightings(logs),
        exports,
        workers=1,
        today=today,
        research=True,
        side=side,
        memory=sightings * BYTES_A_SIGHTING,
    )
    equal(result, logs, exports, today=today)
    assert result.diagnosis_keys == len(
        {each.key_data for file in exports for each in [*file.keys, *file.revised_keys]}
    )


@given(worlds.logs(), worlds.exports(), st.integers(1, 5), st.booleans())
@settings(max_examples=40)
def test_parquet_says_the_same_however_its_rows_lie(
    tmp_path_factory: pytest.TempPathFactory,
    logs: worlds.Logs,
    exports: list[ExportFile],
    size: int,
    by_time: bool,
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    path = worlds.write_parquet(folder / "a.parquet", logs, row_group_size=size, by_time=by_time)
    ordered = {
        log_id: sorted(log, key=lambda one: one.seen_at) if by_time else log
        for log_id, log in logs.items()
    }
    result = match_many(path, exports, workers=1, research=True, memory=BYTES_A_SIGHTING)
    equal(result, {log_id: log for log_id, log in ordered.items() if log}, exports)


def logs_in_files(folder: Path) -> Path:
    folder.mkdir()
    names = itertools.cycle([".jsonl", ".db", ".jsonl.gz"])
    for (log_id, log), suffix in zip(LOGS.items(), names, strict=False):
        write = write_database if suffix == ".db" else write_json_lines
        write(folder / f"{log_id}{suffix}", log)
    return folder


def without_ids(tables: tuple[list[dict[str, Any]], ...]) -> list[list[dict[str, Any]]]:
    return [[{**row, "log_id": row["log_id"].split(".")[0]} for row in table] for table in tables]


def test_a_folder_of_logs_says_what_parquet_says(tmp_path: Path) -> None:
    folder = logs_in_files(tmp_path / "logs")
    # What lies beside the logs is none.
    (folder / ".hidden").write_text("no log")
    (folder / "binh.db-wal").write_bytes(b"")
    parquet = worlds.write_parquet(tmp_path / "logs.parquet", LOGS)
    of_folder = worlds.together(match_many(folder, [EXPORT], workers=1, research=True))
    of_parquet = worlds.together(match_many(parquet, [EXPORT], workers=1, research=True))
    # Parquet has no row for a log without a sighting; a file says that there is one.
    assert [row["log_id"] for row in of_folder[0]] == [
        "an.jsonl",
        "binh.db",
        "chi.jsonl.gz",
        "dung.jsonl",
    ]
    of_folder[0].pop(1)
    assert without_ids(of_folder) == without_ids(of_parquet)
    assert of_parquet[0][2]["matched_keys"] == len(worlds.NAMES)


def test_numbers_name_logs_and_sort_as_numbers(tmp_path: Path) -> None:
    logs: dict[Any, Any] = dict.fromkeys((10, 9, 100), NEAR)
    path = worlds.write_parquet(tmp_path / "logs.parquet", logs, row_group_size=2)
    result = match_many(path, [EXPORT], workers=1, memory=1)
    assert result.logs.column("log_id").to_pylist() == [9, 10, 100]
    assert result.matches.num_rows == 3


def test_a_dataset_of_several_files_is_one(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    (folder / "day=1").mkdir(parents=True)
    (folder / "_temporary").mkdir()
    worlds.write_parquet(folder / "a.parquet", {"an": NEAR[:2], "chi": LOGS["chi"]})
    worlds.write_parquet(folder / "day=1" / "b.parquet", {"an": NEAR[2:], "dung": LOGS["dung"]})
    (folder / "_temporary" / "c.parquet").write_bytes(b"no Parquet")
    whole = worlds.write_parquet(tmp_path / "whole.parquet", LOGS)
    found, wanted = (
        worlds.together(match_many(path, [EXPORT], workers=1, research=True, memory=1))
        for path in (folder, whole)
    )
    assert found == wanted


def test_threads_and_processes_say_what_one_says(tmp_path: Path) -> None:
    logs: dict[Any, Any] = {
        f"{name}-{number}": log for number in range(5) for name, log in LOGS.items()
    }
    path = worlds.write_parquet(tmp_path / "logs.parquet", logs, row_group_size=7)
    one = match_many(path, [EXPORT], workers=1, memory=1, research=True)
    two = match_many(path, [EXPORT], workers=2, memory=1, research=True)
    with ThreadPoolExecutor(3) as pool:
        threads = match_many(path, [EXPORT], executor=pool, memory=1, research=True)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        shared = tmp_path / "new" / "folder"
        given = match_many(path, [EXPORT], executor=pool, shared=shared, research=True)
    assert worlds.together(one) == worlds.together(given)
    columns = match_many(ManyLogs.from_sightings(logs), [EXPORT], workers=2, research=True)
    assert one.logs.num_rows == 15
    assert worlds.together(one) == worlds.together(two) == worlds.together(threads)
    assert worlds.together(one)[1:] == worlds.together(columns)[1:]
    assert columns.logs.num_rows == 20


def test_without_research_windows_are_in_an_order_that_tells_nothing() -> None:
    keys = [key(name) for name in worlds.NAMES]
    log = [heard(each, START + 3, rssi=-70 + place) for place, each in enumerate(keys)]
    logs = ManyLogs.from_sightings({"a": log})
    orders = [
        match_many(logs, [ExportFile(0, 600, "VN", order)], workers=1)
        for order in (keys, keys[::-1])
    ]
    assert orders[0].exposure_windows.equals(orders[1].exposure_windows)
    assert orders[0].matches.equals(orders[1].matches)


@pytest.mark.parametrize("kernel", ["portable", "table"])
def test_other_kernels_say_the_same(monkeypatch: pytest.MonkeyPatch, kernel: str) -> None:
    logs = ManyLogs.from_sightings(LOGS)
    wanted = worlds.together(match_many(logs, [EXPORT], workers=1))
    monkeypatch.setenv("TRUYVET_KERNEL", kernel)
    for side in ("keys", "logs"):
        assert worlds.together(match_many(logs, [EXPORT], workers=1, side=side)) == wanted


def test_nothing_matches_nothing() -> None:
    none = ManyLogs.from_sightings({})
    assert match_many(none, [EXPORT], workers=1).logs.num_rows == 0
    empty = ExportFile(0, 600, "VN", [])
    result = match_many(ManyLogs.from_sightings(LOGS), [empty], workers=1)
    assert result.to_json()["matched_logs"] == 0
    assert result.logs.num_rows == len(LOGS)
    result = match_many(ManyLogs.from_sightings(LOGS), [], workers=1)
    assert (result.logs.num_rows, result.diagnosis_keys) == (len(LOGS), 0)


def test_a_folder_of_both_kinds_of_logs_is_refused(tmp_path: Path) -> None:
    worlds.write_parquet(tmp_path / "a.parquet", LOGS)
    (tmp_path / "README").write_text("not a log")
    (tmp_path / "folder").mkdir()
    assert match_many(tmp_path, [EXPORT], workers=1).logs.num_rows == len(LOGS) - 1
    write_json_lines(tmp_path / "b.jsonl", NEAR)
    with pytest.raises(InvalidLog, match=r"b\.jsonl is not Parquet like the others"):
        match_many(tmp_path, [EXPORT], workers=1)


def test_a_log_whose_name_is_not_text_is_refused(tmp_path: Path) -> None:
    write_json_lines(tmp_path / os.fsdecode(b"\xff.jsonl"), NEAR)
    with pytest.raises(InvalidLog, match="name is not valid text"):
        match_many(tmp_path, [EXPORT], workers=1)


def test_names_that_are_not_text(tmp_path: Path) -> None:
    def called(name: bytes) -> Path:
        return tmp_path / os.fsdecode(name)

    called(b"\xff.zip").write_bytes(write_export(EXPORT, []))
    logs = ManyLogs.from_sightings(LOGS)
    result = match_many(logs, [called(b"\xff.zip")], workers=1, research=True)
    files = set(result.matches.column("file").to_pylist())
    assert files == {f"{tmp_path}/\\udcff.zip"}
    result.write(called(b"\xff.out"))
    assert len(list(called(b"\xff.out").iterdir())) == 4
    worlds.write_parquet(tmp_path / "logs", LOGS).rename(called(b"\xff.parquet"))
    with pytest.raises(InvalidLog, match="cannot be read as Parquet"):
        match_many(called(b"\xff.parquet"), [EXPORT], workers=1)


def test_keys_at_both_ends_of_time_take_no_more_memory_than_time_has_days() -> None:
    keys = [key("first", start=0), key("last", start=2**32 - 144), key()]
    logs = ManyLogs.from_sightings(
        {
            "a": [
                heard(keys[0], 0, at=0),
                heard(keys[1], 2**32 - 1, at=2**32 * 600 - 1),
                heard(keys[2], START),
            ]
        }
    )
    for side in ("keys", "logs"):
        result = match_many(logs, [ExportFile(0, 600, "VN", keys)], workers=1, side=side)
        assert result.matches.num_rows == 3


def test_choices_outside_what_they_may_be_are_refused(tmp_path: Path) -> None:
    logs = ManyLogs.from_sightings(LOGS)
    for choice in ({"workers": 0}, {"memory": 0}, {"side": "both"}):
        with pytest.raises(InvalidValue):
            match_many(logs, [EXPORT], **choice)  # type: ignore[arg-type]
    with pytest.raises(StoreError):
        match_many(tmp_path / "absent", [EXPORT])
    with pytest.raises(InvalidLog, match="holds no log"):
        match_many(tmp_path, [EXPORT])


def test_columns_of_another_kind_are_refused() -> None:
    logs = ManyLogs.from_sightings(LOGS)
    fields = {name: getattr(logs, name) for name in logs.__slots__}
    for name, column in (
        ("log", fields["log"].astype("int64")),
        ("log", fields["log"] + 9),
        ("seen_at", fields["seen_at"] - 2**40),
        ("rpi", fields["rpi"][:, :8]),
        ("rssi_end", fields["rssi_end"][1:]),
    ):
        with pytest.raises(InvalidValue):
            ManyLogs(**{**fields, name: column})


def test_an_object_is_not_taken_for_a_file_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exports[0]").write_text("something else")
    result = match_many(ManyLogs.from_sightings(LOGS), [EXPORT], workers=1)
    assert result.provenance.key_files == {"exports[0]": None}


def test_provenance_is_of_the_files_that_were_read(tmp_path: Path) -> None:
    path = tmp_path / "keys.zip"
    path.write_bytes(write_export(EXPORT, []))
    read = hashlib.sha256(path.read_bytes()).hexdigest()

    def remove(step: str) -> None:
        if step.startswith("matched part"):
            path.unlink(missing_ok=True)

    logs = ManyLogs.from_sightings(LOGS)
    result = match_many(logs, [path], workers=1, progress=remove)
    assert result.provenance.key_files == {str(path): read}


def test_results_replace_no_folder_one_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StoreError, match="name a new folder"):
        check_new(Path("."))


def test_written_tables_appear_whole_with_their_provenance(tmp_path: Path) -> None:
    import json

    import pyarrow.parquet as pq

    result = match_many(ManyLogs.from_sightings(LOGS), [EXPORT], workers=1)
    result.write(tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [
        "daily_summaries.parquet",
        "exposure_windows.parquet",
        "logs.parquet",
        "matches.parquet",
    ]
    for name in names:
        table = pq.read_table(tmp_path / "out" / name)
        told = json.loads(table.schema.metadata[b"truyvet"])
        assert told["configuration"]["name"] == "narrow-v2"
        assert len(told["configuration"]["sha256"]) == 64
        assert told["key_files"] == [{"name": "exports[0]", "sha256": None}]
        assert told["diagnosis_keys"] == len(worlds.NAMES)
    with pytest.raises(StoreError, match="exists already"):
        result.write(tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
