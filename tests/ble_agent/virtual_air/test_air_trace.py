"""The finder of links finds each kind of link."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from tests.ble_agent.virtual_air.air_trace import (
    Line,
    change_gaps,
    findings,
    heard,
    identifiers,
    sent,
    times_on_air,
)
from tests.ble_agent.virtual_air.airs import random_advertisement

FIRST = 1_700_000_000.0


def _address() -> str:
    octets = bytearray(secrets.token_bytes(6))
    octets[0] &= 0x3F
    return octets.hex(":").upper()


def _clean(changes: int = 10, every: float = 900.0) -> list[Line]:
    lines: list[Line] = []
    for number in range(changes):
        line: dict[str, Any] = {
            "sender": "an",
            "address": _address(),
            "data": random_advertisement().encode().hex(),
            "first": FIRST + number * every,
            "last": FIRST + number * every + 24.0,
            "count": 101,
        }
        signal = {"rssi_min": -50, "rssi_mean": -49.5, "rssi_max": -49}
        lines.append({"kind": "sent", **line})
        lines.append({"kind": "heard", "receiver": "binh", **line, **signal})
    return lines


def test_a_clean_trace_has_no_findings() -> None:
    lines = _clean()
    assert findings(lines, gaps=(600, 1200)) == []
    assert len(sent(lines)) == len(heard(lines, sender="an", receiver="binh")) == 10
    assert len(identifiers(lines, "an")) == 10
    assert change_gaps(lines, "an") == [900.0] * 9
    assert times_on_air(lines, "an") == [24.0] * 10
    assert findings(_clean(every=1300.0), gaps=(600, 1200)) == ["an changed its identifier"
        " after 1300.0 s"] * 9  # fmt: skip


def _same_address(lines: list[Line]) -> None:
    lines[2]["address"] = lines[0]["address"]


def _same_identifier(lines: list[Line]) -> None:
    lines[2]["data"] = lines[0]["data"]


def _same_metadata(lines: list[Line]) -> None:
    lines[2]["data"] = lines[2]["data"][:-8] + lines[0]["data"][-8:]


def _another_sender(lines: list[Line]) -> None:
    lines.append({**lines[0], "sender": "binh"})


def _public_address(lines: list[Line]) -> None:
    lines[0]["address"] = "F0" + lines[0]["address"][2:]


def _constant_byte(lines: list[Line]) -> None:
    for line in lines:
        line["address"] = line["address"][:-2] + "42"


def _changing_shape(lines: list[Line]) -> None:
    lines[0]["data"] = lines[0]["data"][6:]


def _too_fast(lines: list[Line]) -> None:
    lines[0]["count"] = 201


def _from_nowhere(lines: list[Line]) -> None:
    lines[1]["address"] = _address()


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (_same_address, "an address carried 2 identifiers"),
        (_same_identifier, "an identifier went under 2 addresses"),
        (_same_metadata, "the same metadata went with 2 identifiers"),
        (_another_sender, "an identifier was sent by 2 devices"),
        (_public_address, "not non-resolvable private"),
        (_constant_byte, "byte 25 of 26 never changed"),
        (_changing_shape, "changed the shape"),
        (_too_fast, "a packet every 0.1200 s"),
        (_from_nowhere, "heard that nobody sent"),
    ],
)
def test_each_kind_of_link_is_found(spoil: Any, found: str) -> None:
    lines = _clean()
    spoil(lines)
    assert any(found in finding for finding in findings(lines)), findings(lines)
