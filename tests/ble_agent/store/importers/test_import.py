"""Importing as a whole: nothing twice, nothing by halves, nothing that is not asked for."""

from __future__ import annotations

import contextlib
import gzip
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ble_agent.messages.catalogue import say
from ble_agent.messages.explanation import explain
from ble_agent.store.database import open_store
from ble_agent.store.importers import FUTURE_SECONDS, Refusal, import_log
from tests.ble_agent.agents import AgentProcess, clock_at
from tests.ble_agent.store.importers.foreign_logs import (
    ADDRESS,
    MICROG_EXPORT_SCHEMA,
    contact_key,
    contact_value,
    packet_record,
    ramble_data,
    scan_record,
    write_microg,
    write_play_services,
    write_ramble,
)
from tracing_core.errors import InvalidLog, LogFault, StoreDamaged, StoreError, TracingError
from tracing_core.store.database import Database
from tracing_core.store.sighting import (
    Sighting,
    insert_sightings,
    select_sightings,
    write_json_lines,
)
from tracing_core.store.sqlite import transaction

DAY = 86_400
NOW = 20_800 * DAY + 50_000
SEEN = NOW - 2 * DAY
RPI, OTHER = bytes(range(16)), bytes(range(16, 32))
AEM = b"abcd"


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    home = tmp_path / "home"
    home.mkdir()
    with open_store(home) as opened:
        yield opened


def microg(path: Path) -> Path:
    rows = [(RPI, AEM, SEEN * 1000, -60, 360_000), (OTHER, AEM, SEEN * 1000, -70, 0)]
    return write_microg(path, rows)


def play_services(path: Path) -> Path:
    value = contact_value(AEM, scan_record(SEEN, [-60, -61]), scan_record(SEEN + 240, [-60]))
    older = packet_record(SEEN, -60, AEM) * 2
    return write_play_services(
        path, [(contact_key(SEEN, RPI), value), (b"\x51\x40" + OTHER, older)]
    )


def ramble(path: Path) -> Path:
    packets = [(SEEN + second, -60) for second in range(0, 130, 10)]
    return write_ramble(path, [(ramble_data(RPI, AEM), SEEN, SEEN + 130, packets)])


ROWS = [
    Sighting(RPI, AEM, (-60, -61), SEEN, SEEN - 300, False),
    Sighting(RPI, AEM, (-60,), SEEN),
    Sighting(OTHER, AEM, (-60,), SEEN, clock_suspect=True),
]


def json_lines(path: Path) -> Path:
    write_json_lines(path, ROWS)
    return path


def gzipped(path: Path) -> Path:
    path.write_bytes(gzip.compress(json_lines(path).read_bytes()))
    return path


def another_agent(path: Path) -> Path:
    path.mkdir()
    with open_store(path) as other, transaction(other):
        insert_sightings(other, ROWS)
    return path / "agent.db"


SOURCES = {
    "microg": (microg, 4),
    "play-services": (play_services, 3),
    "ramble": (ramble, 3),
    "json-lines": (json_lines, 3),
    "gzipped": (gzipped, 3),
    "truyvet": (another_agent, 3),
}


@pytest.mark.parametrize("name", SOURCES)
def test_every_format_is_known_by_its_content_and_added_once(
    db: Database, tmp_path: Path, name: str
) -> None:
    write, count = SOURCES[name]
    path = write(tmp_path / "photo.jpg")
    db.execute("INSERT INTO batch VALUES ('old.zip', 1)")
    trial = import_log(db, path, NOW, dry_run=True)
    assert trial.format == name.replace("gzipped", "json-lines")
    assert (trial.kept, trial.known, trial.refused.total()) == (count, 0, 0)
    assert list(select_sightings(db)) == []
    assert db.table("batch").count == 1
    assert import_log(db, path, NOW).to_json() == trial.to_json()
    rows = list(select_sightings(db))
    assert len(rows) == count
    # What was matched before is matched again, since the log has grown.
    assert db.table("batch").count == 0
    db.execute("INSERT INTO batch VALUES ('old.zip', 1)")
    again = import_log(db, path, NOW)
    assert (again.read, again.kept, again.known) == (trial.read, 0, count)
    assert list(select_sightings(db)) == rows
    assert db.table("batch").count == 1


def test_a_log_of_ours_keeps_every_fact(db: Database, tmp_path: Path) -> None:
    import_log(db, json_lines(tmp_path / "log"), NOW)
    assert list(select_sightings(db)) == ROWS


