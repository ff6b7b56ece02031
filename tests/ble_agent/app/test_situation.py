"""The situation reads of a long log only what it needs, and answers as a check does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ble_agent.app.situation import Situation
from ble_agent.authority.client import ServerClient
from ble_agent.authority.membership import join
from ble_agent.config import AgentConfig
from ble_agent.exposures.check import check
from ble_agent.exposures.exposure_day import ExposureDay
from ble_agent.store.database import make_home, open_store
from tests.ble_agent.app.test_whom_it_concerns import HOUR, MIDNIGHT, NOW, meet
from tests.ble_agent.fake_server import FakeServer, fake_server
from tracing_core.clock import ManualClock
from tracing_core.protocol.diagnosis_key import DiagnosisKey
from tracing_core.protocol.rolling_proximity_identifier import derive_rpis
from tracing_core.protocol.temporary_exposure_key import derive_rpik
from tracing_core.store.database import Database
from tracing_core.store.sighting import Sighting, insert_sightings
from tracing_core.store.sqlite import transaction
from tracing_core.trust.join_line import JoinLine

CLOCK = ManualClock(NOW)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with fake_server(clock=CLOCK) as fake:
        yield fake


@pytest.fixture
def db(tmp_path: Path, server: FakeServer) -> Iterator[Database]:
    make_home(tmp_path)
    with open_store(tmp_path) as opened, ServerClient(server.url, CLOCK) as client:
        join(opened, client, JoinLine.parse(server.line), NOW)
        yield opened


def both(db: Database, server: FakeServer, home: Path) -> list[tuple[ExposureDay, ...]]:
    """What a check answers, and what the situation shows twice."""
    with ServerClient(server.url, CLOCK) as client:
        checked = check(db, client, CLOCK).days
    config = AgentConfig(home, "en")
    return [tuple(checked), *(tuple(Situation.read(config, CLOCK).exposures) for _ in range(2))]


def hear(db: Database, key: DiagnosisKey, interval: int, moment: int) -> None:
    rpi = derive_rpis(derive_rpik(key.key_data), interval, 1)[0]
    with transaction(db):
        insert_sightings(db, [Sighting(rpi, bytes(4), (-50,), moment, moment - 240)])


def test_what_is_shown_is_what_a_check_finds_and_follows_every_change(
    db: Database, server: FakeServer, tmp_path: Path
) -> None:
    shown = both(db, server, tmp_path)
    assert shown == [()] * 3
    # Strangers, and two meetings.
    meet(db, MIDNIGHT + 2 * HOUR)
    first = meet(db, MIDNIGHT + 12 * HOUR, minutes=30)
    server.add_file("00000.zip", first)
    shown = both(db, server, tmp_path)
    assert len(shown[0]) == 1
    assert shown == shown[:1] * 3
    second = meet(db, MIDNIGHT - 20 * HOUR, minutes=20)
    server.add_file("00001.zip", second)
    before, shown = shown, both(db, server, tmp_path)
    assert len(shown[0]) == 2
    assert shown == shown[:1] * 3
    # An identifier that somebody replayed long before its time does not count in its own.
    began = (MIDNIGHT + 12 * HOUR) // 600
    for interval in range(began, began + 4):
        hear(db, first[0], interval, MIDNIGHT - 3 * 24 * HOUR)
    before, shown = shown, both(db, server, tmp_path)
    assert shown == shown[:1] * 3
    assert shown[0] != before[0]


def test_no_row_is_read_but_those_of_published_keys(
    db: Database, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hour in range(8):
        meet(db, MIDNIGHT + hour * HOUR)
    server.add_file("00000.zip", meet(db, MIDNIGHT + 12 * HOUR, minutes=40))
    both(db, server, tmp_path)
    meet(db, MIDNIGHT + 9 * HOUR)
    read: list[Sighting] = []
    from ble_agent.app import situation

    every = situation.own_sightings

    def counted(*arguments: object) -> Iterator[Sighting]:
        for sighting in every(*arguments):  # type: ignore[arg-type]
            read.append(sighting)
            yield sighting

    monkeypatch.setattr(situation, "own_sightings", counted)
    config = AgentConfig(tmp_path, "en")
    days = Situation.read(config, CLOCK).exposures
    assert len(read) == 10
    # The same state again is known already.
    assert Situation.read(config, CLOCK).exposures == days
    assert len(read) == 10
