"""Answers that a report lost on the way, and keys that the server did not take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ble_agent.air.key_ring import KeyRing
from ble_agent.app.health.reported import report_outcome
from ble_agent.authority.client import ServerClient
from ble_agent.authority.membership import join
from ble_agent.authority.report import Reported, report
from ble_agent.authority.requests import CERTIFY, PUBLISH, VERIFY, Step
from ble_agent.store.database import delete_old, make_home, open_store
from ble_agent.store.state import REPORT
from tests.server.running import RunningServer, clock_at
from tracing_core.clock import ScaledClock
from tracing_core.errors import ServerRefused, ServerUnreachable
from tracing_core.http.publish_request import LeftOut, PublishResponse
from tracing_core.protocol.associated_encrypted_metadata import Metadata
from tracing_core.store.database import Database
from tracing_core.store.sqlite import transaction
from tracing_core.trust.join_line import JoinLine

DAY = 86_400
NOON = 20_900 * DAY + DAY // 2


@pytest.fixture(scope="module")
def clock() -> ScaledClock:
    return clock_at(NOON)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, clock: ScaledClock) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("lost") / "server", clock) as running:
        running.init()
        running.start()
        yield running


@pytest.fixture
def db(tmp_path: Path, server: RunningServer, clock: ScaledClock) -> Iterator[Database]:
    with device(tmp_path, server, clock) as opened:
        yield opened


def device(home: Path, server: RunningServer, clock: ScaledClock) -> Any:
    make_home(home)
    with open_store(home) as opened, ServerClient(server.url, clock) as client:
        join(opened, client, JoinLine.parse(server.join), clock.now())
        for days in (2, 1, 0):
            assert KeyRing(opened).next_advertisement(NOON - DAY * days, Metadata(0)) is not None
    return open_store(home)


class Losing(ServerClient):
    """A client that loses the answers to some steps, after the server has done them."""

    lost: tuple[Step[Any, Any], ...] = ()

    def post(self, step: Any, request: Any, attempt: str = "") -> Any:
        answer = super().post(step, request, attempt)
        if step in self.lost:
            self.lost = tuple(each for each in self.lost if each is not step)
            raise ServerUnreachable("the answer was lost")
        return answer


def test_a_report_goes_on_whatever_answers_were_lost(
    db: Database, server: RunningServer, clock: ScaledClock
) -> None:
    """cwa-hotline#14, #20: the owner enters the code again, and it "was used already"."""
    code = server.issue()
    for lost in (VERIFY, CERTIFY, PUBLISH):
        # Each attempt is a new process, which knows only what is stored.
        with Losing(server.url, clock) as client:
            client.lost = (lost,)
            with pytest.raises(ServerUnreachable):
                report(db, client, clock, code)
        with ServerClient(server.url, clock) as client, pytest.raises(ServerRefused):
            report(db, client, clock, "00000000")
    with ServerClient(server.url, clock) as client:
        assert report(db, client, clock, code) == Reported(3, is_taken_back=False)
    state = REPORT.get(db)
    assert state is not None
    assert "attempt_secret" not in state


def test_another_device_gains_nothing_by_a_code_whose_answer_was_lost(
    db: Database, server: RunningServer, clock: ScaledClock, tmp_path: Path
) -> None:
    code = server.issue()
    with Losing(server.url, clock) as client:
        client.lost = (VERIFY,)
        with pytest.raises(ServerUnreachable):
            report(db, client, clock, code)
    with (
        device(tmp_path / "other", server, clock) as other,
        ServerClient(server.url, clock) as client,
        pytest.raises(ServerRefused, match="already been used"),
    ):
        report(other, client, clock, code)


def test_the_secret_outlives_the_cleaning_and_not_fourteen_days(
    db: Database, server: RunningServer, clock: ScaledClock
) -> None:
    with Losing(server.url, clock) as client:
        client.lost = (VERIFY,)
        with pytest.raises(ServerUnreachable):
            report(db, client, clock, server.issue())
    for days, is_kept in ((13, True), (15, False)):
        with transaction(db):
            delete_old(db, NOON + DAY * days)
        assert bool(REPORT.get(db)) is is_kept


def test_a_report_of_which_nothing_was_taken_is_not_thanked_for(
    db: Database, server: RunningServer, clock: ScaledClock
) -> None:
    """exposure-notifications-verification-server PR 925: an onset 28 days ago."""
    before = REPORT.get(db)
    onset = "2027-02-23"
    with ServerClient(server.url, clock) as client:
        reported = report(db, client, clock, server.issue(symptomDate=onset))
    assert reported == Reported(0, is_taken_back=False, left_out=(LeftOut("far_from_onset", 3),))
    assert REPORT.get(db) == before
    outcome = report_outcome(reported, "en")
    assert outcome.needs_owner
    assert outcome.facts == {"reported_keys": 0, "left_out_keys": {"far_from_onset": 3}}
    assert "none of this device's keys" in outcome.text
    assert "3 too far from the start of the symptoms" in outcome.text
    assert "không nhận khóa nào" in report_outcome(reported, "vi").text


@pytest.mark.parametrize(
    ("answer", "number", "left_out"),
    [
        # A server that does not count: new keys, the same again, and all far from the onset.
        (PublishResponse(inserted_exposures=3), 3, ()),
        (PublishResponse(inserted_exposures=0), 3, ()),
        (PublishResponse(warnings=("key 0 …", "key 1 …", "key 2 …")), 0, ("far_from_onset",)),
        (
            PublishResponse(
                inserted_exposures=1,
                code="partial_failure",
                error="1 error occurred:\n\t* key 2 cannot be imported: too old",
                warnings=("key 0 symptom onset is too large",),
            ),
            1,
            ("far_from_onset", "invalid"),
        ),
        # One that counts, and one that claims too much.
        (PublishResponse(accepted_exposures=2, left_out=(LeftOut("overlap", 1),)), 2, ("overlap",)),
        (PublishResponse(accepted_exposures=99), 3, ()),
    ],
)
def test_what_servers_answer_is_counted(
    db: Database,
    server: RunningServer,
    clock: ScaledClock,
    answer: PublishResponse,
    number: int,
    left_out: tuple[str, ...],
) -> None:
    """exposure-notifications-server#905: 0 inserted may mean that the keys are there already."""

    class Answering(ServerClient):
        def post(self, step: Any, request: Any, attempt: str = "") -> Any:
            return answer if step is PUBLISH else super().post(step, request, attempt)

    with Answering(server.url, clock) as client:
        reported = report(db, client, clock, server.issue())
    assert reported.number == number
    assert tuple(each.reason for each in reported.left_out) == left_out


def test_some_keys_left_out_are_named_beside_the_thanks() -> None:
    left_out = (LeftOut("too_old", 1), LeftOut("a new reason", 2))
    text = report_outcome(Reported(2, is_taken_back=False, left_out=left_out), "en").text
    thanks, rest = text.split("\n")
    assert "keys for 2 days" in thanks
    assert rest == "The server left out 3 keys: 1 too old; 2 that the server cannot use."
    nothing = report_outcome(Reported(0, is_taken_back=True), "en")
    assert nothing.needs_owner
    assert nothing.facts == {"reported_keys": 0, "taken_back_keys": 0}