def test_a_later_copy_adds_only_what_is_new(db: Database, tmp_path: Path) -> None:
    early = write_microg(tmp_path / "early", [(RPI, AEM, SEEN * 1000, -60, 200_000)])
    late = write_microg(tmp_path / "late", [(RPI, AEM, SEEN * 1000, -66, 750_000)])
    assert import_log(db, early, NOW).kept == 2
    report = import_log(db, late, NOW)
    assert (report.known, report.kept) == (2, 3)
    assert [row.seen_at - SEEN for row in select_sightings(db)] == [0, 180, 360, 540, 720]

    packets = [(SEEN + DAY + second, -60) for second in range(0, 1500, 10)]
    data = ramble_data(OTHER, AEM)
    early = write_ramble(tmp_path / "r1", [(data, SEEN, SEEN + DAY + 690, packets[:70])])
    late = write_ramble(tmp_path / "r2", [(data, SEEN, SEEN + DAY + 1490, packets)])
    first = import_log(db, early, NOW).kept
    report = import_log(db, late, NOW)
    assert (report.known, report.kept) == (first, 14)
    moments = [row.seen_at for row in select_sightings(db) if row.rpi == OTHER]
    assert [after - before for before, after in pairwise(moments)] == [60] * 25


@pytest.mark.parametrize(
    ("seen_at", "fate"),
    [
        (NOW - 14 * DAY - 1, "too_old"),
        (NOW - 14 * DAY, "kept"),
        (NOW + FUTURE_SECONDS, "kept"),
        (NOW + FUTURE_SECONDS + 1, "refused"),
    ],
)
def test_what_is_too_old_or_in_the_future_stays_out(
    db: Database, tmp_path: Path, seen_at: int, fate: str
) -> None:
    paths = [
        write_microg(tmp_path / "1", [(RPI, AEM, seen_at * 1000, -60, 0)]),
        write_play_services(
            tmp_path / "2",
            [(contact_key(seen_at, OTHER), contact_value(AEM, scan_record(seen_at, [-60])))],
        ),
    ]
    write_json_lines(tmp_path / "3", [Sighting(b"j" * 16, AEM, (-60,), seen_at)])
    for path in (*paths, tmp_path / "3"):
        report = import_log(db, path, NOW)
        fates = {
            "too_old": report.too_old,
            "kept": report.kept,
            "refused": report.refused[Refusal.FUTURE],
        }
        assert fates == {**dict.fromkeys(fates, 0), fate: 1}
    assert db.table("sighting").count == (3 if fate == "kept" else 0)


def test_nothing_of_a_damaged_log_is_added(db: Database, tmp_path: Path) -> None:
    lines = tmp_path / "log"
    lines.write_bytes(b"{}\n{}\n")
    with pytest.raises(InvalidLog, match="line 1"):
        import_log(db, lines, NOW)
    entries = [
        (contact_key(SEEN, bytes([number]) * 16), contact_value(AEM, scan_record(SEEN, [-60])))
        for number in range(60)
    ]
    folder = write_play_services(tmp_path / "db", entries)
    table = folder / "000011.ldb"
    table.write_bytes(table.read_bytes().replace(b"abcd", b"abce", 1))
    with pytest.raises(InvalidLog, match="checksum"):
        import_log(db, folder, NOW)
    rows = [(number.to_bytes(16, "big"), AEM, SEEN * 1000, -60, 0) for number in range(5000)]
    database = write_microg(tmp_path / "exposure.db", rows, schema=MICROG_EXPORT_SCHEMA)
    database.write_bytes(database.read_bytes()[:-8192])
    with pytest.raises(StoreError, match=r"exposure\.db is not a readable SQLite database"):
        import_log(db, database, NOW)
    assert list(select_sightings(db)) == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x89PNG", "not a log that truyvet can import"),
        (b"PK\x03\x04", "unpack it first"),
        (b"SQLite format 3\0", "not a readable SQLite database"),
        (b"SQLite format 3\0" + bytes(5000), "not a readable SQLite database"),
        (None, "not a log that truyvet can import"),
    ],
)
def test_what_is_no_log_is_refused_in_one_line(
    db: Database, tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "exposure.db"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(TracingError, match=words) as caught:
        import_log(db, path, NOW)
    assert "\n" not in str(caught.value)
    with pytest.raises(StoreError, match="check the path"):
        import_log(db, tmp_path / "nowhere", NOW)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"\x89XYZ", LogFault.UNKNOWN),
        (b"PK\x03\x04", LogFault.PACKED),
        (b'{"rpi": 1}\n', LogFault.LINE),
        (gzip.compress(bytes(100_000))[:-20], LogFault.DAMAGED),
        (b"SQLite format 3\0" + bytes(5000), StoreDamaged),
        ("CURRENT", LogFault.UNKNOWN),
        ("000011.ldb", LogFault.DAMAGED),
        ("-000011.ldb", LogFault.MISSING),
    ],
)
def test_a_damaged_log_is_told_in_the_owners_language(
    db: Database, tmp_path: Path, content: bytes | str, fault: LogFault | type[StoreError]
) -> None:
    path = tmp_path / "log"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        entries = [
            (contact_key(SEEN, bytes([number]) * 16), contact_value(AEM, scan_record(SEEN, [-60])))
            for number in range(60)
        ]
        write_play_services(path, entries)
        wrong = path / content.removeprefix("-")
        wrong.unlink()
        if not content.startswith("-"):
            wrong.write_bytes(b"wrong")
    with pytest.raises((InvalidLog, StoreError)) as caught:
        import_log(db, path, NOW)
    told = explain(caught.value, "vi")
    assert told.startswith(str(path))
    if isinstance(fault, LogFault):
        assert isinstance(caught.value, InvalidLog)
        assert caught.value.fault is fault
        assert told.endswith(say(f"error_log_{fault.name.lower()}", "vi"))
    else:
        assert isinstance(caught.value, fault)
    assert str(path) in explain(caught.value, "en")
    assert list(select_sightings(db)) == []


