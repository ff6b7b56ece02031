"""The ledger: what left the device is written down with it, and forgotten after 14 days."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ble_agent.air.key_ring import KeyRing
from ble_agent.authority.client import ServerClient
from ble_agent.authority.cover import CoverTraffic
from ble_agent.authority.ledger_notes import (
    AREAS,
    CHECK,
    CODE,
    COVER,
    REPORT,
    TAKEN_BACK,
    UNCONFIRMED,
)
from ble_agent.authority.link import ServerLink
from ble_agent.authority.membership import join
from ble_agent.authority.report import report
from ble_agent.authority.requests import PUBLISH
from ble_agent.exposures.check import check
from ble_agent.owner.ledger import RADIO, read_ledger
from ble_agent.store.database import delete_old, make_home, open_store
from ble_agent.store.state import REPORT as PROGRESS
from tests.server.running import RunningServer, clock_at
from tracing_core.clock import ScaledClock, local_date
from tracing_core.errors import ServerUnreachable, StoreError
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.store.database import Database
from tracing_core.trust.join_line import JoinLine

DAY = 86_400
NOON = 20_900 * DAY + DAY // 2


@pytest.fixture(scope="module")
def clock() -> ScaledClock:
    return clock_at(NOON)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, clock: ScaledClock) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("ledger") / "server", clock) as running:
        running.init()
        running.start()
        yield running


@pytest.fixture
def db(tmp_path: Path, server: RunningServer, clock: ScaledClock) -> Iterator[Database]:
    make_home(tmp_path)
    with open_store(tmp_path) as opened:
        with ServerClient(server.url, clock) as client:
            join(opened, client, JoinLine.parse(server.join), clock.now())
        for days in (3, 2, 1):
            assert KeyRing(opened).next_advertisement(NOON - DAY * days, Metadata(0)) is not None
        yield opened


class Losing(ServerClient):
    """A client that loses the answer to an upload, after the server has done it."""

    def post(self, step: Any, request: Any, attempt: str = "") -> Any:
        answer = super().post(step, request, attempt)
        if step is PUBLISH:
            raise ServerUnreachable("the answer was lost")
        return answer


def entries(db: Database) -> list[tuple[str, int, int]]:
    """Kind, times and items of today."""
    (today, *_) = read_ledger(db)
    assert today.date == local_date(NOON)
    return [(entry["kind"], entry["times"], entry["items"]) for entry in today.entries]


def test_a_report_is_unconfirmed_until_it_was_answered(
    db: Database, server: RunningServer, clock: ScaledClock
) -> None:
    code = server.issue()
    with Losing(server.url, clock) as client, pytest.raises(ServerUnreachable):
        report(db, client, clock, code)
    assert entries(db) == [(UNCONFIRMED, 1, 3), (CODE, 1, 0)]
    with ServerClient(server.url, clock) as client:
        report(db, client, clock, code)
    assert entries(db) == [(REPORT, 1, 3), (CODE, 1, 0)]
    (sent, *_) = read_ledger(db)[0].entries
    assert server.url == f"http://{sent['place']}"


def test_what_is_taken_back_is_noted_beside_the_report(
    db: Database, server: RunningServer, clock: ScaledClock
) -> None:
    with ServerClient(server.url, clock) as client:
        report(db, client, clock, server.issue(testType="likely"))
        assert report(db, client, clock, server.issue(testType="negative")).is_taken_back
    assert entries(db)[:2] == [(REPORT, 1, 3), (TAKEN_BACK, 1, 3)]


def test_the_progress_and_its_entry_are_written_together_or_not_at_all(
    db: Database, server: RunningServer, clock: ScaledClock
) -> None:
    db.conn.execute(
        "CREATE TRIGGER killed BEFORE INSERT ON state WHEN NEW.name = 'ledger'"
        " AND NEW.value LIKE '%\"report\"%' BEGIN SELECT RAISE(ABORT, 'killed'); END"
    )
    with ServerClient(server.url, clock) as client, pytest.raises(StoreError):
        report(db, client, clock, server.issue())
    state = PROGRESS.get(db)
    assert state is not None
    assert "reported_at" not in state
    assert entries(db)[0] == (UNCONFIRMED, 1, 3)


def test_cover_reports_and_checks_are_counted(
    db: Database, server: RunningServer, clock: ScaledClock, tmp_path: Path
) -> None:
    link = ServerLink(tmp_path, clock)
    for _ in range(2):
        CoverTraffic(link, None).send()  # type: ignore[arg-type]
    with ServerClient(server.url, clock) as client:
        check(db, client, clock)
    assert entries(db) == [(COVER, 2, 0), (CHECK, 1, 0), (AREAS, 1, 0)]


def test_an_entry_is_kept_for_fourteen_days(
    db: Database, server: RunningServer, clock: ScaledClock
) -> None:
    with ServerClient(server.url, clock) as client:
        report(db, client, clock, server.issue())
    days = read_ledger(db)
    assert [local_date(NOON) - day.date for day in days] == [*map(datetime.timedelta, range(4))]
    assert [entry["kind"] for day in days[1:] for entry in day.entries] == [RADIO] * 3
    delete_old(db, NOON + 14 * DAY - 3600)
    assert entries(db)[0][0] == REPORT
    delete_old(db, NOON + 15 * DAY)
    assert read_ledger(db) == []
