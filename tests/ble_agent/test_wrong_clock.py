"""A device whose clock is wrong loses nothing by asking a server."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from ble_agent.exposure_check import check
from ble_agent.server_client import ServerClient
from tests.ble_agent.fake_server import FakeServer, fake_server
from tests.ble_agent.test_exposure_check import YESTERDAY, met
from tests.ble_agent.test_hostile_server import self_signed
from tracing_core.clock import ManualClock
from tracing_core.errors import ServerError, ServerRefused
from tracing_core.sighting import select_sightings
from tracing_core.sqlite import Database

DAY = 86_400
NOW = 1_800_000_000.0


def asked_a_year_later(db: Database, url: str) -> int:
    """Check while the clock is a year ahead; return how many sightings there are then."""
    clock = ManualClock(NOW + 365 * DAY)
    with ServerClient(url, clock) as client, pytest.raises(ServerError):
        check(db, client, clock)
    return len(list(select_sightings(db)))


def test_a_server_that_is_away_confirms_no_clock(db: Database, server: FakeServer) -> None:
    met(db)
    assert asked_a_year_later(db, "http://127.0.0.1:9") == 4


def test_a_server_with_another_time_confirms_no_clock(db: Database, server: FakeServer) -> None:
    met(db)
    assert asked_a_year_later(db, server.url) == 4


def test_a_certificate_that_is_not_valid_by_this_clock_confirms_none(
    db: Database, server: FakeServer, tmp_path: Path
) -> None:
    met(db)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))
    with fake_server(clock=server.clock, tls=context) as secure:
        assert asked_a_year_later(db, secure.url) == 4


def test_a_server_that_refuses_in_agreement_about_the_time_lets_old_rows_go(
    db: Database, server: FakeServer
) -> None:
    met(db)
    met(db, day=YESTERDAY - 20 * DAY)
    server.special["/v1/trust"] = lambda: (500, {}, b"")
    with ServerClient(server.url, server.clock) as client, pytest.raises(ServerRefused):
        check(db, client, server.clock)
    assert len(list(select_sightings(db))) == 4


def test_an_address_is_held_to_the_time_however_it_is_written(server: FakeServer) -> None:
    clock = ManualClock(NOW + 365 * DAY)
    url = server.url.replace("127.0.0.1", "LOCALHOST")
    with ServerClient(url, clock) as client, pytest.raises(ServerRefused, match="hours away"):
        client.trust_documents()
