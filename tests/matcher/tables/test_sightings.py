"""Tables of sightings as logs: every type a column may have, and every one refused by name."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given, settings

from matcher import match
from matcher.tables.sightings import SightingTable
from tests.matcher.examples import START, heard, key, shuffled_logs
from tracing_core.errors import InvalidLog, MissingExtra
from tracing_core.export_file import ExportFile
from tracing_core.store.sighting import Sighting

pa = pytest.importorskip("pyarrow")
pd = pytest.importorskip("pandas")

FILE = ExportFile(0, 600, "VN", [key()])
NOON = START * 600
LOG = [
    heard(key(), START, at=NOON + 5, rssi=(-60, -62), previous=NOON - 295),
    heard(key(), START + 1, at=NOON + 605, rssi=-61),
    heard(key(), START + 2, at=NOON + 1205, rssi=-61, suspect=True),
]


class Streamed:
    """A table of some other library: it speaks Arrow's stream interface and nothing else."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def columns(log: list[Sighting]) -> dict[str, list[Any]]:
    return {
        "rpi": [one.rpi for one in log],
        "aem": [one.aem for one in log],
        "rssi_dbm": [list(one.rssi_dbm) for one in log],
        "seen_at": [one.seen_at for one in log],
        "previous_scan_at": [one.previous_scan_at for one in log],
        "clock_suspect": [one.clock_suspect for one in log],
    }


def table(**changed: Any) -> Any:
    """The log as a table, with other columns in place of some; None leaves one out."""
    found: dict[str, Any] = {**columns(LOG), **changed}
    return pa.table({name: column for name, column in found.items() if column is not None})


def test_every_kind_of_table_gives_the_same_sightings() -> None:
    plain = table()
    frame = pd.DataFrame(columns(LOG), index=["a", "b", "c"])
    for given_table in (plain, frame, Streamed(plain), plain.to_reader(), plain.to_pandas()):
        assert list(SightingTable(given_table)) == LOG


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("rpi", [one.rpi.hex() for one in LOG]),
        ("rpi", pa.array([one.rpi for one in LOG], pa.binary(16))),
        ("rpi", pa.array([one.rpi for one in LOG], pa.binary_view())),
        ("rpi", pa.array([one.rpi.hex() for one in LOG], pa.string_view())),
        ("rpi", pa.array([one.rpi.hex() for one in LOG], pa.large_string())),
        ("rpi", pa.array([one.rpi.hex() for one in LOG]).dictionary_encode()),
        ("aem", [one.aem.hex() for one in LOG]),
        ("rssi_dbm", pa.array([[-60, -62], [-61], [-61]], pa.large_list(pa.int8()))),
        ("seen_at", [float(one.seen_at) for one in LOG]),
        ("seen_at", pa.array([one.seen_at * 1000 + 999 for one in LOG], pa.timestamp("ms", "UTC"))),
        ("seen_at", pa.array([one.seen_at for one in LOG], pa.timestamp("s", "Asia/Ho_Chi_Minh"))),
        ("previous_scan_at", [float(NOON - 295), None, None]),
    ],
)
def test_every_type_of_a_column_gives_the_same_sightings(name: str, column: Any) -> None:
    assert list(SightingTable(table(**{name: column}))) == LOG


def test_a_frame_with_its_own_types_gives_the_same_sightings() -> None:
    frame = pd.DataFrame(columns(LOG))
    # As pandas reads a column with a missing value: floating numbers.
    assert frame["previous_scan_at"].dtype == "float64"
    frame["seen_at"] = pd.to_datetime(frame["seen_at"], unit="s", utc=True)
    frame["rpi"] = [rpi.hex() for rpi in frame["rpi"]]
    assert list(SightingTable(frame)) == LOG
    local = frame["seen_at"].dt.tz_convert("Asia/Ho_Chi_Minh")
    assert list(SightingTable(frame.assign(seen_at=local))) == LOG
    one_sample = frame.assign(rssi_dbm=[-60, -61, -61])
    assert [one.rssi_dbm for one in SightingTable(one_sample)] == [(-60,), (-61,), (-61,)]


def test_optional_columns_may_be_missing_or_empty() -> None:
    wanted = [heard(key(), START, at=NOON + 5, rssi=(-60, -62)), *LOG[1:2]]
    for changed in ({"previous_scan_at": None}, {"previous_scan_at": [None] * 3}):
        assert list(SightingTable(table(**changed)))[:2] == wanted
    assert not any(one.clock_suspect for one in SightingTable(table(clock_suspect=None)))


def test_a_table_matches_as_its_sightings_do() -> None:
    of_objects = match(LOG, FILE, research=True).to_json()
    assert of_objects["matched_sightings"] == 2
    assert match(table(), FILE, research=True).to_json() == of_objects
    assert match(pd.DataFrame(columns(LOG)), FILE, research=True).to_json() == of_objects
    assert match(table().slice(0, 0), FILE).sightings == 0


