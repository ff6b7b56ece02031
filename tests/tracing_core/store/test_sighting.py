import gzip
import json
import os
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tracing_core.refusals import may_refuse
from tests.tracing_core.strategies import fixed, sightings
from tracing_core.errors import FileIsThere, InvalidLog, InvalidValue, StoreError
from tracing_core.store.sighting import (
    SIGHTING_TABLE,
    Sighting,
    insert_sightings,
    read_json_lines,
    select_sightings,
    write_json_lines,
)
from tracing_core.store.sqlite import open_database, open_readonly, transaction

ONE = Sighting(bytes(range(16)), b"\1\2\3\4", (-60,), 1600000000)
LINE = {"rpi": ONE.rpi.hex(), "aem": "01020304", "rssi_dbm": -60, "seen_at": 1600000000}

logs = st.lists(sightings(), max_size=8)


def stored(path, log):
    db = open_database(path, [SIGHTING_TABLE])
    with transaction(db):
        insert_sightings(db, log)
    db.close()
    db = open_readonly(path, [SIGHTING_TABLE])
    found = list(select_sightings(db))
    db.close()
    return found


@given(logs, st.sampled_from(["log.jsonl", "log.jsonl.gz"]))
@settings(max_examples=25)
def test_nothing_is_lost_between_database_and_json_lines(tmp_path_factory, log, name):
    folder = tmp_path_factory.mktemp("log")
    rows = stored(folder / "one.db", log)
    assert rows == log
    assert write_json_lines(folder / name, rows) == len(log)
    lines = list(read_json_lines(folder / name))
    assert lines == log
    assert stored(folder / "two.db", lines) == log


@given(sightings())
def test_a_line_is_the_contract(tmp_path_factory, sighting):
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    write_json_lines(path, [sighting])
    fields = json.loads(path.read_text())
    assert bytes.fromhex(fields["rpi"]) == sighting.rpi
    assert bytes.fromhex(fields["aem"]) == sighting.aem
    samples = fields["rssi_dbm"]
    assert (samples if isinstance(samples, list) else [samples]) == list(sighting.rssi_dbm)
    assert fields["seen_at"] == sighting.seen_at
    assert fields.get("previous_scan_at") == sighting.previous_scan_at
    assert fields.get("clock_suspect", False) == sighting.clock_suspect


def test_gzip_is_known_by_its_bytes_and_the_same_log_is_the_same_file(tmp_path):
    write_json_lines(tmp_path / "a.gz", [ONE] * 3)
    write_json_lines(tmp_path / "b.gz", [ONE] * 3)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    (tmp_path / "a.gz").rename(tmp_path / "a.jsonl")
    assert list(read_json_lines(tmp_path / "a.jsonl")) == [ONE] * 3


def test_a_log_is_the_owners_alone(tmp_path):
    write_json_lines(tmp_path / "log.jsonl", [ONE])
    assert stat.S_IMODE((tmp_path / "log.jsonl").stat().st_mode) == 0o600


def test_what_lies_where_a_log_is_written_first_is_not_written_through(tmp_path):
    other, part = tmp_path / "other", tmp_path / "log.jsonl.part"
    other.write_text("of somebody else")
    part.symlink_to(other)
    write_json_lines(tmp_path / "log.jsonl", [ONE])
    assert other.read_text() == "of somebody else"
    part.unlink()
    part.write_text("of somebody else too")
    write_json_lines(tmp_path / "log.jsonl", [ONE])
    assert part.read_text() == "of somebody else too"
    assert len(list(tmp_path.iterdir())) == 3
    assert stat.S_IMODE((tmp_path / "log.jsonl").stat().st_mode) == 0o600
    assert list(read_json_lines(tmp_path / "log.jsonl")) == [ONE]


def test_a_name_that_is_taken_meanwhile_is_not_overwritten(tmp_path):
    def rows():
        (tmp_path / "log.jsonl").write_text("written meanwhile")
        yield ONE

    with pytest.raises(FileIsThere, match="--force"):
        write_json_lines(tmp_path / "log.jsonl", rows(), overwrite=False)
    assert (tmp_path / "log.jsonl").read_text() == "written meanwhile"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_disk_without_hard_links_takes_an_export(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", refuse_link)
    write_json_lines(tmp_path / "log.jsonl", [ONE], overwrite=False)
    with pytest.raises(FileIsThere):
        write_json_lines(tmp_path / "log.jsonl", [], overwrite=False)
    assert list(read_json_lines(tmp_path / "log.jsonl")) == [ONE]
    assert len(list(tmp_path.iterdir())) == 1


def refuse_link(*_):
    raise PermissionError(1, "Operation not permitted")


def test_empty_logs_and_blank_lines(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text("")
    assert list(read_json_lines(path)) == []
    path.write_text("\n" + json.dumps(LINE) + "\n \n" + json.dumps(LINE))
    assert list(read_json_lines(path)) == [ONE, ONE]


@pytest.mark.parametrize("name", ["log.jsonl", "log.jsonl.gz"])
def test_writing_that_fails_leaves_the_old_file(tmp_path, name):
    def broken():
        yield ONE
        raise RuntimeError("the radio went away")

    path = tmp_path / name
    write_json_lines(path, [ONE])
    with pytest.raises(RuntimeError):
        write_json_lines(path, broken())
    assert list(read_json_lines(path)) == [ONE]
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"rpi": "00"}, "rpi must be 32 hex digits"),
        ({"rpi": "zz" * 16}, "rpi must be 32 hex digits"),
        ({"rpi": " ".join(["00"] * 16)}, "rpi must be 32 hex digits"),
        ({"rpi": 5}, "rpi must be 32 hex digits"),
        ({"aem": "0102030"}, "aem must be 8 hex digits"),
        ({"rssi_dbm": []}, "at least one sample"),
        ({"rssi_dbm": [-60, 127]}, "-127 to 126"),
        ({"rssi_dbm": -128}, "-127 to 126"),
        ({"rssi_dbm": True}, "rssi_dbm must be an integer"),
        ({"rssi_dbm": "-60"}, "rssi_dbm must be an integer"),
        ({"rssi_dbm": None}, "rssi_dbm must be an integer"),
        ({"seen_at": 1.5}, "seen_at must be an integer"),
        ({"seen_at": -1}, "seen_at must be UTC Unix seconds"),
        ({"seen_at": 10**4000}, "seen_at must be UTC Unix seconds$"),
        ({"previous_scan_at": "x"}, "previous_scan_at must be an integer"),
        ({"clock_suspect": 1}, "true or false"),
        ({"place": "home"}, "'place' is not a field"),
    ],
)
def test_damaged_lines_are_named(tmp_path, change, text):
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(LINE) + "\n" + json.dumps(LINE | change) + "\n")
    lines = read_json_lines(path)
    assert next(lines) == ONE
    with pytest.raises(InvalidLog, match=text) as caught:
        next(lines)
    assert f"{path}, line 2: " in str(caught.value)
    assert ONE.rpi.hex() not in str(caught.value)


