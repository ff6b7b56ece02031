"""Sightings of other protocols as JSON Lines: nothing lost, nothing taken that is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracing_core.errors import InvalidLog, InvalidValue
from tracing_core.store.left_out import LeftOut
from tracing_core.store.other_sighting import OtherSighting, read_other_lines, write_other_lines

MOMENTS = st.integers(0, 99_999_999_999)


@st.composite
def others(draw: st.DrawFn) -> OtherSighting:
    protocol, length = draw(st.sampled_from([("bluezone", 12), ("dp3t", 16)]))
    return OtherSighting(
        protocol,
        draw(st.binary(min_size=length, max_size=length)),
        draw(st.none() | st.integers(-127, -1)),
        draw(st.none() | st.integers(-127, 126)),
        draw(MOMENTS),
        draw(st.none() | MOMENTS),
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(log=st.lists(others(), max_size=5), suffix=st.sampled_from(["jsonl", "jsonl.gz"]))
def test_lines_lose_nothing(tmp_path: Path, log: list[OtherSighting], suffix: str) -> None:
    path = tmp_path / f"log.{suffix}"
    assert write_other_lines(path, log) == len(log)
    assert list(read_other_lines(path)) == log


LINE: dict[str, Any] = {"protocol": "bluezone", "identifier": "ab" * 12, "seen_at": 1_600_000_000}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"protocol": "herald"}, "protocol must be one of bluezone, dp3t"),
        ({"protocol": ["bluezone"]}, "protocol must be one of bluezone, dp3t"),
        ({"identifier": "ab" * 16}, "identifier must be 24 hex digits"),
        ({"seen_at": 1_600_000_000_000}, "seen_at is in milliseconds"),
        ({"tx_power": 127}, "tx_power must be -127 to 126"),
        ({"rpi": "ab" * 16}, "'rpi' is not a field"),
    ],
)
def test_a_wrong_line_is_named_and_left_out(
    tmp_path: Path, change: dict[str, Any], why: str
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(f"{json.dumps(LINE)}\n{json.dumps(LINE | change)}\n")
    left_out = LeftOut()
    assert len(list(read_other_lines(path, left_out))) == 1
    assert f"line 2: {why}" in str(left_out.first_unreadable)
    with pytest.raises(InvalidLog, match="line 2"):
        list(read_other_lines(path))


def test_an_unknown_strength_is_none(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    strengths = [0, 127, None, 500, -1]
    path.write_text("".join(json.dumps(LINE | {"rssi_dbm": each}) + "\n" for each in strengths))
    assert [each.rssi_dbm for each in read_other_lines(path)] == [None] * 4 + [-1]


@pytest.mark.parametrize(
    "values",
    [
        ("gaen", bytes(16), None, None, 1),
        ("bluezone", bytes(16), None, None, 1),
        ("bluezone", bytes(12), 0, None, 1),
        ("bluezone", bytes(12), None, 127, 1),
        ("bluezone", bytes(12), None, None, -1),
        ("bluezone", bytes(12), None, None, 1, 10**11),
    ],
)
def test_what_no_protocol_has_is_refused(values: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidValue):
        OtherSighting(*values)


def test_repr_shows_no_identifier_and_no_time() -> None:
    shown = repr(OtherSighting("bluezone", b"identifier12", -60, None, 1_600_000_123))
    assert "identifier12" not in shown
    assert "1600000123" not in shown


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path: Path, lines: bytes) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(json.dumps(LINE).encode() + b"\n" + lines)
    left_out = LeftOut()
    if lines[:2] != b"\x1f\x8b":
        assert len(list(read_other_lines(path, left_out))) >= 1 or left_out.unreadable
