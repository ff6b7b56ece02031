"""Columns hold what the objects hold, and refuse what the kernels could not bear."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.columns.index import ColumnIndex
from matcher.columns.key_columns import KeyColumns
from matcher.columns.key_records import KeyObjects, ParsedKeys
from matcher.columns.log import LogColumns
from matcher.columns.sighting_columns import SightingColumns
from matcher.many.assessment import LogTask
from matcher.many.join import join_many_logs
from matcher.many.logs import ManyLogs
from tracing_core.errors import InvalidKey, InvalidValue
from tracing_core.export_file import ExportFile
from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.store.sighting import Sighting

KEYS = st.builds(
    DiagnosisKey,
    key_data=st.binary(min_size=16, max_size=16),
    rolling_start_interval_number=st.integers(0, 2**32 - 144),
    rolling_period=st.integers(1, 144),
)
SIGHTINGS = st.builds(
    Sighting,
    rpi=st.binary(min_size=16, max_size=16),
    aem=st.just(bytes(4)),
    rssi_dbm=st.just((-60,)),
    seen_at=st.integers(0, 2**32 * 600 - 1),
    clock_suspect=st.booleans(),
)


@given(keys=st.lists(KEYS, max_size=20))
def test_keys(keys: list[DiagnosisKey]) -> None:
    columns = KeyObjects(ExportFile(0, 600, "VN", keys)).columns()
    assert len(columns) == len(keys)
    for row, key in enumerate(keys):
        assert columns.key_data[row].tobytes() == key.key_data
        assert columns.rolling_start[row] == key.rolling_start_interval_number
        assert columns.rolling_period[row] == key.rolling_period


@given(sightings=st.lists(SIGHTINGS, max_size=20))
def test_sightings(sightings: list[Sighting]) -> None:
    columns = LogColumns.from_sightings(iter(sightings)).columns()
    usable = [sighting for sighting in sightings if not sighting.clock_suspect]
    assert len(columns) == len(usable)
    assert not columns.clock_suspect.any()
    for row, sighting in enumerate(usable):
        assert columns.rpi[row].tobytes() == sighting.rpi
        assert columns.interval[row] == sighting.seen_at // 600


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("key_data", np.zeros((3, 15), np.uint8)),
        ("key_data", np.zeros((3, 32), np.uint8)[:, ::2]),
        ("rolling_start", np.zeros(2, np.uint32)),
        ("rolling_start", np.zeros(3, np.int64)),
        ("rolling_period", np.ones(6, np.uint16)[::2]),
    ],
)
def test_columns_of_another_shape_or_type(name: str, wrong: np.ndarray) -> None:
    right = KeyColumns.of(np.zeros((3, 16), np.uint8), np.zeros(3, np.uint32))
    with pytest.raises(InvalidValue, match=name):
        dataclasses.replace(right, **{name: wrong})


@pytest.mark.parametrize(
    ("start", "period"), [(0, 0), (0, 145), (0, 65535), (2**32 - 1, 2), (2**32 - 143, 144)]
)
def test_keys_outside_the_protocol(start: int, period: int) -> None:
    starts = np.array([0, start], np.uint32)
    with pytest.raises(InvalidKey):
        KeyColumns.of(np.zeros((2, 16), np.uint8), starts, np.array([1, period], np.uint16))


def test_the_last_interval_is_within() -> None:
    starts = np.array([2**32 - 1, 2**32 - 144], np.uint32)
    keys = KeyColumns.of(np.zeros((2, 16), np.uint8), starts, np.array([1, 144], np.uint16))
    assert len(keys) == 2


def test_more_sightings_than_the_kernels_can_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matcher.columns.sighting_columns.MOST_SIGHTINGS", 3)
    many = ManyLogs.from_sightings({"log": [Sighting(bytes(16), bytes(4), (-60,), 0)] * 4})
    with pytest.raises(InvalidValue, match="4 sightings are more than 3: divide them"):
        SightingColumns.of(many.rpi, np.zeros(4, np.uint32))
    with pytest.raises(InvalidValue, match="4 sightings are more than 3: divide them"):
        join_many_logs(
            KeyColumns.of(np.empty((0, 16), np.uint8), np.empty(0, np.uint32)),
            many.rpi,
            many.seen_at,
            many.clock_suspect,
        )
    assert [len(part) for part in many.parts(1 << 40)] == [4]


def test_no_repr_shows_a_key_an_identifier_or_a_time() -> None:
    rpi, seen_at = bytes([231]) * 16, 1_231_231_231
    sighting = Sighting(rpi, rpi[:4], (-60,), seen_at, seen_at - 300)
    log = LogColumns.from_sightings([sighting])
    columns = log.columns()
    keys = KeyColumns.of(columns.rpi, np.zeros(1, np.uint32))
    parsed = ParsedKeys.empty(1)
    parsed.key_data[:] = 231
    many = ManyLogs.from_sightings({"log": [sighting]})
    shown = [
        *(keys, columns, parsed, many, log),
        ColumnIndex(columns).day(seen_at // 86400),
        many.tally(),
        LogTask("log", seen_at, [sighting], []),
    ]
    for each in shown:
        # Where an object lies in memory may hold any digits.
        text = re.sub(r" at 0x[0-9a-f]+", "", repr(each))
        assert "231" not in text, type(each)
        assert str(seen_at // 600) not in repr(each), type(each)