@pytest.mark.parametrize(
    "schema",
    [
        "CREATE TABLE other(rpi, aem, timestamp, rssi, duration)",
        "CREATE TABLE advertisements(rpi, aem, timestamp)",
        "CREATE TABLE x(rpi, aem, timestamp, rssi, duration);"
        "CREATE VIEW advertisements AS SELECT * FROM x",
        "CREATE VIRTUAL TABLE advertisements USING fts5(rpi, aem, timestamp, rssi, duration)",
        "CREATE TABLE devices(id, service_data, first_seen, last_seen)",
    ],
)
def test_a_database_of_another_kind_is_refused(db: Database, tmp_path: Path, schema: str) -> None:
    path = tmp_path / "exposure.db"
    connection = sqlite3.connect(path)
    connection.executescript(schema)
    connection.close()
    with pytest.raises(InvalidLog, match="is not a log that truyvet can import"):
        import_log(db, path, NOW)


@pytest.mark.parametrize(
    ("content", "english", "vietnamese"),
    [
        # corona-warn-companion-android#118: the list of checks in place of the phone's log.
        (
            '[\n  {"keyCount": 2380, "matchesCount": 0}\n]',
            "it lists the checks that a phone made",
            "đây là danh sách các lần kiểm tra của điện thoại",
        ),
        (
            '{\n  "ExportVersion": 1,\n  "ExposureChecks": []\n}',
            "it lists the checks that a phone made",
            "đây là danh sách các lần kiểm tra của điện thoại",
        ),
        ("EK Export v1    ", "it is a key file", "đây là tệp khóa"),
        ("%PDF-1.7", "it is a document or a picture", "đây là tài liệu hoặc hình ảnh"),
    ],
)
def test_what_people_give_in_place_of_a_log_is_named(
    db: Database, tmp_path: Path, content: str, english: str, vietnamese: str
) -> None:
    path = tmp_path / "exposure.db"
    path.write_text(content)
    with pytest.raises(InvalidLog, match="is not a log that truyvet can import: ") as caught:
        import_log(db, path, NOW)
    assert english in explain(caught.value, "en")
    assert vietnamese in explain(caught.value, "vi")


def test_no_address_place_or_own_key_comes_along(db: Database, tmp_path: Path) -> None:
    for name in ("microg", "ramble", "play-services"):
        import_log(db, SOURCES[name][0](tmp_path / name), NOW)
    (home,) = {Path(row[2]).parent for row in db.execute("PRAGMA database_list")}
    everything = b"".join(path.read_bytes() for path in home.iterdir())
    assert RPI in everything
    for secret in (ADDRESS.encode(), bytes.fromhex(ADDRESS.replace(":", "")), b"own secret key"):
        assert secret not in everything
    assert b"phone" not in everything


