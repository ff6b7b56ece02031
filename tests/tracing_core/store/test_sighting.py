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
from tracing_core.store.field_values import LATEST_MOMENT
from tracing_core.store.left_out import LeftOut
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
        ({"rssi_dbm": -60.5}, "rssi_dbm must be a whole number: round it"),
        ({"rssi_dbm": True}, "rssi_dbm must be an integer"),
        ({"rssi_dbm": "loud"}, "rssi_dbm must be an integer"),
        ({"seen_at": 1629885300.5}, "seen_at must be a whole number: round it"),
        ({"seen_at": float("nan")}, "seen_at must be a whole number, not nan: leave the line out"),
        ({"seen_at": float("inf")}, "seen_at must be a whole number, not inf"),
        ({"seen_at": 1629885600000}, "seen_at is in milliseconds: divide it by 1000$"),
        ({"seen_at": 1629885600000000}, "seen_at is in microseconds: divide it by 1000000$"),
        ({"seen_at": 1629885600 * 10**9}, "seen_at is in nanoseconds: divide it by 1000000000$"),
        ({"seen_at": 1.6298856e12}, "seen_at is in milliseconds"),
        ({"previous_scan_at": 1629885600000}, "previous_scan_at is in milliseconds"),
        ({"seen_at": "2021-08-25T10:00:00Z"}, "seen_at is a date as text: write it as UTC Unix"),
        ({"seen_at": -1}, "seen_at must be UTC Unix seconds"),
        ({"seen_at": 10**4000}, "seen_at must be UTC Unix seconds$"),
        ({"previous_scan_at": "x"}, "previous_scan_at must be an integer"),
        ({"clock_suspect": 2}, "true or false"),
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


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        # pandas makes a column with a missing value floating, and writes the value as NaN or null.
        ({"seen_at": 1600000000.0}, "seen_at", 1600000000),
        ({"previous_scan_at": 1599999700.0}, "previous_scan_at", 1599999700),
        ({"previous_scan_at": float("nan")}, "previous_scan_at", None),
        ({"previous_scan_at": None}, "previous_scan_at", None),
        ({"clock_suspect": None}, "clock_suspect", False),
        ({"clock_suspect": 1}, "clock_suspect", True),
        ({"clock_suspect": 0.0}, "clock_suspect", False),
        # Spreadsheets write every value as text.
        ({"seen_at": "1600000000"}, "seen_at", 1600000000),
        ({"rssi_dbm": "-60"}, "rssi_dbm", (-60,)),
        ({"rssi_dbm": [-60.0, -61]}, "rssi_dbm", (-60, -61)),
        ({"rssi_dbm": None}, "rssi_dbm", (127,)),
        ({"rssi_dbm": float("nan")}, "rssi_dbm", (127,)),
        ({"rssi_dbm": 199}, "rssi_dbm", (127,)),
        ({"rssi_dbm": -1000}, "rssi_dbm", (127,)),
        ({"rssi_dbm": [-60, 127, -128]}, "rssi_dbm", (-60, 127, -128)),
    ],
)
def test_forms_of_other_tools_that_lose_nothing(tmp_path, change, field, value):
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps(LINE | change) + "\n")
    (sighting,) = read_json_lines(path)
    assert getattr(sighting, field) == value


@pytest.mark.parametrize("name", ["log.jsonl", "log.jsonl.gz"])
def test_a_byte_order_mark(tmp_path, name):
    path = tmp_path / name
    text = b"\xef\xbb\xbf" + json.dumps(LINE).encode() + b"\n"
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    assert list(read_json_lines(path)) == [ONE]
    path.write_bytes(b"\xef\xbb\xbf")
    assert list(read_json_lines(path)) == []


