"""The diary of NZ COVID Tracer: read whole, in bounded memory, without its notes."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ble_agent.messages.explanation import explain
from ble_agent.store.database import open_store
from ble_agent.store.importers import import_log
from ble_agent.store.importers.diary import LARGEST_DIARY_BYTES, DiaryVisit, is_diary, read_diary
from tracing_core.errors import InvalidLog, LogFault
from tracing_core.store.left_out import LeftOut

START_MS = 1_629_885_300_123
ENTRY = {
    "id": "a1",
    "startDate": START_MS,
    "name": "Café Ōtepoti",
    "address": "1 The Octagon",
    "globalLocationNumber": "9429300000000",
    "details": "with Mere and Tāne",
    "type": "scan",
    "isFavourite": False,
}
VISIT = DiaryVisit(START_MS // 1000, "Café Ōtepoti", "1 The Octagon", "9429300000000", "scan")


def read(path: Path, data: bytes | object) -> tuple[list[DiaryVisit], LeftOut]:
    path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
    left_out = LeftOut()
    return list(read_diary(path, left_out)), left_out


def test_every_visit_is_read_without_its_notes(tmp_path: Path) -> None:
    short = {"id": "b", "startDate": 0, "name": "Beach", "type": "manual"}
    nulls = {**ENTRY, "address": None, "globalLocationNumber": None, "type": "nfc"}
    visits, left_out = read(tmp_path / "d", [ENTRY, short, nulls])
    assert visits == [
        VISIT,
        DiaryVisit(0, "Beach", "", "", "manual"),
        DiaryVisit(START_MS // 1000, "Café Ōtepoti", "", "", "nfc"),
    ]
    assert left_out.unreadable == 0
    assert "Mere" not in repr([vars_of(each) for each in visits])
    # Nothing of a place in a log or a traceback.
    assert "Ōtepoti" not in repr(visits)


def vars_of(visit: DiaryVisit) -> list[object]:
    return [getattr(visit, name) for name in DiaryVisit.__slots__]


@pytest.mark.parametrize(
    "form",
    [
        json.dumps([ENTRY], ensure_ascii=False).encode(),
        b"\xef\xbb\xbf" + json.dumps([ENTRY], indent=2).encode() + b"\r\n",
        b" [ " + json.dumps(ENTRY).encode() + b" ] ",
    ],
    ids=["plain", "indented", "spaced"],
)
def test_any_form_of_the_json_is_read(tmp_path: Path, form: bytes) -> None:
    assert is_diary(form)
    assert read(tmp_path / "d", form)[0] == [VISIT]


@pytest.mark.parametrize(
    "change",
    [
        {"startDate": None},
        {"startDate": -1},
        {"startDate": True},
        {"startDate": 1.5},
        {"startDate": 10**18},
        {"startDate": "1629885300123"},
        {"name": None},
        {"name": " "},
        {"name": 5},
        {"name": "x" * 501},
        {"name": "a\x1b[2J"},
        {"name": "a\ud800"},
        {"address": []},
        {"globalLocationNumber": "942930000000"},
        {"globalLocationNumber": "٩٤٢٩٣٠٠٠٠٠٠٠٠"},
        {"globalLocationNumber": 9429300000000},
        {"type": "checkpoint"},
        {"type": None},
        {"type": ["scan"]},
    ],
    ids=lambda change: ascii(change)[:30],
)
def test_a_wrong_entry_is_counted_and_the_others_are_read(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    visits, left_out = read(tmp_path / "d", [ENTRY, {**ENTRY, **change}, 7, None, ENTRY])
    assert visits == [VISIT, VISIT]
    assert left_out.unreadable == 3
    assert "entry 2" in str(left_out.first_unreadable)
    with pytest.raises(InvalidLog) as refused:
        read(tmp_path / "d", [{**ENTRY, **change}])
    assert refused.value.fault is LogFault.LINE


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b"",
        b"[" + json.dumps(ENTRY).encode(),
        b"[" + json.dumps(ENTRY).encode() + b",]",
        b"[" + json.dumps(ENTRY).encode() + b" " + json.dumps(ENTRY).encode() + b"]",
        json.dumps([ENTRY]).encode() + b"x",
        b'["\xff"]',
        b"[" * 100_000,
        b"[" + b'{"a":' * 100_000,
        b"[" + b" " * LARGEST_DIARY_BYTES + b"]",
    ],
    ids=["object", "empty", "cut", "comma", "none", "more", "latin", "deep", "nested", "large"],
)
def test_what_is_no_array_to_its_end_is_damaged(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InvalidLog) as refused:
        read(tmp_path / "d", data)
    assert refused.value.fault is LogFault.DAMAGED
    assert "\n" not in str(refused.value)


def test_memory_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "d"
    path.write_bytes(b"[" + b"{}," * (LARGEST_DIARY_BYTES // 3 - 2) + b"{}]")
    tracemalloc.start()
    try:
        with pytest.raises(InvalidLog):
            list(read_diary(path, LeftOut()))
        assert tracemalloc.get_traced_memory()[1] < 6 * LARGEST_DIARY_BYTES
    finally:
        tracemalloc.stop()


@given(
    st.binary(max_size=300)
    | st.builds(
        lambda cut, more: json.dumps([ENTRY, ENTRY]).encode()[:cut] + more,
        st.integers(0, 500),
        st.binary(max_size=20),
    )
)
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("diary") / "d"
    path.write_bytes(data)
    left_out = LeftOut()
    try:
        visits = list(read_diary(path, left_out))
    except InvalidLog:
        return
    assert all(each == VISIT for each in visits)


def test_the_refusal_counts_the_visits_and_says_what_they_are_good_for(tmp_path: Path) -> None:
    path = tmp_path / "2021-08-25.diary"
    path.write_text(json.dumps([ENTRY, ENTRY, {**ENTRY, "type": "x"}]))
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with open_store(home) as db, pytest.raises(InvalidLog) as refused:
        import_log(db, path, START_MS / 1000)
    error = refused.value
    assert error.fault is LogFault.PLACES
    assert "(visits: 2; unreadable: 1)" in str(error)
    assert "warnings of places" in explain(error, "en")
    assert "(lượt ghé thăm: 2; không đọc được: 1)" in explain(error, "vi")
    assert "cảnh báo về địa điểm" in explain(error, "vi")
    for text in (explain(error, "en"), explain(error, "vi")):
        assert "Mere" not in text
        assert "Octagon" not in text
