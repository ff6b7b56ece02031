"""A device whose clock is wrong loses nothing by asking a server."""

from __future__ import annotations

import secrets
import ssl
from email.utils import formatdate
from pathlib import Path

import pytest

from ble_agent.air.persistence import Persistence
from ble_agent.authority.client import ServerClient
from ble_agent.exposures.check import check
from ble_agent.store.database import open_store
from ble_agent.store.state import SCAN
from tests.ble_agent.authority.test_hostile_server import self_signed
from tests.ble_agent.exposures.test_exposure_check import YESTERDAY, met
from tests.ble_agent.fake_server import FakeServer, fake_server
from tracing_core.clock import ManualClock
from tracing_core.errors import ServerError, ServerRefused
from tracing_core.protocol.advertisement import Advertisement
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.store.database import Database
from tracing_core.store.sighting import select_sightings
from tracing_core.store.sqlite import transaction

DAY = 86_400
NOW = 1_800_000_000.0
METADATA = Metadata(transmit_power_dbm=-12)


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


def started(home: Path, clock: ManualClock, *, hours: int = 0) -> None:
    """Start an agent, let it listen every hour for so many hours, and end it."""
    with Persistence(home, clock) as store:
        store.next_advertisement(clock.now(), METADATA)
        for hour in range(hours + 1):
            clock.advance(3600.0 if hour else 0.0)
            scan = store.log.begin()
            scan.hear(Advertisement(secrets.token_bytes(16), b"aaaa"), -60, clock.now())
            store.log.commit(scan)


def kept_before(home: Path, moment: float) -> tuple[int, int]:
    """Return how many sightings and own keys there are of the time before a moment."""
    with open_store(home) as db:
        sightings = sum(each.seen_at < moment for each in select_sightings(db))
        keys = db.conn.execute(
            "SELECT count(*) FROM own_key WHERE rolling_start * 600 < ?", [moment]
        )
        return sightings, keys.fetchone()[0]


def test_an_agent_started_a_year_ahead_deletes_nothing_however_often(tmp_path: Path) -> None:
    started(tmp_path, ManualClock(NOW), hours=5)
    for restart in range(4):
        started(tmp_path, ManualClock(NOW + 365 * DAY + restart * 3600), hours=1)
        assert kept_before(tmp_path, NOW + DAY) == (6, 1)
    # Right again, nothing is left of the year ahead to go by.
    started(tmp_path, ManualClock(NOW + DAY / 2), hours=30)
    assert kept_before(tmp_path, NOW + DAY / 4) == (6, 1)


def test_a_start_without_the_time_takes_no_doubt_away(tmp_path: Path) -> None:
    started(tmp_path, ManualClock(NOW), hours=5)
    started(tmp_path, ManualClock(NOW + 365 * DAY), hours=1)
    clock = ManualClock(1000.0)
    with Persistence(tmp_path, clock) as store:
        store.next_advertisement(clock.now(), METADATA)
        store.log.commit(store.log.begin())
        clock.jump(NOW + 365 * DAY + 7200)
        store.log.commit(store.log.begin())
    assert kept_before(tmp_path, NOW + DAY) == (6, 1)


def test_a_second_leap_begins_its_own_day(tmp_path: Path) -> None:
    started(tmp_path, ManualClock(NOW), hours=5)
    started(tmp_path, ManualClock(NOW + 2 * DAY), hours=23)
    started(tmp_path, ManualClock(NOW + 365 * DAY), hours=22)
    assert kept_before(tmp_path, NOW + DAY) == (6, 1)


def test_a_device_that_was_off_for_a_month_forgets_within_a_day(tmp_path: Path) -> None:
    started(tmp_path, ManualClock(NOW), hours=5)
    started(tmp_path, ManualClock(NOW + 30 * DAY), hours=25)
    assert kept_before(tmp_path, NOW + DAY) == (0, 0)


def test_a_device_that_is_off_every_night_forgets_too(tmp_path: Path) -> None:
    for day in range(18):
        started(tmp_path, ManualClock(NOW + day * DAY), hours=14)
    # The nights that are not believed yet are two at most.
    assert kept_before(tmp_path, NOW + 2 * DAY) == (0, 0)
    assert kept_before(tmp_path, NOW + 5 * DAY)[0] > 0


def test_a_database_of_before_goes_by_the_latest_time_it_noted(tmp_path: Path) -> None:
    started(tmp_path, ManualClock(NOW), hours=5)
    with open_store(tmp_path) as db, transaction(db):
        scan = SCAN.get(db)
        scan["clock"] = {name: scan["clock"][name] for name in ("latest", "suspect_scans")}
        SCAN.set(db, scan)
    started(tmp_path, ManualClock(NOW + 365 * DAY))
    assert kept_before(tmp_path, NOW + DAY) == (6, 1)


def test_a_key_file_that_a_cache_kept_for_hours_is_used(db: Database, server: FakeServer) -> None:
    # Caches hand out files that never change with the Date of their first answer.
    server.add_file("1.zip", [met(db)])
    data = server.files["1.zip"]
    old = formatdate(NOW - DAY, usegmt=True)
    server.special["/exports/VN/1.zip"] = lambda: (200, {"Date": old}, data)
    with ServerClient(server.url, server.clock) as client:
        result = check(db, client, server.clock)
    assert result.failure is None
    assert result.level == "high"
