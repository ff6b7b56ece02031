"""Lists of Bluezone's keys: what is taken, what is left out, and what is refused whole."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing_core.errors import InvalidValue
from tracing_core.protocol.bluezone import BluezoneKey
from tracing_core.protocol.bluezone_list import MAX_LIST_BYTES, parse_bluezone_list

HEX = bytes(range(32)).hex()
RECORD = {"daily_key": HEX, "time_start": 86_400, "time_end": 200_000, "max": 96}
KEY = BluezoneKey(bytes(range(32)), 86_400, 200_000, 96)


def listed(*records: Any) -> bytes:
    return json.dumps({"data": records}).encode()


def test_records_in_the_published_form_are_read() -> None:
    read = parse_bluezone_list(
        b"\xef\xbb\xbf" + listed(RECORD, {**RECORD, "daily_key": HEX.upper()})
    )
    assert read.keys == [(0, KEY), (1, KEY)]
    assert (read.records, read.unusable, read.first_unusable, read.shortened) == (2, 0, "", 0)
    without = {name: value for name, value in RECORD.items() if name != "max"}
    assert parse_bluezone_list(listed(without, {**RECORD, "max": None})).keys[1] == (1, KEY)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"daily_key": HEX[:-2]}, "daily_key must be 64 hex digits"),
        ({"daily_key": " " + HEX[1:]}, "daily_key must be 64 hex digits"),
        ({"daily_key": 5}, "daily_key must be plain text"),
        ({"max": 0}, "max must be a whole number from 1 to 288"),
        ({"max": 289}, "max must be a whole number from 1 to 288"),
        ({"max": 96.0}, "max must be a whole number from 1 to 288"),
        ({"time_start": 86_400_000_000_000}, "time_start must be a whole number"),
        ({"time_end": 86_399}, "time_end must be a whole number from 86400"),
        ({"time_end": True}, "time_end must be a whole number"),
    ],
)
def test_one_bad_record_does_not_take_the_others(change: dict[str, Any], why: str) -> None:
    read = parse_bluezone_list(listed({**RECORD, **change}, 7, RECORD))
    assert read.keys == [(2, KEY)]
    assert read.unusable == 2
    assert read.first_unusable.startswith(f"data[0].{why}")


def test_a_long_record_is_used_for_its_first_thirty_days() -> None:
    longest = {**RECORD, "time_end": 86_400 + 30 * 86_400 - 1}
    read = parse_bluezone_list(listed(longest, {**RECORD, "time_end": 90_000_000_000}))
    assert read.shortened == 1
    assert read.keys[0][1] == read.keys[1][1]


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"7", b"{}", b'{"data": {}}', b"\xff\xfe{}", b"[" * 100_000]
)
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(InvalidValue):
        parse_bluezone_list(data)


def test_a_list_is_bounded() -> None:
    assert parse_bluezone_list(listed(*[RECORD] * 10_000)).records == 10_000
    with pytest.raises(InvalidValue, match="at most 10,000 records, not 10,001"):
        parse_bluezone_list(listed(*[RECORD] * 10_001))
    with pytest.raises(InvalidValue, match="bytes"):
        parse_bluezone_list(b" " * (MAX_LIST_BYTES + 1))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.just(HEX),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["data", "daily_key", "time_start", "time_end", "max"]), inner
        )
    ),
    max_leaves=12,
)


@given(value=values)
def test_any_json_is_read_or_refused(value: Any) -> None:
    for each in (value, {"data": [value, RECORD]}):
        try:
            read = parse_bluezone_list(json.dumps(each).encode())
        except InvalidValue:
            continue
        assert read.unusable + len(read.keys) == read.records


@given(data=st.binary(max_size=200), at=st.integers(0, 200))
def test_any_bytes_are_read_or_refused(data: bytes, at: int) -> None:
    whole = listed(RECORD, RECORD)
    for each in (data, whole[:at] + data + whole[at + 3 :]):
        with contextlib.suppress(InvalidValue):
            parse_bluezone_list(each)
