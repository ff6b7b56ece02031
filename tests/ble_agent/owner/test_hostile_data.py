"""Pages with all data that were cut, changed, inflated or forged: one line, and nothing added."""

from __future__ import annotations

import base64
import json
import re
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ble_agent.messages.explanation import explain
from ble_agent.owner.all_rows import tables_of
from ble_agent.owner.carrying import check_value
from ble_agent.owner.restoring import is_restorable, restore
from ble_agent.store.database import open_store
from ble_agent.store.importers import import_log
from ble_agent.store.importers.all_data import DATA_BEGINS, DATA_ENDS, LONGEST_RECORD
from tests.ble_agent.fake_server import FakeServer
from tests.ble_agent.owner.whole_store import NOW, VALUES, exported, fill, joined, new_home
from tracing_core.errors import InvalidLog, InvalidValue, SchemaMismatch, TracingError
from tracing_core.store.database import Database

Records = list[Any]


@pytest.fixture
def page(tmp_path: Path, server: FakeServer) -> bytes:
    home = new_home(tmp_path / "old")
    with open_store(home) as db:
        joined(db, server)
        fill(db)
    return exported(home, tmp_path / "all.html").read_bytes()


@pytest.fixture
def db_home(tmp_path: Path) -> Path:
    return new_home(tmp_path / "new")


def records(page: bytes) -> Records:
    data = page.partition(DATA_BEGINS.encode())[2].partition(DATA_ENDS.encode())[0]
    packed = b"".join(base64.b64decode(line) for line in data.split())
    return [json.loads(line) for line in zlib.decompress(packed, wbits=31).splitlines()]


def page_of(data: bytes) -> bytes:
    head = b'<!DOCTYPE html>\n<!-- truyvet all data 1 -->\n<html><template id="data">\n'
    return head + base64.b64encode(data) + b"\n</template></html>\n"


def packed(lines: list[bytes]) -> bytes:
    packing = zlib.compressobj(9, wbits=31)
    return packing.compress(b"".join(line + b"\n" for line in lines)) + packing.flush()


def forged(found: Records) -> bytes:
    return page_of(packed([json.dumps(each).encode() for each in found]))


def refused(db: Database, path: Path) -> TracingError:
    """Import what cannot be imported, and return the error, which is one line in each language."""
    with pytest.raises(TracingError) as caught:
        restore(db, path, NOW)
    assert not any(db.table(table).count for table in tables_of(db))
    for language in ("vi", "en"):
        text = explain(caught.value, language)
        assert len(text.splitlines()) == 1
        assert ":" in text
    return caught.value


def test_the_page_forged_here_is_as_the_real_one(page: bytes, db_home: Path) -> None:
    path = db_home.parent / "forged.html"
    path.write_bytes(forged(records(page)))
    with open_store(db_home) as db:
        assert restore(db, path, NOW).kept == 6


def test_a_page_that_a_browser_saved_again_is_read(page: bytes, db_home: Path) -> None:
    path = db_home.parent / "saved.html"
    saved = page.replace(b"<!DOCTYPE html>\n", b"<!DOCTYPE html>\n<!-- saved from url=(0011)x -->")
    path.write_bytes(b"\xef\xbb\xbf" + saved.replace(b"\n", b"\r\n"))
    with open_store(db_home) as db:
        assert is_restorable(path)
        assert restore(db, path, NOW).kept == 6


def test_cut_anywhere_it_adds_nothing(page: bytes, db_home: Path) -> None:
    path = db_home.parent / "cut.html"
    begins, ends = page.index(DATA_BEGINS.encode()), page.index(DATA_ENDS.encode())
    with open_store(db_home) as db:
        for size in [200, begins, begins + 5, *range(begins + 30, ends + 9, 97), ends + 9]:
            path.write_bytes(page[:size])
            assert isinstance(refused(db, path), InvalidLog)


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_changed_byte_of_the_data_is_seen(page: bytes, db_home: Path, data: Any) -> None:
    begins, ends = page.index(DATA_BEGINS.encode()), page.index(DATA_ENDS.encode())
    at = data.draw(st.integers(begins, ends + len(DATA_ENDS) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda each: each != page[at]))
    path = db_home.parent / "changed.html"
    path.write_bytes(page[:at] + bytes([value]) + page[at + 1 :])
    with open_store(db_home) as db:
        if page[at : at + 1].isspace() and bytes([value]).isspace():
            return
        refused(db, path)


def test_a_newer_version_is_named(page: bytes, db_home: Path) -> None:
    path = db_home.parent / "newer.html"
    with open_store(db_home) as db:
        path.write_bytes(page.replace(b"all data 1 -->", b"all data 2 -->"))
        assert is_restorable(path)
        assert isinstance(refused(db, path), SchemaMismatch)
        about, *others = records(page)
        about["schema"].append("agent m999_later")
        path.write_bytes(forged([about, *others]))
        assert isinstance(refused(db, path), SchemaMismatch)


def test_another_web_page_is_not_taken_for_one(db_home: Path) -> None:
    path = db_home.parent / "page.html"
    path.write_text("<!DOCTYPE html>\n<title>truyvet all data 1</title>\n")
    assert not is_restorable(path)
    with open_store(db_home) as db, pytest.raises(InvalidLog, match="not a log"):
        import_log(db, path, NOW)


_BOMBS: dict[str, Callable[[Records], bytes]] = {
    "zeros": lambda _: packed([b"[" + b" " * (40 << 20) + b"]"]),
    "lines": lambda found: packed([json.dumps(found[0]).encode(), b"[]\n" * (8 << 20)]),
    "long": lambda found: packed([json.dumps(found[0]).encode(), b"[" + b"1," * LONGEST_RECORD]),
    "nested": lambda found: packed([json.dumps(found[0]).encode(), b"[" * 1_000_000]),
    "number": lambda found: packed([json.dumps(found[0]).encode(), b"9" * 1_000_000]),
}


