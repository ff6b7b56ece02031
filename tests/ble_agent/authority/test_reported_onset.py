"""The onset of a code and that of the diary, in each combination, at a real server."""

from __future__ import annotations

import datetime
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ble_agent.air.key_ring import KeyRing
from ble_agent.authority.client import ServerClient
from ble_agent.authority.membership import join
from ble_agent.authority.report import report
from ble_agent.authority.report_progress import ReportProgress
from ble_agent.authority.requests import PUBLISH
from ble_agent.store.database import make_home, open_store
from tests.ble_agent.agents import clock_at
from tests.server.running import RunningServer
from tracing_core.clock import ScaledClock
from tracing_core.configuration.transmission_risk import transmission_risks
from tracing_core.errors import NotPossible, ServerUnreachable
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.store.database import Database
from tracing_core.trust.join_line import JoinLine

DAY = 86_400
NOON = 20_900 * DAY + DAY // 2
TODAY = datetime.datetime.fromtimestamp(NOON, datetime.UTC).date()
KEYS = 8
ASSUMED = 4
"""Days before the upload that the server assumes if nothing states the onset."""


def ago(days: int) -> datetime.date:
    return TODAY - datetime.timedelta(days)


@pytest.fixture(scope="module", params=[False, True], ids=["by type", "by onset"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    home = tmp_path_factory.mktemp("onset") / "server"
    with RunningServer(home, clock_at(NOON)) as running:
        running.init()
        if request.param:
            with (running.home / "server.toml").open("a") as file:
                file.write("\nrisk_by_onset = true\n")
        running.start()
        yield running


@pytest.fixture
def clock() -> ScaledClock:
    return clock_at(NOON)


@pytest.fixture
def db(tmp_path: Path, server: RunningServer, clock: ScaledClock) -> Iterator[Database]:
    make_home(tmp_path / "home")
    with open_store(tmp_path / "home") as opened:
        with ServerClient(server.url, clock) as client:
            join(opened, client, JoinLine.parse(server.join), clock.now())
        for days in range(KEYS - 1, -1, -1):
            assert KeyRing(opened).next_advertisement(NOON - days * DAY, Metadata(0)) is not None
        yield opened


def published(server: RunningServer, db: Database) -> list[tuple[int, int, str]]:
    """Days since onset, level and report type of the device's keys, today's first."""
    keys = [key.key_data for key in KeyRing(db).keys_to_report(NOON)]
    with closing(sqlite3.connect(server.home / "server.db")) as found:
        rows = [
            found.execute(
                "SELECT coalesce(revised_days_since_onset, days_since_onset),"
                " coalesce(revised_transmission_risk_level, transmission_risk_level),"
                " coalesce(revised_report_type, report_type)"
                " FROM diagnosis_key WHERE key_data = ?",
                [key],
            ).fetchone()
            for key in reversed(keys)
        ]
    assert len(rows) == KEYS
    return rows


def is_by_onset(server: RunningServer) -> bool:
    return "risk_by_onset = true" in (server.home / "server.toml").read_text()


@pytest.mark.parametrize("agreed", [None, 2], ids=["not agreed", "agreed"])
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ({}, None),
        ({"symptomDate": str(ago(6))}, 6),
        ({"testDate": str(ago(1))}, 1),
        ({"symptomDate": str(ago(5)), "testDate": str(ago(1))}, 5),
    ],
    ids=["undated", "onset", "test", "both"],
)
def test_the_code_s_day_comes_first_and_the_owner_s_only_if_agreed(
    server: RunningServer,
    db: Database,
    clock: ScaledClock,
    code: dict[str, str],
    expected: int | None,
    agreed: int | None,
) -> None:
    onset = None if agreed is None else ago(agreed)
    with ServerClient(server.url, clock) as client:
        assert report(db, client, clock, server.issue(**code), onset=onset).number == KEYS
    days = expected if expected is not None else agreed if agreed is not None else ASSUMED
    rows = published(server, db)
    assert [row[0] for row in rows] == [days - age for age in range(KEYS)]
    levels = list(transmission_risks(days)[:KEYS]) if is_by_onset(server) else [2] * KEYS
    assert [row[1] for row in rows] == levels
    # Nothing of the owner's day is kept.
    assert ReportProgress.load(db).own_onset == 0


def test_a_report_is_taken_back_without_any_onset(
    server: RunningServer, db: Database, clock: ScaledClock
) -> None:
    with ServerClient(server.url, clock) as client:
        report(db, client, clock, server.issue(testType="likely"), onset=ago(2))
        code = server.issue(testType="negative")
        assert report(db, client, clock, code, onset=ago(1)).is_taken_back
    assert {row[1] for row in published(server, db)} == {6}


class Losing(ServerClient):
    """A client that does not get through with an upload."""

    def post(self, request, body, attempt=""):  # type: ignore[no-untyped-def]
        if request is PUBLISH:
            raise ServerUnreachable("lost")
        return super().post(request, body, attempt)


def test_an_owner_who_changes_the_answer_sends_nothing_that_was_declined(
    server: RunningServer, db: Database, clock: ScaledClock
) -> None:
    code = server.issue()
    with Losing(server.url, clock) as client, pytest.raises(ServerUnreachable):
        report(db, client, clock, code, onset=ago(2))
    with ServerClient(server.url, clock) as client:
        if is_by_onset(server):
            # The certificate is for the keys with their levels.
            with pytest.raises(NotPossible) as caught:
                report(db, client, clock, code)
            assert caught.value.code == "onset_fixed"
            assert report(db, client, clock, code, onset=ago(2)).number == KEYS
            days = 2
        else:
            assert report(db, client, clock, code).number == KEYS
            days = ASSUMED
    assert [row[0] for row in published(server, db)] == [days - age for age in range(KEYS)]