WRITE_FROM_OUTSIDE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("INSERT INTO state VALUES ('outside', '1')")
connection.commit()
connection.close()
"""


@pytest.mark.parametrize("what", ["itself", "open elsewhere", "microG's"])
def test_a_log_that_this_process_has_open_keeps_its_locks(
    db: Database, tmp_path: Path, what: str
) -> None:
    # Whoever closes a descriptor of a database drops all of its process's locks on it; the next
    # process to leave then takes itself for the last and removes the log under the one here.
    with contextlib.ExitStack() as stack:
        path, opened = tmp_path / "home" / "agent.db", db
        if what != "itself":
            path = another_agent(tmp_path / "other")
            opened = stack.enter_context(open_store(path.parent))
        if what == "microG's":
            opened.execute("DROP TABLE sighting")
            opened.conn.executescript(MICROG_EXPORT_SCHEMA)
        with transaction(opened):
            opened.execute("INSERT INTO state VALUES ('mine', '1')")
        if what == "itself":
            with pytest.raises(InvalidLog, match="this device's own log"):
                import_log(db, path, NOW)
        else:
            import_log(db, path, NOW)
        subprocess.run([sys.executable, "-c", WRITE_FROM_OUTSIDE, str(path)], check=True)
        assert Path(f"{path}-wal").exists()
        with transaction(opened):
            opened.execute("INSERT INTO state VALUES ('mine_too', '1')")
        with contextlib.closing(sqlite3.connect(path)) as other:
            assert [name for (name,) in other.execute("SELECT name FROM state ORDER BY name")] == [
                "mine",
                "mine_too",
                "outside",
            ]


def test_nothing_of_a_copy_is_left(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    path = microg(tmp_path / "exposure.db")
    Path(f"{path}-wal").write_bytes(b"no log")
    assert import_log(db, path, NOW).kept == 4
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(StoreError):
        import_log(db, path, NOW)
    assert list(temporary.iterdir()) == []


VALUES = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=50)
    | st.binary(max_size=40)
    | st.sampled_from([RPI, AEM, SEEN, SEEN * 1000, -60, 0, ramble_data(RPI, AEM)])
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(*[VALUES] * 5), max_size=6), st.booleans())
def test_any_values_are_read_or_counted(rows: Sequence[Any], as_microg: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "log"
        if as_microg:
            write_microg(path, rows, schema=MICROG_EXPORT_SCHEMA)
        else:
            write_ramble(path, [(row[0], row[1], row[2], [row[3:], row[3:]]) for row in rows])
        with open_store(Path(name)) as db:
            report = import_log(db, path, NOW)
            assert report.read >= report.refused.total() - report.refused[Refusal.FUTURE]
            assert db.table("sighting").count == report.kept
            assert import_log(db, path, NOW).kept == 0


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from(["microg", "ramble", "truyvet"]),
    st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=8)), max_size=4),
    st.none() | st.integers(0, 1 << 16),
)
def test_damaged_databases_are_read_or_refused_in_one_line(
    name: str, changes: list[tuple[int, bytes]], cut: int | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = SOURCES[name][0](Path(folder) / "log")
        damaged = bytearray(path.read_bytes())
        for at, data in changes:
            at %= len(damaged)
            damaged[at : at + len(data)] = data
        path.write_bytes(damaged[:cut])
        with open_store(Path(folder)) as db:
            kept = 0
            try:
                kept = import_log(db, path, NOW).kept
            except TracingError as error:
                assert "\n" not in str(error)  # noqa: PT017
            assert db.table("sighting").count == kept


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=60)), max_size=5))
def test_any_values_of_play_services_are_read_or_counted(
    entries: list[tuple[bytes, bytes]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write_play_services(Path(folder) / "db", entries)
        with open_store(Path(folder)) as db, contextlib.suppress(InvalidLog):
            report = import_log(db, path, NOW)
            assert db.table("sighting").count == report.kept


def test_the_command_tells_people_and_programs(tmp_path: Path) -> None:
    rows: list[Any] = [(RPI, AEM, SEEN * 1000, -60, 0), (RPI, b"", SEEN * 1000, -60, 0)]
    path = write_microg(tmp_path / "exposure.db", rows, schema=MICROG_EXPORT_SCHEMA)
    with AgentProcess(tmp_path / "home", clock_at(NOW)) as agent:
        answer = agent.answer("import", str(path), "--dry-run")
        assert answer == {
            "format": "microg",
            "read": 2,
            "kept": 1,
            "known": 0,
            "too_old": 0,
            "refused": {"metadata": 1},
        }
        said = agent.command("import", str(path), "--dry-run").stdout.splitlines()
        assert said == [
            "Rows of microG read: 2. Sightings added: 1; already there: 0; older than 14 days: 0.",
            "Left out, 1: the metadata of the identifier is not 4 bytes long.",
            "Nothing was changed.",
        ]
        assert (
            "Bỏ qua, 1: dữ liệu kèm theo mã định danh"
            in agent.command("import", str(path), lang="vi").stdout
        )
        folder = play_services(tmp_path / "db")
        # The same identifier in the same second is the same sighting, whoever heard it.
        assert agent.answer("import", str(folder))["known"] == 1
        assert agent.answer("status")["identifiers_by_day"] != {}
        assert "not a log that truyvet can import" in agent.refusal("import", str(tmp_path))