@pytest.mark.parametrize("kernel", ["portable", "table"])
def test_either_way_of_a_job_takes_a_table(kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kernel != "portable":
        pytest.importorskip("numba")
    monkeypatch.setenv("TRUYVET_KERNEL", kernel)
    assert match(table(), FILE).matched_sightings == 2


@settings(max_examples=30)
@given(log=shuffled_logs)
def test_any_log_survives_a_table(log: list[Sighting]) -> None:
    schema = pa.schema(
        [
            ("rpi", pa.binary(16)),
            ("aem", pa.binary(4)),
            ("rssi_dbm", pa.list_(pa.int8())),
            ("seen_at", pa.int64()),
            ("previous_scan_at", pa.int64()),
            ("clock_suspect", pa.bool_()),
        ]
    )
    assert list(SightingTable(pa.table(columns(log), schema=schema))) == log


NAIVE = [datetime.datetime(2020, 5, 21)] * 3  # noqa: DTZ001


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"rpi": None}, "the table has no column rpi: name its columns as Sighting does"),
        ({"rpi": [1, 2, 3]}, "column rpi must hold bytes or hex digits, not int64"),
        ({"rpi": ["zz" * 16] * 3}, "row 0 of the table: rpi must be 16 bytes or 32 hex digits"),
        ({"rpi": pa.nulls(3, pa.binary())}, "row 0 of the table: rpi is missing"),
        ({"rpi": [b""] * 3}, "row 0 of the table: rpi must be 16 bytes, not 0"),
        ({"aem": ["00"] * 3}, "row 0 of the table: aem must be 4 bytes or 8 hex digits"),
        ({"rssi_dbm": [-1.5] * 3}, "row 0 of the table: rssi_dbm must be a whole number"),
        (
            {"rssi_dbm": pa.array([[]] * 3, pa.list_(pa.int8()))},
            "row 0 of the table: rssi_dbm must",
        ),
        ({"rssi_dbm": ["a"] * 3}, "column rssi_dbm must hold whole numbers or lists of them"),
        ({"seen_at": [-1] * 3}, "row 0 of the table: seen_at must be UTC Unix seconds"),
        ({"seen_at": pa.nulls(3, pa.int64())}, "row 0 of the table: seen_at is missing"),
        ({"seen_at": [NOON * 1000] * 3}, "row 0 of the table: seen_at is in milliseconds: divide"),
        ({"seen_at": [None] * 3}, "column seen_at must hold UTC Unix seconds, or timestamps"),
        ({"seen_at": NAIVE}, "column seen_at has times without a time zone: add the zone"),
        ({"previous_scan_at": NAIVE}, "column previous_scan_at has times without a time zone"),
        ({"clock_suspect": [1, 0, 1]}, "column clock_suspect must hold booleans, not int64"),
        (
            {"clock_suspect": pa.nulls(3, pa.bool_())},
            "row 0 of the table: clock_suspect is ",
        ),
        ({"log_id": [1, 2, 3]}, "column 'log_id' is not one of a sighting: drop it"),
    ],
)
def test_what_is_wrong_is_named_by_row_and_column(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidLog) as refused:
        match(table(**changed), FILE)
    text = str(refused.value)
    assert text.startswith(said)
    assert "\n" not in text
    assert LOG[0].rpi.hex() not in text


@pytest.mark.parametrize(
    ("changed", "unreadable", "unmeasured"),
    [
        ({"rpi": [LOG[0].rpi, None, LOG[2].rpi]}, 1, 0),
        ({"rpi": [LOG[0].rpi, b"", b""]}, 2, 0),
        ({"seen_at": [NOON, None, NOON * 1000]}, 2, 0),
        ({"clock_suspect": [False, None, False]}, 1, 0),
        ({"rssi_dbm": [-1, 200, -3]}, 0, 1),
        ({"rssi_dbm": [-1, float("nan"), -3]}, 0, 1),
        ({"rssi_dbm": [[-1], [None], [-1, 0]]}, 0, 1),
        ({"rssi_dbm": [[0], [], [-1]]}, 1, 1),
    ],
)
def test_a_bad_row_takes_no_other_with_it(
    changed: dict[str, Any], unreadable: int, unmeasured: int
) -> None:
    log = match(table(**changed), FILE).log
    assert (log.unreadable, log.unmeasured_sightings) == (unreadable, unmeasured)
    assert log.sightings == 3 - unreadable
    if unreadable:
        assert log.first_unreadable.startswith("row 1 of the table: ")


def test_what_is_wrong_with_a_frame_is_named_too() -> None:
    mixed = pd.DataFrame(columns(LOG)).assign(rpi=[LOG[0].rpi.hex(), 7, LOG[0].rpi])
    with pytest.raises(InvalidLog, match=r"^column rpi has values of several types"):
        match(mixed, FILE)
    twice = pd.concat([pd.DataFrame(columns(LOG)), pd.DataFrame({"aem": [1, 2, 3]})], axis=1)
    with pytest.raises(InvalidLog, match=r"^the table has 2 columns 'aem': keep one"):
        match(twice, FILE)
    with pytest.raises(InvalidLog, match=r"^a Series is not a table of sightings"):
        match(pd.Series([1, 2]), FILE)


def test_without_pyarrow_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    given_table = Streamed(table())
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match="pyarrow is not installed"):
        match(given_table, FILE)
