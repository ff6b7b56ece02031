"""What a cache's headers say of an answer, and of the clock (RFC 9111)."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from ble_agent.authority.caching import FileMark, is_from_cache, sent_at
from ble_agent.authority.client import ServerClient
from tests.ble_agent.fake_server import FakeServer
from tracing_core.clock import ManualClock
from tracing_core.errors import ServerRefused

NOW = 1_800_000_000.0
HOUR = 3_600
OLD = formatdate(NOW - 3 * HOUR, usegmt=True)

COPIES = [
    {"Age": "10800"},
    {"Age": "1"},
    {"X-Cache": "HIT from proxy.example"},
    {"X-Cache": "MISS, HIT"},
    {"X-Cache-Status": "HIT"},
    {"CF-Cache-Status": "HIT"},
    {"Cache-Status": "ExampleCache; hit; ttl=30"},
    {"X-Varnish": "32770 3"},
]
ORIGINALS: list[dict[str, str]] = [
    {},
    {"Age": "0"},
    {"Age": "many"},
    {"Via": "1.1 varnish"},
    {"X-Cache": "MISS from proxy.example"},
    {"X-Varnish": "32770"},
]


@pytest.mark.parametrize("headers", COPIES)
def test_a_copy_says_nothing_against_a_clock(server: FakeServer, headers: dict[str, str]) -> None:
    assert is_from_cache(headers)
    server.special["/v1/config/VN"] = lambda: (
        200,
        {"Date": OLD, **headers},
        server.config.encode(),
    )
    with ServerClient(server.url, server.clock) as client:
        assert client.configuration("VN") == server.config
        assert client.confirms_clock == (headers == {"Age": "10800"})


@pytest.mark.parametrize("headers", ORIGINALS)
def test_an_answer_of_the_server_itself_does(server: FakeServer, headers: dict[str, str]) -> None:
    assert not is_from_cache(headers)
    server.special["/v1/config/VN"] = lambda: (200, {"Date": OLD, **headers}, b"")
    with (
        ServerClient(server.url, server.clock) as client,
        pytest.raises(ServerRefused, match="hours away"),
    ):
        client.configuration("VN")


def test_a_wrong_clock_is_not_confirmed_by_a_copy(server: FakeServer) -> None:
    server.special["/v1/config/VN"] = lambda: (200, {"Date": OLD, "Age": "10800"}, b"x")
    with ServerClient(server.url, ManualClock(NOW + 365 * 86_400)) as client:
        client.configuration("VN")
        assert not client.confirms_clock


def test_date_and_age_are_added() -> None:
    assert sent_at({"Date": OLD, "Age": "10800"}) == NOW
    assert sent_at({"Date": OLD}) == NOW - 3 * HOUR
    assert sent_at({"Date": "yesterday"}) is None
    assert sent_at({}) is None


@pytest.mark.parametrize(
    ("before", "later", "differs"),
    [
        (FileMark('"a"', 5), FileMark('"a"', 5), False),
        (FileMark('"a"', 5), FileMark('"b"', 5), True),
        (FileMark('"a"', 5), FileMark('"a"', 6), True),
        (FileMark('"a"', 5), FileMark("", None), False),
        (FileMark("", None), FileMark('"a"', 5), True),
        (FileMark("", 5), FileMark("", 5), False),
    ],
)
def test_marks_differ_only_where_they_show_it(
    before: FileMark, later: FileMark, differs: bool
) -> None:
    assert before.differs(later) is differs


def test_the_rest_of_a_file_has_the_size_of_the_whole() -> None:
    headers = {"Content-Length": "5", "Content-Range": "bytes 95-99/100", "ETag": '"a"'}
    assert FileMark.of(headers) == FileMark('"a"', 100)