def test_bad_lines_are_counted_and_take_no_other_with_them(tmp_path):
    path, left_out = tmp_path / "log.jsonl", LeftOut()
    good = json.dumps(LINE)
    wrong = json.dumps(LINE | {"aem": "00"})
    path.write_text("\n".join([good, wrong, "", "x" * (3 << 20), good, good[:-9]]))
    assert list(read_json_lines(path, left_out)) == [ONE, ONE]
    assert left_out.unreadable == 3
    assert str(left_out.first_unreadable) == f"{path}, line 2: aem must be 8 hex digits"
    # The last line of a log that is being written.
    path.write_text(good + "\n" + good[:-9])
    cut = LeftOut()
    assert list(read_json_lines(path, cut)) == [ONE]
    assert str(cut.first_unreadable).endswith("line 2: not JSON, as the line is cut off")


def test_a_log_that_is_wrong_in_every_line_is_refused(tmp_path):
    path = tmp_path / "log.jsonl"
    # DP-3T/dp3t-sdk-backend#212: milliseconds for seconds.
    moments = [1629885600000, 1629885900000]
    path.write_text("\n".join(json.dumps(LINE | {"seen_at": moment}) for moment in moments))
    with pytest.raises(InvalidLog, match=r"line 1: seen_at is in milliseconds: divide it by 1000$"):
        list(read_json_lines(path, LeftOut()))


def test_what_precedes_the_damage_of_a_gzip_is_read(tmp_path):
    path, left_out = tmp_path / "log.jsonl.gz", LeftOut()
    write_json_lines(path, [ONE] * 100)
    path.write_bytes(path.read_bytes()[:-5])
    assert list(read_json_lines(path, left_out)) == [ONE] * 100
    assert left_out.unreadable == 1
    assert "damaged after line 100" in str(left_out.first_unreadable)


def test_unknown_strengths_are_counted_and_the_first_is_named(tmp_path):
    path, left_out = tmp_path / "log.jsonl", LeftOut()
    samples = [-1, 0, 127, [0, -127], [57, 126], -128]
    lines = [json.dumps(LINE | {"rssi_dbm": each}) for each in samples]
    lines.append(json.dumps(LINE | {"rssi_dbm": 0, "clock_suspect": True}))
    path.write_text("\n".join(lines))
    measured = [each.is_measured for each in read_json_lines(path, left_out)]
    assert measured == [True, False, False, True, False, False, False]
    assert (left_out.unmeasured, left_out.first_unmeasured) == (4, "line 2")
    assert left_out.unreadable == 0


def test_bad_rows_of_a_database_are_counted(tmp_path):
    db = open_database(tmp_path / "log.db", [SIGHTING_TABLE])
    with transaction(db):
        insert_sightings(db, [ONE] * 3)
        db.execute("UPDATE sighting SET seen_at = seen_at * 1000 WHERE id = 2")
        db.execute("UPDATE sighting SET rssi_dbm = x'7f' WHERE id = 3")
    left_out = LeftOut()
    assert len(list(select_sightings(db, left_out))) == 2
    assert str(left_out.first_unreadable).startswith("row 2 of the log: seen_at is in milliseconds")
    assert (left_out.unreadable, left_out.first_unmeasured) == (1, "row 3")
    with transaction(db):
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute("UPDATE sighting SET seen_at = -1")
    with pytest.raises(InvalidLog, match="row 1 of the log: seen_at must be UTC Unix seconds"):
        list(select_sightings(db, LeftOut()))
    db.close()


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
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.execute("UPDATE sighting SET seen_at = -1")
    with pytest.raises(InvalidLog, match="row 1 of the log: seen_at must be UTC Unix seconds"):
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


@given(fixed(16), fixed(4), st.integers(0, LATEST_MOMENT - 1))
def test_no_text_of_a_sighting_shows_identifier_or_time(rpi, aem, seen_at):
    text = repr(Sighting(rpi, aem, (-60,), seen_at))
    assert text == "Sighting(rssi_dbm=(-60,), clock_suspect=False)"


@pytest.mark.parametrize(
    "fields",
    [
        {"rpi": b"x"},
        {"aem": b"x"},
        {"rssi_dbm": ()},
        {"seen_at": -1},
    ],
)
def test_values_outside_the_protocol(fields):
    whole = {"rpi": bytes(16), "aem": bytes(4), "rssi_dbm": (-60,), "seen_at": 0}
    with pytest.raises(InvalidValue, match=next(iter(fields))):
        Sighting(**whole | fields)