@pytest.mark.parametrize("name", _BOMBS)
def test_a_bomb_takes_little_memory(name: str, page: bytes, db_home: Path) -> None:
    path = db_home.parent / "bomb.html"
    path.write_bytes(page_of(_BOMBS[name](records(page))))
    with open_store(db_home) as db:
        tracemalloc.start()
        try:
            refused(db, path)
            assert tracemalloc.get_traced_memory()[1] < 24 << 20
        finally:
            tracemalloc.stop()


def test_one_endless_line_takes_little_memory(db_home: Path) -> None:
    path = db_home.parent / "endless.html"
    with path.open("wb") as file:
        file.write(b"<!DOCTYPE html>\n<!-- truyvet all data 1 -->\n")
        file.truncate(200 << 20)
    with open_store(db_home) as db:
        tracemalloc.start()
        try:
            refused(db, path)
            assert tracemalloc.get_traced_memory()[1] < 4 << 20
        finally:
            tracemalloc.stop()


def _set(found: Records, name: str, text: str) -> None:
    (row,) = (each for each in found if isinstance(each, list) and each[0] == name)
    row[1] = text


_FORGERIES: dict[str, Callable[[Records], object]] = {
    "no end": lambda found: found.pop(),
    "a row more": lambda found: found.insert(2, ["seen", "{}"]),
    "a row less": lambda found: found.pop(-2),
    "something behind": lambda found: found.append([]),
    "a table twice": lambda found: found.insert(-1, dict(found[1])),
    "no about": lambda found: found.pop(0),
    "no schema": lambda found: found[0].pop("schema"),
    "columns twice": lambda found: found[1].update(columns=["name", "name"]),
    "no columns": lambda found: found[1].update(columns=None),
    "state has no value": lambda found: found[1].update(columns=["name", "x"]),
    "bytes of no column": lambda found: found[1].update(bytes=["x"]),
    "a ledger of numbers": lambda found: _set(found, "ledger", "[1]"),
    "a ledger of no day": lambda found: _set(
        found, "ledger", json.dumps([{**VALUES["ledger"][0], "date": "2026-02-30"}])
    ),
    "a check before 1970": lambda found: _set(
        found, "last_check", '{"at": -1, "level": "none", "days": 0}'
    ),
    "a check after all": lambda found: _set(
        found, "last_check", '{"at": 1e30, "level": "none", "days": 0}'
    ),
    "a report of text": lambda found: _set(found, "report", '"x"'),
    "an unknown field": lambda found: _set(found, "index", '{"sequence": 1, "x": 1}'),
    "a value that is not JSON": lambda found: _set(found, "seen", "{"),
    "half a surrogate": lambda found: _set(found, "notified", '{"2026-12-01": "\\ud800"}'),
    "another authority's line": lambda found: _set(
        found, "membership", '{"line": "x", "documents": [], "config": ""}'
    ),
    "a membership by no file": lambda found: _set(found, "membership", '{"file": {}}'),
}


@pytest.mark.parametrize("name", _FORGERIES)
def test_a_forgery_is_refused(name: str, page: bytes, db_home: Path) -> None:
    found = records(page)
    _FORGERIES[name](found)
    path = db_home.parent / "forged.html"
    path.write_bytes(forged(found))
    with open_store(db_home) as db:
        refused(db, path)


def test_rows_that_no_table_takes_are_counted(page: bytes, db_home: Path) -> None:
    found = records(page)
    head = {"table": "nothing", "columns": ["id"], "bytes": []}
    rows = [[1], [2]]
    end = found.pop()
    end["end"]["nothing"] = 2
    for at, each in enumerate(found):
        if isinstance(each, dict) and each.get("table") == "sighting":
            found[at + 1][each["columns"].index("rpi")] = "00"
            found[at + 2][each["columns"].index("seen_at")] = int(NOW) + 90_000
        if isinstance(each, dict) and each.get("table") == "own_key":
            found[at + 1][each["columns"].index("rolling_start")] += 7
            found[at + 2][each["columns"].index("rolling_start")] += 144 * 5
        if isinstance(each, dict) and each.get("table") == "matched_key":
            found[at + 1][each["columns"].index("report_type")] = 99
    path = db_home.parent / "rows.html"
    path.write_bytes(forged([*found, head, *rows, end]))
    with open_store(db_home) as db:
        report = restore(db, path, NOW)
        assert (report.kept, report.keys) == (4, 1)
        assert {reason.value: count for reason, count in report.refusals()} == {
            "unreadable": 2 + 1 + 1,
            "future": 1 + 2,
        }
        assert db.table("matched_key").count == db.table("heard_day").count == 0


@pytest.mark.parametrize("name", VALUES)
def test_each_value_has_the_shape_that_the_state_says(name: str) -> None:
    assert check_value(name, json.dumps(VALUES[name])) == VALUES[name]
    for wrong in (-1, [[]], {"x": 1}, None, 2**60, [None]):
        with pytest.raises(InvalidValue):
            check_value(name, json.dumps(wrong))


def test_settings_never_come_with_it(page: bytes, db_home: Path, tmp_path: Path) -> None:
    (tmp_path / "old" / "agent.toml").write_text('notify_command = ["/bin/<evil>"]\n')
    file = exported(tmp_path / "old", tmp_path / "all.html")
    assert b"&lt;evil&gt;" in file.read_bytes()
    assert not re.search(rb"<(script|iframe|link|img|object|form)\b", file.read_bytes())
    with open_store(db_home) as db:
        restore(db, file, NOW)
    assert not (db_home / "agent.toml").exists()