@pytest.mark.parametrize("name", ["rpi", "aem", "rssi_dbm", "seen_at"])
def test_missing_fields_are_named(tmp_path, name):
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps({key: value for key, value in LINE.items() if key != name}))
    with pytest.raises(InvalidLog, match=f"line 1: {name} is missing"):
        list(read_json_lines(path))


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"9" * 10_000, "not JSON"),
        (b"[]", "a JSON object"),
        (b"null", "a JSON object"),
        (b" " * (1 << 20) + b"{}", "longer than"),
    ],
)
def test_lines_that_are_no_objects(tmp_path, line, text):
    path = tmp_path / "log.jsonl"
    path.write_bytes(line)
    with pytest.raises(InvalidLog, match=text):
        list(read_json_lines(path))


def test_a_truncated_or_damaged_gzip(tmp_path):
    path = tmp_path / "log.jsonl.gz"
    write_json_lines(path, [ONE] * 100)
    whole = path.read_bytes()
    for damaged in (whole[:-9], whole[:12], whole[:-5] + b"12345", b"\x1f\x8b\x08junk"):
        path.write_bytes(damaged)
        with pytest.raises(InvalidLog, match="damaged after line"):
            list(read_json_lines(path))


def test_a_bomb_is_read_in_bounded_memory(tmp_path):
    path = tmp_path / "log.jsonl.gz"
    path.write_bytes(gzip.compress(b" " * (64 << 20)))
    with pytest.raises(InvalidLog, match="longer than"):
        list(read_json_lines(path))


def test_a_log_that_is_not_there(tmp_path):
    with pytest.raises(StoreError, match="No such file"):
        list(read_json_lines(tmp_path / "none.jsonl"))
    with pytest.raises(StoreError, match="Is a directory"):
        list(read_json_lines(tmp_path))
    with pytest.raises(StoreError, match="No such file"):
        write_json_lines(tmp_path / "none" / "log.jsonl", [ONE])


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    path.write_bytes(data)
    with may_refuse(InvalidLog):
        list(read_json_lines(path))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*LINE, "previous_scan_at", "clock_suspect"]), json_values))
def test_any_fields_are_read_or_refused(tmp_path_factory, change):
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    path.write_text(json.dumps(LINE | change))
    with may_refuse(InvalidLog):
        list(read_json_lines(path))


def test_a_row_outside_the_protocol_is_named(tmp_path):
    db = open_database(tmp_path / "log.db", [SIGHTING_TABLE])
    with transaction(db):
        insert_sightings(db, [ONE])
        db.execute("UPDATE sighting SET rssi_dbm = x'80'")
    with pytest.raises(InvalidLog, match="row 1 of the log: rssi_dbm must be -127 to 126"):
        list(select_sightings(db))
    db.close()


def test_a_damaged_database_says_so(tmp_path):
    path = tmp_path / "log.db"
    stored(path, [ONE] * 2000)
    data = bytearray(path.read_bytes())
    # Behind the pages of the schema.
    data[16 * 4096 :] = os.urandom(len(data) - 16 * 4096)
    path.write_bytes(data)
    db = open_readonly(path, [SIGHTING_TABLE])
    with pytest.raises(StoreError, match="restore it from a backup"):
        list(select_sightings(db))
    db.close()


@given(fixed(16), fixed(4), st.integers(0, 2**40))
def test_no_text_of_a_sighting_shows_identifier_or_time(rpi, aem, seen_at):
    text = repr(Sighting(rpi, aem, (-60,), seen_at))
    assert text == "Sighting(rssi_dbm=(-60,), clock_suspect=False)"


@pytest.mark.parametrize(
    "fields", [{"rpi": b"x"}, {"aem": b"x"}, {"rssi_dbm": ()}, {"seen_at": -1}]
)
def test_values_outside_the_protocol(fields):
    whole = {"rpi": bytes(16), "aem": bytes(4), "rssi_dbm": (-60,), "seen_at": 0}
    with pytest.raises(InvalidValue, match=next(iter(fields))):
        Sighting(**whole | fields)
