"""What Bluezone recorded: imported once, kept for 14 days, matched, exported, salvaged, refused."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ble_agent.messages.catalogue import say
from ble_agent.messages.explanation import explain
from ble_agent.store.damage import DATABASE_NAME, MARK_NAME
from ble_agent.store.database import additions, compact, forget, open_store
from ble_agent.store.importers import Refusal, Tally, import_log, open_source
from ble_agent.store.recovery import open_recovered
from matcher import match_bluezone
from tests.ble_agent.agents import AgentProcess, clock_at
from tests.json_schemas import printed
from tests.tracing_core.vectors import load
from tracing_core.errors import InvalidLog, LogFault
from tracing_core.store.database import Database
from tracing_core.store.other_sighting import (
    OtherSighting,
    read_other_lines,
    select_other_sightings,
)

DAY = 86_400
REAL_NOW = 1_796_000_000
"""A day of 2026, years after the rows."""
THEN = 1_596_900_000
"""The evening of the day of the rows."""

ANDROID = (
    "CREATE TABLE trace_info(_id INTEGER PRIMARY KEY AUTOINCREMENT, blid BLOB, blid_contact BLOB,"
    " macid TEXT, rssi INTEGER, tx_power INTEGER, state INTEGER, timestamp LONG)"
)
IOS = (
    "CREATE TABLE trace_info(timestamp INTEGER, tx_power INTEGER, rssi INTEGER, macid TEXT,"
    " blid_contact BLOB, blid BLOB, _id INTEGER PRIMARY KEY AUTOINCREMENT)"
)
ID = bytes(range(12))


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with open_store(home) as opened:
        yield opened


def real_rows() -> list[tuple[bytes, int, int]]:
    """Identifier, strength and time in ms: what a real phone sent, as if another had heard it."""
    vector = load("bluezone_rows.json")
    identifiers = [bytes.fromhex(each) for each in vector["identifiers"]]
    return [(identifiers[number], rssi, moment) for number, rssi, moment in vector["rows"]]


def write(path: Path, rows: Sequence[Sequence[Any]], schema: str = ANDROID) -> Path:
    """Write identifier heard, strength, time, and then transmit power and address if given."""
    connection = sqlite3.connect(path)
    connection.execute(schema)
    for identifier, rssi, moment, *more in rows:
        power, address = [*more, None, None][:2]
        connection.execute(
            "INSERT INTO trace_info (blid, blid_contact, rssi, timestamp, tx_power, macid)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            [b"own identif.", identifier, rssi, moment, power, address],
        )
    connection.commit()
    connection.close()
    return path


def android(path: Path) -> Path:
    return write(path, real_rows())


def ios(path: Path) -> Path:
    return write(path, [(each, rssi, ms // 1000) for each, rssi, ms in real_rows()], IOS)


def trace(path: Path) -> Path:
    lines = (f"{'AB' * 12}\t{each.hex().upper()}\t{rssi}\t{ms}\n" for each, rssi, ms in real_rows())
    path.write_text("".join(lines))
    return path


FORMS = {"android": android, "ios": ios, "trace": trace}


def published(path: Path) -> Path:
    vector = load("bluezone_rows.json")
    start = vector["day_start"]
    record = {"daily_key": vector["base_key"], "time_start": start, "time_end": start + DAY}
    path.write_text(json.dumps({"data": [record]}))
    return path


def heard(db: Database) -> list[OtherSighting]:
    return list(select_other_sightings(db))


def imports(db: Database) -> list[tuple[Any, ...]]:
    return list(db.execute("SELECT format, hex(digest), imported_at, counts FROM import"))


@pytest.mark.parametrize("form", FORMS)
def test_all_of_a_real_hour_is_kept_at_the_time_and_nothing_years_later(
    db: Database, tmp_path: Path, form: str
) -> None:
    path = FORMS[form](tmp_path / "photo.jpg")
    before = path.read_bytes()
    late = import_log(db, path, REAL_NOW)
    assert (late.read, late.kept, late.too_old) == (118, 0, 118)
    assert imports(db) == heard(db) == []

    report = import_log(db, path, THEN)
    assert (report.read, report.kept, report.known, report.refusals()) == (118, 118, 0, [])
    assert report.other_protocols == {"bluezone"}
    found = heard(db)
    expected = sorted((each, rssi, ms // 1000) for each, rssi, ms in real_rows())
    assert sorted((each.identifier, each.rssi_dbm, each.seen_at) for each in found) == expected
    (note,) = imports(db)
    assert json.loads(note[3])["kept"] == 118
    # Key files of GAEN need no second look for it.
    assert additions(db) == 0

    again = import_log(db, path, THEN + 5)
    assert (again.kept, again.known) == (0, 118)
    assert (imports(db), heard(db)) == ([note], found)
    assert path.read_bytes() == before

    home = tmp_path / "home"
    result = match_bluezone(home / DATABASE_NAME, [published(tmp_path / "F0.json")])
    assert (result.matched_keys, result.matched_sightings) == (1, 118)
    # 58 minutes passed from the first row to the last.
    assert 45 <= sum(result.minutes.values()) <= 60


def test_the_forms_of_one_log_have_one_digest_and_add_nothing_to_each_other(
    tmp_path: Path,
) -> None:
    digests = set()
    for form, make in FORMS.items():
        home = tmp_path / form
        home.mkdir(mode=0o700)
        with open_store(home) as db:
            import_log(db, make(tmp_path / f"{form}.log"), THEN)
            digests |= {digest for _, digest, *_ in imports(db)}
            for other in FORMS:
                assert import_log(db, FORMS[other](tmp_path / f"{form}-{other}"), THEN).kept == 0
    assert len(digests) == 1


def test_a_dry_run_changes_nothing(db: Database, tmp_path: Path) -> None:
    report = import_log(db, android(tmp_path / "app_db_2.db"), THEN, dry_run=True)
    assert report.kept == 118
    assert imports(db) == heard(db) == []


@pytest.mark.parametrize(
    ("row", "refusal"),
    [
        ((ID[:11], -60, THEN), Refusal.IDENTIFIER),
        (("text", -60, THEN), Refusal.IDENTIFIER),
        ((None, -60, THEN), Refusal.IDENTIFIER),
        ((None, -60, THEN, 0, "5E:F1:00:BA:D1:DE"), Refusal.ADDRESS),
        ((ID, None, THEN), Refusal.SIGNAL_STRENGTH),
        ((ID, -60, None), Refusal.TIME),
        ((ID, -60, "now"), Refusal.TIME),
        ((ID, -60, -1), Refusal.TIME),
        ((ID, -60, 2**63 - 1), Refusal.TIME),
        ((ID, -60, THEN + 7_201), Refusal.FUTURE),
        ((ID, -60, (THEN + 7_201) * 1000), Refusal.FUTURE),
    ],
)
def test_rows_that_cannot_be_used_are_counted_by_reason(
    db: Database, tmp_path: Path, row: tuple[Any, ...], refusal: Refusal
) -> None:
    good = (ID, -60, THEN)
    report = import_log(db, write(tmp_path / "app_db_2.db", [row, good]), THEN)
    assert report.refusals() == [(refusal, 1)]
    assert (report.read, report.kept) == (2, 1)


@pytest.mark.parametrize(
    ("rssi", "power", "kept"),
    [
        (-127, -127, (-127, -127)),
        (-1, 126, (-1, 126)),
        (0, 0, (None, None)),
        (127, 127, (None, None)),
        (-128, None, (None, None)),
        (9_999, "x", (None, None)),
    ],
)
def test_an_unknown_strength_or_power_is_null(
    db: Database, tmp_path: Path, rssi: int, power: Any, kept: tuple[int | None, int | None]
) -> None:
    import_log(db, write(tmp_path / "app_db_2.db", [(ID, rssi, THEN, power)]), THEN)
    (sighting,) = heard(db)
    assert (sighting.rssi_dbm, sighting.tx_power) == kept


def test_columns_are_found_by_name_and_some_may_be_missing(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "app_db_2.db"
    connection = sqlite3.connect(path)
    connection.executescript("CREATE TABLE TRACE_INFO(Timestamp, RSSI, blid_contact);")
    connection.execute("INSERT INTO trace_info VALUES (?, -60, ?)", [THEN * 1000, ID])
    connection.commit()
    connection.close()
    assert import_log(db, path, THEN).kept == 1
    assert heard(db) == [OtherSighting("bluezone", ID, -60, None, THEN, None)]


def test_the_minute_before_in_which_anything_was_heard_counts_as_the_previous_scan(
    db: Database, tmp_path: Path
) -> None:
    start = THEN // 60 * 60
    moments = [start + 59, start + 60, start + 100, start + 360, start + 960, start + 1620]
    rows = [(bytes([n]) * 12, -60, moment) for n, moment in enumerate(moments)]
    import_log(db, write(tmp_path / "app_db_2.db", rows[::-1]), THEN + DAY)
    previous = [each.previous_scan_at for each in sorted(heard(db), key=lambda each: each.seen_at)]
    assert previous == [None, start, start, start + 60, start + 360, None]


def table(sql: str) -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.executescript(sql)
    return connection.serialize()


DIARY = [
    {
        "id": "1",
        "startDate": 1_629_885_300_000,
        "name": "Café",
        "type": "scan",
        "isFavourite": False,
    }
]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (
            table("CREATE TABLE trace_info(_id, timestamp LONG, userid TEXT, macid TEXT, rssi)"),
            LogFault.FIXED,
        ),
        (
            table("CREATE TABLE record_table(id, timestamp, v, msg, org, modelP, modelC, rssi)"),
            LogFault.SEALED,
        ),
        (table("CREATE TABLE connect_info(_id, blid_id, mac_id, time)"), LogFault.ADDRESSES),
        (json.dumps(DIARY, indent=1).encode(), LogFault.PLACES),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_reason(
    db: Database, tmp_path: Path, content: bytes, fault: LogFault
) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)
    with pytest.raises(InvalidLog) as refused:
        import_log(db, path, THEN)
    assert refused.value.fault is fault
    assert "\n" not in str(refused.value)
    assert "nothing was added" in str(refused.value)
    assert explain(refused.value, "vi").endswith(say(f"error_log_{fault.name.lower()}", "vi"))
    assert imports(db) == []


def test_all_is_gone_after_fourteen_days_from_the_file_too(db: Database, tmp_path: Path) -> None:
    import_log(db, android(tmp_path / "app_db_2.db"), THEN)
    path = tmp_path / "home" / DATABASE_NAME
    identifier = real_rows()[0][0]
    assert any(identifier in file.read_bytes() for file in path.parent.iterdir() if file.is_file())
    last = max(each.seen_at for each in heard(db))
    forget(db, last + 14 * DAY)
    assert len(heard(db)) == 1
    forget(db, last + 14 * DAY + 1)
    assert heard(db) == []
    # An import is remembered for as long, counted from when it was made.
    assert len(imports(db)) == 1
    forget(db, THEN + 14 * DAY + 1)
    assert imports(db) == []
    assert compact(db)
    assert not any(
        identifier in file.read_bytes() for file in path.parent.iterdir() if file.is_file()
    )


def test_a_row_whose_import_is_forgotten_stays(db: Database, tmp_path: Path) -> None:
    import_log(db, write(tmp_path / "app_db_2.db", [(ID, -60, THEN + 7_200)]), THEN)
    forget(db, THEN + 14 * DAY + 1)
    assert imports(db) == []
    assert len(heard(db)) == 1
    assert db.execute("SELECT import FROM other_sighting").fetchone() == (None,)


@pytest.mark.parametrize(
    "values",
    [
        ("herald", ID, -60, None, 1),
        ("bluezone", bytes(16), -60, None, 1),
        ("dp3t", ID, -60, None, 1),
        ("bluezone", ID, 0, None, 1),
        ("bluezone", ID, None, 127, 1),
        ("bluezone", None, None, None, 1),
    ],
)
def test_the_table_takes_nothing_that_no_protocol_has(
    db: Database, values: tuple[Any, ...]
) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        db.execute(
            "INSERT INTO other_sighting (protocol, identifier, rssi_dbm, tx_power, seen_at)"
            " VALUES (?, ?, ?, ?, ?)",
            values,
        )


def test_a_damaged_database_keeps_them_and_where_they_came_from(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with open_store(home) as db:
        import_log(db, android(tmp_path / "app_db_2.db"), THEN)
        found, notes = heard(db), imports(db)
    (home / MARK_NAME).touch()
    with open_recovered(home, THEN) as recovered:
        assert heard(recovered) == found
        assert imports(recovered) == notes
        assert recovered.execute("SELECT count(import) FROM other_sighting").fetchone() == (118,)


def test_export_and_import_on_another_device_lose_nothing(tmp_path: Path) -> None:
    log = android(tmp_path / "app_db_2.db")
    with (
        AgentProcess(tmp_path / "a", clock_at(THEN)) as first,
        AgentProcess(tmp_path / "b", clock_at(THEN)) as second,
        AgentProcess(tmp_path / "c", clock_at(THEN)) as third,
    ):
        said = first.command("import", str(log)).stdout
        assert "truyvet match --protocol bluezone" in said
        tried = second.command("import", str(log), "--dry-run", lang="vi").stdout
        assert "thuộc giao thức khác" in tried
        whole, own = tmp_path / "log.jsonl", tmp_path / "bluezone.jsonl"
        exported = printed("agent export", first.command("export", str(whole), "--json").stdout)
        assert exported == {"exported": 0, "other_protocols": {"bluezone": 118}}
        assert "--protocol bluezone" in first.command("export", str(whole), "--force").stdout
        said = first.command("export", str(own), "--protocol", "bluezone").stdout
        assert "118 sightings were written" in said
        assert first.command("export", str(own), "--protocol", "bluezone").returncode == 1
        for device, source in ((second, own), (third, tmp_path / "a" / DATABASE_NAME)):
            answer = printed("agent import", device.command("import", str(source), "--json").stdout)
            assert (answer["kept"], answer["refused"]) == (118, {})
            with open_store(device.home) as copied:
                assert heard(copied) == list(read_other_lines(own))
        assert first.command("erase", "--yes").returncode == 0
        assert not (tmp_path / "a" / DATABASE_NAME).exists()


VALUES = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=20)
    | (st.binary(max_size=20))
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(VALUES, VALUES, VALUES, VALUES, VALUES), max_size=6))
def test_any_values_are_read_or_counted(tmp_path: Path, rows: list[tuple[Any, ...]]) -> None:
    path = tmp_path / "log"
    path.unlink(missing_ok=True)
    write(path, rows)
    tally = Tally()
    with open_source(path, tmp_path) as source:
        count = len(list(source.sightings(tally)))
    assert tally.read == len(rows) == count + tally.refused.total()


LINE = f"{'AB' * 12}\t{'CD' * 12}\t-60\t{THEN}000\n".encode()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    junk=st.binary(max_size=80)
    | st.lists(
        st.sampled_from([b"\t", b"AB" * 12, b"null", b"-60", b"9" * 15, b"\r\n", b"\n", b" "])
    ).map(b"".join)
)
def test_any_lines_are_read_or_counted(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "data_trace.txt"
    path.write_bytes(LINE + junk + b"\n" + LINE * 2 + b"AB" * 300)
    tally = Tally()
    with open_source(path, tmp_path) as source:
        assert source.name == "bluezone-trace"
        count = len(list(source.sightings(tally)))
    assert count >= 3
    assert tally.read == count + tally.refused.total()
